#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# tools/examples/grow_on_alert: devices are added before a program misses their
# space. Needs five disks, /dev/vda to /dev/vde; the first is there from the
# beginning, and the last one carries something.

. ./test_common.sh

for disk in /dev/vd{a..e}; do
	if [[ ! -b $disk ]]; then
		echo "SKIP: $disk is missing"
		exit 4
	fi
done

watching() {
	[[ -s $scratch/log ]]
}

# --- what it refuses -------------------------------------------------------------

expect 1 grow_on_alert default 1000
says "usage"
expect 1 grow_on_alert nowhere 1000 /dev/vdb
says "nowhere: No such file"
expect 1 grow_on_alert default 1000 /dev/null
says "/dev/null: "
mkswap /dev/vde >/dev/null
expect 1 grow_on_alert default 1000 /dev/vdb /dev/vde
says "/dev/vde: is not empty"

# --- growing ---------------------------------------------------------------------

expect 0 defpager segment-add /dev/vda
size=$(blockdev --getsize64 /dev/vda)
grow_on_alert default $((size / 2)) /dev/vd{b..d} >"$scratch/log" 2>&1 &
daemon=$!
jobs_to_end+=("$daemon")
wait_until watching
equal "$(<"$scratch/log")" watching "its first line"

# Nobody else gets a spare while it waits.
expect 1 defpager segment-add /dev/vdc
says "is mounted, used as swap, claimed"

# Three and a half times what there is to begin with. dd ends at the first error;
# that it gets none is what the daemon is for.
# shellcheck disable=SC2016 # for the other shell
expect 0 defpager run --size "$((size * 7 / 2))" -- sh -c '
	dd if=/dev/urandom of="$DEFPAGER_PATH" bs=64K conv=notrunc \
		count="$1" iflag=fullblock' sh "$((size * 7 / 2 / 65536))"
says_not "No space"
wait "$daemon" || fail "$(<"$scratch/log")"
equal "$(grep -c 'added$' "$scratch/log")" 3 "devices that were added"
equal "$(defpager segments --json | jq '.segments | length')" 4 "segments"
equal "$(tail -n 1 "$scratch/log")" "there are no more spares" "its last line"

# --- what it is told of ------------------------------------------------------------

# No space is little enough for an alert, then.
expect 0 defpager store-create other
expect 0 defpager segment-remove /dev/vdd
expect 0 defpager segment-add --store other --force /dev/vde
grow_on_alert other 0 /dev/vdd >"$scratch/log" 2>&1 &
daemon=$!
jobs_to_end+=("$daemon")
wait_until grep -q watching "$scratch/log"
expect 0 defpager store-delete other
status=0
wait "$daemon" || status=$?
equal "$status" 1 "exit status when the store is deleted"
grep -q "the store has been deleted" "$scratch/log" ||
	fail "$(<"$scratch/log")"
