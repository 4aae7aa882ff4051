# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the scripts here share, on top of tools/vm/lib.sh. Source it after
# setting "here" and "top".
#
#   LINUX            the directory which has some files of the kernel's source,
#                    each at its place, after
#   kernel_scripts   which fetches them

# shellcheck source=../vm/lib.sh disable=SC2154 # set by who sources us
. "$top/tools/vm/lib.sh"

linux_source=/usr/src/linux-source-6.1.tar.xz
LINUX=$DEFPAGER_CACHE/linux-scripts-6.1

# checkpatch looks for its lists beside itself. The headers are what the tests
# include.
wanted_scripts=(
	scripts/checkpatch.pl
	scripts/spelling.txt
	scripts/const_structs.checkpatch
	scripts/kernel-doc
	scripts/get_abi.pl
	Documentation/sphinx/kerneldoc.py
	Documentation/sphinx/kernellog.py
	tools/testing/selftests/kselftest.h
	tools/testing/selftests/kselftest_harness.h
)

# A newer package, or a longer list above, makes them outdated.
scripts_current() {
	[[ $LINUX -nt $linux_source && $LINUX -nt ${BASH_SOURCE[0]} ]]
}

unpack_scripts() {
	local new=$LINUX.new

	! scripts_current || return 0
	say "unpacking the kernel's scripts"
	rm -rf -- "$new"
	mkdir -p -- "$new"
	tar -C "$new" -xf "$linux_source" --strip-components=1 \
		"${wanted_scripts[@]/#/linux-source-6.1/}" || return
	rm -rf -- "$LINUX"
	touch -- "$new"
	mv -T -- "$new" "$LINUX"
}

kernel_scripts() {
	need_packages linux-source-6.1 xz-utils perl
	scripts_current || with_lock linux-scripts unpack_scripts ||
		die "cannot unpack $linux_source"
}
