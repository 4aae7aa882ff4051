#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tool's commands that take their time: "watch", and what drains.

. ./test_common.sh

need_memory_groups

# --- watch ---------------------------------------------------------------------

make_loop 256M
first=$device
expect 0 defpager segment-add "$first"
run_object 8M --name 'qu"ote'

expect 0 defpager watch --count 3 --interval 0.1
equal "$(wc -l <<<"$output")" 4 "lines of a watch of three"
equal "$(awk 'NR == 1 { print $1, $NF }' <<<"$output")" "TIME OBJECTS" \
	"headings"
equal "$(awk '{ print NF }' <<<"$output" | uniq)" 15 "columns"
equal "$(awk 'NR > 1 { print $NF }' <<<"$output" | uniq)" 1 "objects"
expect 0 defpager watch --count 1 --interval 0.1 --noheadings --bytes
equal "$(awk '{ print $11 }' <<<"$output")" $((256 << 20)) "space"

# Each line is JSON by itself, when it comes.
expect 0 defpager watch --count 2 --interval 0.1 --json
equal "$(wc -l <<<"$output")" 2 "lines of JSON"
while read -r line; do
	jq -e '.watch[0].nr_objects == 1 and .stores[0].name == "default" and
		.objects[0].name == "qu\"ote" and
		.watch[0].interval_ms >= 90' <<<"$line" >/dev/null ||
		fail "not what it should be: $line"
done <<<"$output"
{ defpager watch --interval 0.1 --json || :; } | head -n 1 |
	jq -e .watch >/dev/null ||
	fail "no line comes through a pipe before the end"

# Objects are sorted by what they hold, and no more than asked for.
run_object 16M --name larger
expect 0 defpager watch --count 1 --interval 0.1 --json --top 1
equal "$(jq -r '.objects[].name' <<<"$output")" larger "the largest object"
end_object

# What is paged out in between is a rate.
defpager watch --interval 0.2 --json >"$scratch/watch" &
watch=$!
jobs_to_end+=("$watch")
with_little_memory run_object 32M --name out
paged_out() {
	grep -q '"out_bytes_per_second":[1-9].*"write_bytes":[1-9].*"used_bytes":[1-9]' \
		"$scratch/watch"
}
wait_until paged_out
kill "$watch"
wait "$watch" || :
end_object

expect 2 defpager watch --interval 0
says "seconds from 0.1"
expect 2 defpager watch --interval 1x
expect 2 defpager watch --count 0
expect 2 defpager watch --top -1

# --- what drains -----------------------------------------------------------------

# The device reads as slowly as is said, in ms, or not at all; it writes at once.
set_slow() {
	local table="delay $device 0 $1 $device 0 0"

	[[ $1 != error ]] || table=error
	dmsetup "$2" slow --table "0 $(blockdev --getsz "$device") $table"
}

reload_slow() {
	dmsetup suspend slow
	set_slow "$1" reload
	dmsetup resume slow
}

modprobe -qa dm-mod dm-delay || :
make_loop 64M
if ! set_slow 500 create; then
	echo "SKIP: there is no dm-delay"
	exit 4
fi
expect 0 defpager store-create --priority 10 slow
expect 0 defpager segment-add --store slow /dev/mapper/slow
with_little_memory run_object 32M --name moving
sum=$(with_little_memory sha256sum <"$object")
[[ $sum ]] || fail "the object cannot be read"
used() {
	field stores '.name == "slow"' used_bytes
}
(($(used) > 8 << 20)) || fail "only $(used) bytes are on the device"

state() {
	field segments '.backing_store == "slow"' state
}
drains() {
	[[ $(state) == draining ]]
}
for command in "segment-remove /dev/mapper/slow" "store-delete slow"; do
	# shellcheck disable=SC2086 # words
	defpager $command >"$scratch/output" 2>&1 &
	removal=$!
	wait_until drains
	# Not INT, which what a shell starts in the background ignores.
	kill -TERM "$removal"
	status=0
	wait "$removal" || status=$?
	output=$(<"$scratch/output")
	equal "$status" 1 "exit status of \"$command\""
	says "interrupted; it is in use as before"
	equal "$(state)" active "state after an interruption"
done

# On a terminal it shows how far it is, and nothing of that remains.
expect 0 script -qec "defpager segment-remove /dev/mapper/slow" /dev/null
says " left to move"
says $'\r\e[Ksegment '
says "removed from backing store slow; "
equal "$(used)" 0 "bytes used on the device"
equal "$(sha256sum <"$object")" "$sum" "content of the object"
end_object

reload_slow 0
expect 0 defpager store-delete slow
says "backing store slow deleted"
dmsetup remove slow
