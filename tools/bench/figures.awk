# SPDX-License-Identifier: GPL-2.0-only
#
# Tables from the workload's lines of key=value pairs, of any number of runs:
# times side by side, and how much I/O there was.
#
# Variables: kernel, wanted (rows), tolerance (per cent), run_count, json (a
# file to append to, or empty), left and right (the backends), left_title.
# The exit status is 0, or 1 if the right one is worse in a row, or 3 if a page
# had the wrong contents.

function split_fields(   i, at) {
	split("", field)
	for (i = 1; i <= NF; i++) {
		at = index($i, "=")
		field[substr($i, 1, at - 1)] = substr($i, at + 1)
	}
}

# The mean of all runs, times and counts alike, per visit.
function per_visit(row, backend, what) {
	return sum[row, backend, what] / sum[row, backend, "visits"]
}

function known(row, backend) {
	return (row, backend, "visits") in sum
}

# How far the runs are apart, in per cent of the mean.
function spread(row, backend) {
	return 100 * (max[row, backend] - min[row, backend]) / \
		per_visit(row, backend, "ns")
}

function time(row, backend) {
	return known(row, backend) ? \
		sprintf("%.0f", per_visit(row, backend, "ns")) : "-"
}

# Where the runs of both overlap, a mean proves nothing: under the multi-gen LRU
# the skewed row takes one of two values, half as many misses or not, and a guest
# stays with one of them for seconds.
function verdict_on(row, ratio,   factor) {
	factor = 1 + tolerance / 100
	if (ratio <= factor)
		return ""
	if (min[row, right] <= factor * max[row, left])
		return "  unclear"
	worse = worse " " row
	return "  worse"
}

function times_row(row,   ratio) {
	printf "%-16s %12s %12s", row, time(row, left), time(row, right)
	if (known(row, left) && known(row, right)) {
		ratio = per_visit(row, right, "ns") / \
			per_visit(row, left, "ns")
		printf " %8.2f", ratio
		if (run_count > 1)
			printf " %9.1f %9.1f", spread(row, left),
				spread(row, right)
		printf "%s", verdict_on(row, ratio)
	}
	print ""
}

function print_times(   i) {
	printf "Linux %s: ns per page or visit\n\n", kernel
	printf "%-16s %12s %12s %8s", "", left_title, right, "ratio"
	if (run_count > 1)
		printf " %9s %9s", "spread, %", "spread, %"
	print ""
	for (i = 1; i <= nr_wanted; i++)
		times_row(rows[i])
	print ""
}

function counts_of(row, backend) {
	if (!known(row, backend))
		return sprintf("%31s", "-")
	return sprintf("%7.3f %7.3f %7.3f %7.3f",
		       per_visit(row, backend, "reads"),
		       per_visit(row, backend, "pages_in"),
		       per_visit(row, backend, "writes"),
		       per_visit(row, backend, "pages_out"))
}

function print_counts(   i, titles) {
	titles = sprintf("%7s %7s %7s %7s", "reads", "pages", "writes", "pages")
	printf "I/O per page or visit:\n\n"
	printf "%-16s %-31s   %s\n", "", "  " left_title, "  " right
	printf "%-16s %s   %s\n", "", titles, titles
	for (i = 1; i <= nr_wanted; i++) {
		if (rows[i] !~ /^resident/)
			printf "%-16s %s   %s\n", rows[i],
				counts_of(rows[i], left),
				counts_of(rows[i], right)
	}
	print ""
}

function written_per_dirtied(backend) {
	if (!known("total", backend))
		return "-"
	return sprintf("%.2f", sum["total", backend, "pages_out"] / \
		       sum["total", backend, "dirtied"])
}

# A visit that needed no read request is a hit.
function hits(backend) {
	if (!known("skewed", backend))
		return "-"
	return sprintf("%.1f %%",
		       100 * (1 - per_visit("skewed", backend, "reads")))
}

function print_summary() {
	printf "%-32s %12s %12s\n", "", left_title, right
	printf "%-32s %12s %12s\n", "bytes written per byte dirtied",
		written_per_dirtied(left), written_per_dirtied(right)
	printf "%-32s %12s %12s\n\n", "hits, skewed", hits(left),
		hits(right)
}

# Requests in flight at the end of a phase may be counted on one side only.
function check_own_count(backend, what,   device, own) {
	if (!known("total", backend))
		return
	device = sum["total", backend, "pages_" what]
	own = sum["total", backend, "said_" what]
	if (own < 0.99 * device || own > 1.01 * device)
		printf "note: %s counts %d pages %s, its device %d\n",
			backend, own, what, device
}

function print_verdict() {
	if (mismatches)
		printf "FAILED: %d pages had the wrong contents\n", mismatches
	if (worse)
		printf "WORSE than %s on %s:%s\n", left_title, kernel, worse
	if (mismatches || worse)
		print ""
}

BEGIN {
	nr_wanted = split(wanted, rows, " ")
	# Not only resident-touch and resident-remap.
	for (i in rows)
		paged = paged || rows[i] !~ /^resident/
}

/^row=/ {
	split_fields()
	row = field["row"]
	backend = field["backend"]
	for (key in field) {
		if (field[key] ~ /^[0-9]+$/)
			sum[row, backend, key] += field[key]
	}
	each = field["ns"] / field["visits"]
	if (!((row, backend) in min) || each < min[row, backend])
		min[row, backend] = each
	if (each > max[row, backend])
		max[row, backend] = each
	# Each line has the sum of those so far in its run.
	if (FILENAME != file) {
		mismatches += last_mismatches
		file = FILENAME
	}
	last_mismatches = field["mismatches"]
	if (json) {
		printf "{\"kernel\": \"%s\"", kernel >>json
		for (i = 1; i <= NF; i++) {
			key = $i
			sub(/=.*/, "", key)
			value = field[key]
			if (value !~ /^[0-9]+$/)
				value = "\"" value "\""
			printf ", \"%s\": %s", key, value >>json
		}
		print "}" >>json
	}
}

END {
	mismatches += last_mismatches
	print_times()
	if (paged) {
		print_counts()
		print_summary()
	}
	check_own_count(left, "in")
	check_own_count(left, "out")
	check_own_count(right, "in")
	check_own_count(right, "out")
	print_verdict()
	exit mismatches ? 3 : worse ? 1 : 0
}
