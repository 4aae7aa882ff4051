# SPDX-License-Identifier: GPL-2.0-only
#
# Instructions per function. Reads the row of the profiled phase, then the lines
#
#   symbol ADDRESS NAME [MODULE]
#   block ADDRESS INSTRUCTIONS
#
# in the order of the addresses, symbols first. Prints a line for each function:
# instructions per visit, share of the time, name.

function row_field(name,   i, pair) {
	for (i = 1; i <= NF; i++) {
		split($i, pair, "=")
		if (pair[1] == name)
			return pair[2]
	}
}

function line(count, name) {
	printf "%9.1f %5.1f%%  %s\n", count / visits, 100 * count / ns, name
}

BEGIN {
	# Before the first symbol of the kernel.
	name = "(user space)"
}

/^row=/ {
	visits = row_field("visits")
	ns = row_field("ns")
}

$1 == "symbol" {
	# Of several names at an address, the first.
	if ($2 != address)
		name = $3 ($4 ? " " $4 : "")
	address = $2
}

$1 == "block" {
	count[name] += $3
	total += $3
}

END {
	line(ns, "(all)")
	line(ns - total, "(idle)")
	for (name in count)
		line(count[name], name)
}
