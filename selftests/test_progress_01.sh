#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All memory is pages of an object that wait to be written, there is no swap, and
# what they are written to needs memory itself: dm-crypt, and a loop device over a
# file. All goes out and comes back as it was, nobody is killed for memory, and
# nothing hangs.
#
# Overwrites /dev/vda, which has to have twice the machine's memory.

. ./test_common.sh

need() {
	"$@" >/dev/null 2>&1 && return
	echo "SKIP: this machine cannot: $*"
	exit 4
}

# One library of fio is larger than what the debug kernel leaves, if all of it is
# counted; but most of it is never touched.
echo 1 >/proc/sys/vm/overcommit_memory

# For each page of its file the loop device's worker looks at all others first. With
# all the checks of the debug kernel, and an emulated processor, some ten pages go out
# in a second, which is hours for all of them.
kinds="crypt loop_over_file"
if grep -q ' __asan_load8$' /proc/kallsyms; then
	kinds=crypt
	echo "loop_over_file: left out with KASAN, where it takes hours"
fi

need [ -b /dev/vda ]
need fio --version
need dmsetup version
need modprobe -a dm-crypt loop ext4
# So that the disk can have an aes-xts mapping, whatever it is made of here.
modprobe -qa xts aes_generic aesni-intel || :

size=$(awk '/^MemTotal:/ { print int($2 / 1024 * 3 / 2) "M" }' /proc/meminfo)

kills() {
	awk '$1 == "oom_kill" { print $2 }' /proc/vmstat
}

# --- what it is written to -------------------------------------------------------

make_crypt() {
	dmsetup create secret --table "0 $(blockdev --getsz /dev/vda) crypt \
		aes-xts-plain64 $(head -c 64 /dev/urandom | od -An -tx1 |
		tr -d ' \n') 0 /dev/vda 0"
	device=/dev/mapper/secret
}

end_crypt() {
	dmsetup remove secret
}

# The file has holes: each page that is written makes the file system look for
# blocks.
make_loop_over_file() {
	mkfs.ext4 -q -F /dev/vda
	mkdir "$scratch/disk"
	mount /dev/vda "$scratch/disk"
	truncate -s "$size" "$scratch/disk/file"
	device=$(losetup --find --show "$scratch/disk/file")
}

end_loop_over_file() {
	losetup --detach "$device"
	umount "$scratch/disk"
}

# --- what is written -------------------------------------------------------------

# More than there is memory for, in sequence, and compared; then part of it at
# random, which fio compares.
write_and_verify() {
	# shellcheck disable=SC2016 # for the other shell
	defpager run --store "$1" --size "$size" -- sh -c '
		lines() { yes "no page of this is zero" | head -c "$size"; }
		size=$2
		lines >"$1" && lines | cmp - "$1" &&
		fio --name=progress --filename="$1" --ioengine=mmap --thread \
			--rw=randwrite --bs=64k --size=48M --verify=crc32c \
			--verify_fatal=1' sh '{}' "$size"
}

for kind in $kinds; do
	before=$(kills)
	"make_$kind"
	expect 0 defpager store-create "$kind" --exclusive
	expect 0 defpager segment-add --store "$kind" --force "$device"
	write_and_verify "$kind" >"$scratch/fio.log" 2>&1 ||
		fail "$kind: fio, status $?: $(grep -v "|" "$scratch/fio.log")"
	grep -q 'err= 0' "$scratch/fio.log" ||
		fail "$kind: fio has not verified anything"
	pages=$(field segments ".backing_store == \"$kind\"" pages_out)
	echo "$kind: $pages pages of $size went out"
	((pages * 4 > ${size%M} * 1024 / 4)) || fail "$kind: hardly any went out"
	equal "$(field segments ".backing_store == \"$kind\"" write_errors)" 0 \
		"write errors on $kind"
	equal "$(kills)" "$before" "processes killed for memory, on $kind"
	expect 0 defpager store-delete "$kind"
	"end_$kind"
done
