#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A segment on a network block device, which a server on this machine keeps in
# memory. The server fails requests as it is told: fio's verification passes in
# spite of failing writes, and what cannot be read is an error, and no data.

. ./test_common.sh

modprobe -q nbd nbds_max=1 || {
	echo "SKIP: the kernel has no nbd"
	exit 4
}

bad_writes=$scratch/fail-writes
bad_reads=$scratch/fail-reads
device=/dev/nbd0

nbdkit --foreground -U "$scratch/socket" --filter=error memory 128M \
	error-pwrite=EIO error-pwrite-rate=20% error-pwrite-file="$bad_writes" \
	error-pread=EIO error-pread-rate=100% error-pread-file="$bad_reads" \
	2>"$scratch/nbdkit.log" &
server=$!
jobs_to_end+=("$server")
wait_until [ -S "$scratch/socket" ]
expect 0 nbd-client -unix "$scratch/socket" "$device"

expect 0 defpager store-create net --exclusive
expect 0 defpager segment-add --store net "$device"

segment() {
	field segments '.backing_store == "net"' "$1"
}

# --- writing -------------------------------------------------------------------

many_write_errors() {
	(($(segment write_errors) >= 20))
}

# Half of an object fits; the server's memory is not counted here.
group=/sys/fs/cgroup/net
mkdir "$group"
echo 32M >"$group/memory.max"

verify_with_fio() {
	in_group "$group" defpager run --store net --size 64M -- \
		fio --name=net --filename={} --rw=randwrite --ioengine=mmap \
		--size=64M --bs=64k --verify=crc32c --thread
}

: >"$bad_writes"
verify_with_fio >"$scratch/fio.log" 2>&1 &
fio=$!
wait_until many_write_errors
rm "$bad_writes"
wait "$fio" || fail "fio, status $?: $(tail -n 20 "$scratch/fio.log")"
grep -q 'err= 0' "$scratch/fio.log" || fail "fio has not verified anything"
equal "$(segment state)" active "state of a segment that can be written to"
equal "$(segment read_errors)" 0 "read errors"

# --- reading -------------------------------------------------------------------

in_group "$group" run_object 64M --store net
head -c 64M /dev/urandom >"$scratch/copy"
in_group "$group" dd if="$scratch/copy" of="$object" bs=64K conv=notrunc status=none
in_group "$group" cmp "$object" "$scratch/copy" || fail "content before any error"

: >"$bad_reads"
in_group "$group" expect 2 cmp "$object" "$scratch/copy"
says "Input/output error"
says_not "differ"
rm "$bad_reads"
(($(segment read_errors) > 0)) || fail "no read error was counted"

# Until it is written anew, and only where it could not be read.
in_group "$group" expect 2 cmp "$object" "$scratch/copy"
says "Input/output error"
in_group "$group" dd if="$scratch/copy" of="$object" bs=64K conv=notrunc status=none
in_group "$group" cmp "$object" "$scratch/copy" || fail "content after all was written"
end_object

# --- the end -------------------------------------------------------------------

wait_until [ ! -e "$object" ]
expect 0 defpager store-delete net
expect 0 nbd-client -d "$device"
