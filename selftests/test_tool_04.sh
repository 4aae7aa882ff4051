#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tool's "run": its exit status, the signals that it passes on, and as whom the
# command runs.

. ./test_common.sh

make_loop 16M
expect 0 defpager store-create --exclusive own
expect 0 defpager segment-add --store own "$device"
make_loop 16M
expect 0 defpager segment-add "$device"

# --- its exit status ---------------------------------------------------------------

expect 0 defpager run --help
says "--user USER"
expect 3 defpager run --size 1M -- sh -c 'exit 3'
expect 143 defpager run --size 1M -- sh -c 'kill $$'
expect 127 defpager run --size 1M -- "$scratch/none"
says "none: No such file or directory"
expect 126 defpager run --size 1M -- "$scratch"
says "Permission denied"
# What is not the command's.
expect 125 defpager run --size none -- true
says "--size none: must be a number of bytes"
expect 125 defpager run --size 1M
says "run wants a command"
expect 125 defpager run --size 1M --store none -- true
says "no backing store of that name"
expect 125 defpager run --size 1M --name a/b -- true
says "the pager refuses the object"
# Who ignores its children's ends has one to wait for all the same.
expect 3 env --ignore-signal=CHLD defpager run --size 1M -- sh -c 'exit 3'

# --- signals -----------------------------------------------------------------------

# What a shell starts in the background ignores two of them.
for signal in HUP INT QUIT TERM USR1 USR2; do
	# shellcheck disable=SC2016 # for the other shell
	env --default-signal defpager run --size 1M -- bash -c '
		trap "exit 7" "$1"
		sleep infinity &
		trap "kill $!" EXIT
		touch "$2"
		wait' bash "$signal" "$scratch/$signal" &
	job=$!
	jobs_to_end+=("$job")
	wait_until [ -e "$scratch/$signal" ]
	kill -s "$signal" "$job"
	status=0
	wait "$job" || status=$?
	equal "$status" 7 "exit status after $signal"
done

# What is ignored stays so.
# shellcheck disable=SC2016 # for the other shell
expect 0 env --ignore-signal=TERM defpager run --size 1M -- sh -c '
	kill -TERM $PPID $$'

# --- as whom -----------------------------------------------------------------------

# An object of nobody's, for all that nobody starts, in a store that only root opens.
# shellcheck disable=SC2016 # for the other shell
expect 0 defpager run --size 1M --store own --user nobody -- sh -c '
	id -u
	head -c 8192 /dev/zero >"$DEFPAGER_PATH"
	sh -c "wc -c <$DEFPAGER_PATH"
	stat -L -c %u "$DEFPAGER_PATH"
	id -G'
equal "$output" $'65534\n8192\n65534\n65534' "what nobody finds"
expect 0 defpager run --size 1M --user nobody:0 -- id -g
equal "$output" 0 "the group that was asked for"
expect 0 defpager run --size 1M --user 4711:4712 -- id -G
equal "$output" 4712 "the group of a number without a name"
expect 2 defpager run --size 1M --user nobody -- sh -c ': >/dev/defpager'
says "Permission denied"

# It is nobody who has a limit.
expect 0 defpager store-limit --user 4K own
expect 1 defpager run --size 1M --store own --user nobody -- \
	sh -c 'dd if=/dev/zero of={} bs=4K count=2 conv=notrunc'
says "quota exceeded"

expect 125 defpager run --size 1M --user none -- true
says "--user none: there is no such user"
expect 125 defpager run --size 1M --user nobody:none -- true
says "there is no group none"
expect 125 defpager run --size 1M --user 4711 -- true
says "a group has to be named (4711:GROUP)"
chmod 666 /dev/defpager
expect 125 setpriv --reuid nobody --clear-groups \
	defpager run --size 1M --user root -- true
says "cannot become the user of --user: Operation not permitted; run this as root"
expect 0 setpriv --reuid nobody --clear-groups defpager run --size 1M -- true
chmod 660 /dev/defpager
