#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tool's "apply": what a file describes comes to be, once.

. ./test_common.sh

conf=$scratch/defpager.conf

write_conf() {
	cat >"$conf"
}

state() {
	defpager stores --json
	defpager segments --json
}

make_loop 64M
first=$device
make_loop 64M
second=$device
ln -s "$second" "$scratch/by-name"

# --- once, and no more -----------------------------------------------------------

write_conf <<END
# Two stores, of which one is there already.
[store fast]
priority = 10
cluster-size = 64K
	exclusive=yes
checksum = yes
encrypt = no

[store default]

[segment $first]
; all of it
[segment $scratch/by-name]
store = fast
record-size = 1M
offset = 8
count = 16
discard = yes
END

before=$(state)
expect 0 defpager apply --dry-run "$conf"
says "would create backing store fast"
says "would add 64M of $first to backing store default"
says "would add 16M of $scratch/by-name to backing store fast"
equal "$(state)" "$before" "state after a dry run"

expect 0 defpager apply "$conf"
says "backing store fast created"
says "64M of $first added to backing store default"
says "16M of $scratch/by-name added to backing store fast"
filter='.name == "fast"'
equal "$(field stores "$filter" priority)" 10 "priority"
equal "$(field stores "$filter" cluster_bytes)" 65536 "cluster size"
equal "$(field stores "$filter" exclusive)" true "exclusive"
equal "$(field stores "$filter" options)" exclusive,checksum "options"
filter=".device == \"$second\""
equal "$(field segments "$filter" offset_bytes)" $((8 << 20)) "offset"
equal "$(field segments "$filter" length_bytes)" $((16 << 20)) "length"
equal "$(field segments "$filter" backing_store)" fast "store of the segment"

before=$(state)
expect 0 defpager apply "$conf"
equal "$output" "" "output of the second time"
equal "$(state)" "$before" "state after the second time"

# By its other name, and in other records, it is the same.
write_conf <<END
[store fast]
exclusive = yes
checksum = yes
cluster-size = 65536
priority = 10
[segment $second]
store = fast
record-size = 512
offset = 16384
count = 32768
END
expect 0 defpager apply "$conf"
equal "$output" "" "output for the other name"

# What the file does not have is left alone.
write_conf </dev/null
expect 0 defpager apply "$conf"
equal "$(state)" "$before" "state after an empty file"

# Limits are set whenever they are others.
write_conf <<END
[store fast]
priority = 10
cluster-size = 64K
exclusive = yes
checksum = yes
object-limit = 4M
[store default]
user-limit = 32M
object-limit = none
[store limited]
user-limit = 1M
END
expect 0 defpager apply --dry-run "$conf"
says "would limit what backing store fast gives"
says "would limit what backing store default gives"
says "would create backing store limited"
says "would limit what backing store limited gives"
equal "$(state)" "$before" "state after a dry run of limits"
expect 0 defpager apply "$conf"
says "backing store fast: limit of an object 4M, was none"
says "backing store default: limit of a user 32M, was none"
says "backing store limited created"
says "backing store limited: limit of a user 1M, was none"
equal "$(field stores '.name == "fast"' object_limit_bytes)" $((4 << 20)) \
	"the object limit of a file"
expect 0 defpager apply "$conf"
equal "$output" "" "output for the same limits"
expect 0 defpager store-limit --user 16M --object 8M default
expect 0 defpager apply "$conf"
says "backing store default: limit of an object none, was 8M"
says "backing store default: limit of a user 32M, was 16M"
expect 0 defpager store-delete limited
expect 0 defpager store-limit --user none default
expect 0 defpager store-limit --object none fast

# A part of it is missing again, and only that is done.
expect 0 defpager segment-remove "$first"
write_conf <<END
[store fast]
priority = 10
cluster-size = 64K
exclusive = yes
checksum = yes
[segment $second]
store = fast
record-size = 1M
offset = 8
count = 16
[segment $first]
END
expect 0 defpager apply "$conf"
equal "$(wc -l <<<"$output")" 1 "lines of output"
says "of $first added"

# --- what cannot be --------------------------------------------------------------

# The rest is done all the same.
make_loop 64M
third=$device
write_conf <<END
[store fast]
priority = 11
[store more]
[segment $first]
count = 8
[segment $second]
record-size = 1M
offset = 8
count = 16
[segment $third]
END
expect 1 defpager apply "$conf"
says "$conf:1: fast: the store exists with other settings"
says_not "not added"
says "$conf:4: $first: segment "
says "has another range of it"
says "$conf:6: $second: segment "
says "of backing store fast is it, in another store"
says "backing store more created"
says "of $third added to backing store default"

# Nothing goes to a store that is not what the file wants it to be.
make_loop 64M
write_conf <<END
[store more]
encrypt = yes
[segment $device]
store = more
END
expect 1 defpager apply "$conf"
says "$conf:1: more: the store exists with other settings"
says "$conf:3: $device: not added, because backing store more is not as the file"
equal "$(field segments ".device == \"$device\"" id)" null "what is not encrypted"

# A signature is found where it is, and on the device as a whole.
make_loop 64M
mkswap "$device" >/dev/null
write_conf <<END
[segment $device]
END
expect 1 defpager apply --dry-run "$conf"
says "$conf:1: $device: the device carries: swap signature"
says '"force = yes"'
expect 1 defpager apply "$conf"
says "the device carries"
equal "$(field segments ".device == \"$device\"" id)" null "what carries data"
echo "force = yes" >>"$conf"
expect 0 defpager apply "$conf"
says "of $device added"

# --- mistakes --------------------------------------------------------------------

# All are told, and nothing is done.
write_conf <<END
priority = 3
[store never]
priority = ten
cluster-size = 3K
colour = blue
exclusive = maybe
priority = 4
user-limit = 1K
[store never]
[store]
[segment /dev/none]
offset = 1x
record-size = 2G
store = nowhere
[pool x]
size = 3
[store unfinished
nonsense
END
before=$(state)
expect 1 defpager apply "$scratch/none.conf"
says "describe stores and segments there"
expect 1 defpager apply "$conf"
says "$conf:1: priority: a section has to come first"
says "$conf:3: priority ten: must be a whole number"
says "$conf:4: cluster-size 3K: must be a power of two"
says "$conf:5: colour: not a setting of a store"
says "$conf:6: exclusive maybe: must be \"yes\" or \"no\""
says "$conf:7: priority: is set twice"
says "$conf:8: user-limit 1K: must be a size from a page"
says "$conf:9: never: there is a section of this store before"
says "$conf:10: store: wants a name"
says "$conf:11: nowhere: the segment's store has no section"
says "$conf:12: offset 1x: must be a number of records"
says "$conf:13: record-size 2G: must be a number of bytes from 1 to 1G"
says "$conf:15: pool: not a section"
says_not "$conf:16:"
says "$conf:17: [store unfinished: the \"]\" is missing"
says "$conf:18: nonsense: not a section, setting or comment"
equal "$(state)" "$before" "state after mistakes"

write_conf <<END
[segment $scratch/none]
[segment $scratch]
END
expect 1 defpager apply "$conf"
says "$conf:1: $scratch/none: no such device"
says "$conf:2: $scratch: is not a block device"

expect 1 defpager apply "$scratch/none"
says "$scratch/none: No such file or directory"
expect 1 defpager apply
says "/etc/defpager.conf"
expect 2 defpager apply "$conf" "$conf"
expect 2 defpager apply --dryrun
