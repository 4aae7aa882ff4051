#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A segment is removed while fio writes to an object of its store and verifies what
# it reads. The listing shows how far that is. Needs a disk, /dev/vda, for what is
# moved; null_blk is the device that it leaves, at a few MiB per second.

. ./test_common.sh

need_memory_groups
if [[ ! -b /dev/vda ]]; then
	echo "SKIP: /dev/vda is missing"
	exit 4
fi
if ! fio --version >/dev/null 2>&1; then
	echo "SKIP: there is no fio"
	exit 4
fi

mib=$((1 << 20))
size=$((16 * mib))
idle_size=$((24 * mib))

# --- a slow disk in memory -------------------------------------------------------

nullb=/sys/kernel/config/nullb/drained

modprobe -q null_blk nr_devices=0 || :
if ! mkdir "$nullb" 2>/dev/null; then
	echo "SKIP: there is no null_blk"
	exit 4
fi
echo 64 >"$nullb/size"
echo 1 >"$nullb/memory_backed"
echo 3 >"$nullb/mbps"
# What is not done in 20 ms is never done.
echo 32 >"$nullb/max_sectors"
echo 1 >"$nullb/power"
wait_until [ -b /dev/drained ]

# --- two objects that are on it ----------------------------------------------------

expect 0 defpager store-create --exclusive drained
expect 0 defpager segment-add --store drained /dev/drained
# Memory for both of them, and no need to wait for such a device when there is none
# left; but what is not used at the moment is asked for again and again.
memory_max=64M
reclaim_until_told() {
	while [[ ! -e $scratch/stop ]]; do
		# It says if that was not as much as that.
		echo 8M >/sys/fs/cgroup/test/memory.reclaim 2>/dev/null || :
		sleep 0.1
	done
}

# Nobody uses the one: all of it has to be read from the slow disk to be moved, which
# takes as long as it takes. What is in memory anyway goes elsewhere in no time.
with_little_memory run_object "$idle_size" --store drained --name idle
idle=$job
reclaim_until_told &
jobs_to_end+=("$!")
is_out() {
	(($(field objects '.name == "idle"' resident_bytes) == 0))
}
wait_until is_out

with_little_memory run_object "$size" --store drained --name verified
expect 0 defpager segment-add --store drained /dev/vda

# --- fio, again and again ----------------------------------------------------------

# All of the object, page by page, in an order of its own each time; then it reads
# all of it. Prints a line for each time that all was as it had been written.
verify_until_told() {
	local round

	for ((round = 1; ; round++)); do
		nice -n 19 fio --name=drain --filename="$object" --ioengine=mmap \
			--rw=randwrite --bs=4k --size="$size" --randseed=$round \
			--verify=crc32c --verify_fatal=1 --do_verify=1 \
			--thread --eta=never --output="$scratch/fio.log" ||
			return
		echo "fio: round $round verified"
		[[ ! -e $scratch/stop ]] || return 0
	done
}

pages_in() {
	field segments '.device == "/dev/drained"' pages_in
}
is_at_work() {
	(($(pages_in) > before))
}

before=$(pages_in)
with_little_memory verify_until_told >"$scratch/rounds" 2>&1 &
verifier=$!
jobs_to_end+=("$verifier")
wait_until is_at_work

fails() {
	cat "$scratch/fio.log" "$scratch/rounds" "$scratch/removal" || :
	fail "$*"
}

# --- the segment is removed ----------------------------------------------------------

# What the listing said, one after the other; it is read when all is over, so that
# there are as many as possible.
defpager segment-remove /dev/drained >"$scratch/removal" 2>&1 &
removal=$!
jobs_to_end+=("$removal")
while kill -0 "$removal" 2>/dev/null; do
	defpager segments --json --store drained >>"$scratch/samples"
	kill -0 "$verifier" 2>/dev/null || fails "fio has ended"
done
wait "$removal" || fails "exit status of the removal"
cat "$scratch/removal"

# Before it has begun, and when it is over, it is not draining.
jq -r 'select(any(.segments[]; .state == "draining")) | .segments |
	sort_by(.state != "draining") | map(.used_bytes) | @tsv' \
	"$scratch/samples" >"$scratch/progress"
echo "LEFT      ELSEWHERE"
last=
falls=0
while read -r left elsewhere; do
	printf '%9d %9d\n' "$left" "$elsewhere"
	if [[ $last ]]; then
		((left <= last)) || fails "$left bytes are left: more than $last"
		((left == last)) || ((++falls))
	fi
	last=$left
done <"$scratch/progress"
((falls >= 3)) || fails "only $falls samples were below the one before"
equal "$(defpager segments --json --store drained |
	jq -r '.segments[].device')" /dev/vda "what is left"

# --- and nothing was lost --------------------------------------------------------------

# The device is nobody's, and can be taken away at once.
blockdev --flushbufs /dev/drained
rmdir "$nullb"
touch "$scratch/stop"
wait "$verifier" || fails "exit status of fio"
cat "$scratch/rounds"
grep -q "round 1 verified" "$scratch/rounds" || fails "fio has verified nothing"
(($(field stores '.name == "drained"' used_bytes) > 0)) || fails "nothing is out"
end_object
job=$idle
end_object
expect 0 defpager store-delete drained
