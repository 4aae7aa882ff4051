# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the scripts share. Source it from bash, in the directory of the tests.
#
#   fail TEXT...                 say so, and end the test
#   expect STATUS COMMAND...     run it; "output" is what it printed, both streams
#   says TEXT                    the output has to have this in it
#   says_not TEXT                it must not
#   equal TEXT TEXT WHAT         the two have to be the same
#   wait_until COMMAND...        until it succeeds; fails after a minute
#   make_loop SIZE               "device" is an empty loop device in memory
#   run_object SIZE OPTION...    an object, full of random bytes, until end_object;
#                                the options are those of "defpager run", and
#                                "object" is a path to it
#   need_memory_groups           ends the test where there are none
#   in_group GROUP COMMAND...    run it in that control group, and come back
#   with_little_memory COMMAND...  so that most of an object which it touches is out;
#                                it has "memory_max"
#   field LISTING FILTER NAME    of "defpager LISTING", the first row that jq's
#                                FILTER is true for: the field of this name

set -euo pipefail
shopt -s inherit_errexit

# The tool is the one beside the tests, wherever they were built.
PATH=$(realpath -m -- ../build/bin):$PATH
export LC_ALL=C.UTF-8

scratch=$(mktemp -d)
jobs_to_end=()

# shellcheck disable=SC2317 # called by the trap
clean_up() {
	local status=$?

	((${#jobs_to_end[@]} == 0)) || kill "${jobs_to_end[@]}" 2>/dev/null || :
	rm -rf -- "$scratch"
	exit "$status"
}
trap clean_up EXIT

fail() {
	echo "FAILED at line ${BASH_LINENO[-2]}: $*"
	exit 1
}

expect() {
	local wanted=$1 status=0

	shift
	output=$("$@" 2>&1) || status=$?
	[[ $status == "$wanted" ]] ||
		fail "$*: exit status $status, not $wanted: $output"
}

says() {
	[[ $output == *"$1"* ]] || fail "no \"$1\" in: $output"
}

says_not() {
	[[ $output != *"$1"* ]] || fail "\"$1\" in: $output"
}

equal() {
	[[ $1 == "$2" ]] || fail "$3: \"$1\" and not \"$2\""
}

wait_until() {
	local tries=1200

	until "$@"; do
		((tries-- > 0)) || fail "in vain: $*"
		sleep 0.05
	done
}

# A segment keeps the device, and the device the file: it may have no name.
make_loop() {
	local file

	[[ -e /dev/loop-control ]] || modprobe -q loop
	file=$(mktemp -p "$scratch")
	truncate -s "$1" "$file"
	# shellcheck disable=SC2034 # for the caller
	device=$(losetup --find --show "$file")
}

run_object() {
	local size=$1

	shift
	rm -f -- "$scratch/object"
	# shellcheck disable=SC2016 # for the other shell
	defpager run --size "$size" "$@" -- sh -c '
		head -c "$2" /dev/urandom >"$1"
		echo "$1" >"$3"
		exec tail -f /dev/null' sh '{}' "$size" "$scratch/object" &
	job=$!
	jobs_to_end+=("$job")
	wait_until [ -s "$scratch/object" ]
	# shellcheck disable=SC2034 # for the caller
	object=$(<"$scratch/object")
}

end_object() {
	kill "$job"
	wait "$job" || :
}

need_memory_groups() {
	grep -qw memory /sys/fs/cgroup/cgroup.subtree_control && return
	echo "SKIP: there are no control groups for memory"
	exit 4
}

memory_max=8M

# Its status is the command's, also where "||" or "if" switch off "set -e".
in_group() {
	local group=$1 status=0

	shift
	echo "$BASHPID" >"$group/cgroup.procs"
	"$@" || status=$?
	echo "$BASHPID" >/sys/fs/cgroup/cgroup.procs
	return "$status"
}

with_little_memory() {
	local group=/sys/fs/cgroup/test

	[[ -d $group ]] || mkdir "$group"
	echo "$memory_max" >"$group/memory.max"
	in_group "$group" "$@"
}

field() {
	defpager "$1" --json | jq -r "[.$1[] | select($2)][0] | .$3"
}
