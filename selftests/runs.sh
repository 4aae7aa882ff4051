# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What selftests/check and selftests/mutate share: which programs there are, what
# each wants of its guest, and what came of it. Source it from bash after
# tools/vm/lib.sh, with "here" the directory of the tests and "tests_dir" that of
# the programs built.
#
#   plan_runs [PATTERN...]       the lines of the table "guests" that are to run
#   parse_run LINE               sets variables: what such a line says
#   program_path PROGRAM
#   program_results PROGRAM STATUS <LOG
#                                "pass|fail|skip|error TEXT", a line for each; the
#                                status may be unknown, or that it was stopped at
#                                its first failure
#   guest_said STATUS <LOG       the last that tools/vm/run said of a guest

wanted() {
	local program=$1 pattern

	(($# > 1)) || return 0
	for pattern in "${@:2}"; do
		# shellcheck disable=SC2053 # a pattern is what it is
		[[ $program == $pattern || $program == "${pattern}_test" ]] &&
			return
	done
	return 1
}

# shellcheck disable=SC2154 # whoever sources this says where
programs() {
	make -s -C "$here" OUTPUT="$tests_dir" DISKS=yes emit_tests |
		sed 's/.*://'
}

# Those which may take longest begin, so that none of them is left over in the end;
# those which want to be alone come last.
plan_runs() {
	local program pattern all

	all=$(programs) || return
	[[ $all ]] || die "there are no tests"
	for pattern; do
		while read -r program; do
			! wanted "$program" "$pattern" || continue 2
		done <<<"$all"
		die "there is no such test: $pattern"
	done
	while read -r program; do
		wanted "$program" "$@" || continue
		grep -E "^$program([[:space:]]|\$)" "$here/guests" ||
			echo "$program"
	done <<<"$all" | awk -v OFS='\t' '{
		seconds = 300
		if (match($0, /timeout=[0-9]+/))
			seconds = substr($0, RSTART + 8, RLENGTH - 8)
		print /alone=yes/ ? 0 : seconds, $0
	}' | sort -s -rn -k 1,1 | cut -f 2-
}

# shellcheck disable=SC2034 # for whoever calls it
parse_run() {
	local words word

	read -ra words <<<"$1"
	program=${words[0]}
	label=
	memory=256M
	disks=()
	timeout=300
	modules=
	lru_gen=
	only=
	alone=
	exact=
	cases=0
	for word in "${words[@]:1}"; do
		case $word in
		label=*) label=.${word#*=} ;;
		memory=*) memory=${word#*=} ;;
		disk=*) disks+=("${word#*=}") ;;
		timeout=*) timeout=${word#*=} ;;
		modules=*) modules=${word#*=} ;;
		lru_gen=*) lru_gen=${word#*=} ;;
		kernel=*) only=${word#*=} ;;
		alone=yes) alone=yes ;;
		exact=yes) exact=yes ;;
		long=*) cases=${word#*=} ;;
		*) die "selftests/guests: $program: $word?" ;;
		esac
	done
	name=$program$label
}

program_path() {
	case $1 in
	*.sh) printf '%s\n' "$here/$1" ;;
	*) printf '%s\n' "$tests_dir/$1" ;;
	esac
}

# A program which speaks TAP says what it is going to do and what came of each;
# everything that does not fit is an error. So is an expectation that failed in a case
# which passes all the same: the harness forgets those before SKIP(), and never hears
# of those in another process.
tap_results() {
	awk -v status="$1" '
	function error(text) { print "error " text; errors++ }
	{ sub(/\r$/, "") }
	/^#  RUN  / { test = $3; complaint = "" }
	/^# [^ ]+\.[ch]:[0-9]+:[^ ]*:Expected / { complaint = $0 }
	/^Bail out!/ { error($0) }
	/^1\.\.[0-9]+/ {
		if (planned != "")
			error("a second plan: " $0)
		planned = substr($1, 4) + 0
		if (planned == 0 && /# SKIP ./)
			print "skip all of it: " $0
		else if (planned == 0)
			error("skipped without a reason")
	}
	/^(not )?ok( |$)/ {
		bad = /^not/
		number = $(bad ? 3 : 2)
		if (number != ++seen)
			error("result " seen " calls itself " number)
		text = $0
		sub(/^(not )?ok *[0-9]* *(- )?/, "", text)
		skip = match(text, /# *SKIP */)
		reason = skip ? substr(text, RSTART + RLENGTH) : ""
		if (skip)
			text = substr(text, 1, RSTART - 1)
		sub(/ *$/, "", text)
		if (text == "")
			text = test
		if (!bad && complaint != "")
			error(text ": ok in spite of \"" complaint "\"")
		if (bad) {
			print "fail " text
			failed++
		} else if (skip && (reason == "" || reason == "unknown")) {
			error(text ": skipped without a reason")
		} else if (skip) {
			print "skip " text ": " reason
		} else {
			print "pass " text
		}
	}
	END {
		if (planned == "")
			error("no plan")
		else if (planned != seen + 0 && !(status == "stopped" && failed))
			error("planned " planned " tests, ran " seen + 0)
		if (status == "unknown" || status == "stopped")
			exit
		if (status == 0 && failed)
			error("exit status 0 in spite of failed tests")
		else if (status != 0 && !failed && !errors)
			error("exit status " status)
	}'
}

# The exit status of a script is its verdict.
script_results() {
	case $2 in
	0) echo "pass $1" ;;
	4)
		awk -v program="$1" '
		{ sub(/\r$/, "") }
		/^run: / { next }	# what the guest says in the end
		{ last = $0 }
		END {
			if (last ~ /^SKIP: ./)
				print "skip " program ": " last
			else
				print "error " program ": exit status 4"
		}'
		;;
	*) echo "fail $1: exit status $2" ;;
	esac
}

program_results() {
	if [[ $1 != *.sh ]]; then
		tap_results "$2"
	elif [[ $2 != unknown ]]; then
		script_results "$1" "$2"
	fi
}

# What it says about the guest, it says last, but for a remark.
guest_said() {
	local said

	said=$(grep -a '^run: [^(]' | tail -n 1) || :
	echo "${said:-run: exit status $1}"
}
