#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The tool's commands for stores, segments and the pages of objects.

. ./test_common.sh

# --- stores --------------------------------------------------------------------

expect 0 defpager stores --json
equal "$(jq -r '.stores | length' <<<"$output")" 1 "stores"
equal "$(field stores '.name == "default"' priority)" 0 "priority of default"

expect 0 defpager store-create --priority -5 --cluster-size 64K --exclusive \
	--discard "an odd \"name\""
says 'backing store an odd "name" created'
filter='.name == "an odd \"name\""'
equal "$(field stores "$filter" priority)" -5 "priority"
equal "$(field stores "$filter" cluster_bytes)" 65536 "cluster size"
equal "$(field stores "$filter" exclusive)" true "exclusive"
equal "$(field stores "$filter" discard)" true "discard"
expect 0 defpager store-delete "an odd \"name\""
equal "$(field stores "$filter" id)" null "a store that was deleted"

expect 0 defpager store-create --checksum --encrypt fast
equal "$(field stores '.name == "fast"' options)" checksum,encrypt "options"
equal "$(field stores '.name == "default"' options)" null "no options"
expect 0 defpager store-delete fast
expect 0 defpager store-create fast
expect 1 defpager store-create fast
says "there is a backing store of that name already"
expect 1 defpager store-create a/b
says "cannot be the name of a backing store"
expect 1 defpager store-create "$(printf '%064d' 0)"
says "63 bytes"
expect 2 defpager store-create --priority 2147483648 x
says "whole number"
expect 2 defpager store-create --cluster-size 96K x
says "power of two"
expect 2 defpager store-create --cluster-size 4M x
expect 2 defpager store-create
says "wants one name"
expect 0 defpager store-create --priority -2147483648 low
equal "$(field stores '.name == "low"' priority)" -2147483648 "lowest priority"
expect 0 defpager store-delete low

expect 1 defpager store-delete default
says "cannot be deleted"
expect 1 defpager store-delete none
says "no backing store of that name"
expect 1 defpager store-delete --target none fast
says "none: there is no backing store of that name"
expect 1 defpager store-delete --target fast fast
says "the target must be another backing store"

# --- limits --------------------------------------------------------------------

expect 0 defpager store-limit fast
says "backing store fast: limit of an object none"
says "backing store fast: limit of a user none"
says_not "was"
expect 0 defpager store-limit --object 1M fast
says "limit of an object 1M, was none"
says "limit of a user none"
expect 0 defpager store-limit --user 6145K --object 2M fast
says "limit of an object 2M, was 1M"
says "limit of a user 6M, was none"
filter='.name == "fast"'
equal "$(field stores "$filter" object_limit_bytes)" $((2 << 20)) "object limit"
equal "$(field stores "$filter" user_limit_bytes)" $((6 << 20)) "user limit"
expect 0 defpager store-limit --user none fast
says "limit of an object 2M"
says "limit of a user none, was 6M"
expect 0 defpager store-limit --object none fast
equal "$(field stores "$filter" object_limit_bytes)" 0 "no object limit"
equal "$(field stores "$filter" user_limit_bytes)" 0 "no user limit"
expect 2 defpager store-limit --user 4095 fast
says "--user 4095: must be a size from a page, 4096, or \"none\""
expect 2 defpager store-limit --object all fast
says "--object all: must be a size"
expect 2 defpager store-limit --user 1M
says "wants one name"
expect 1 defpager store-limit none
says "no backing store of that name"

# --- a command whose object has no space ---------------------------------------

expect 0 defpager store-create --exclusive own
expect 0 defpager run --size 1M -- true
says '"defpager segment-add" adds one'
expect 0 defpager run --size 1M --store own -- true
says '"defpager segment-add --store own" adds one'
make_loop 1M
expect 0 defpager segment-add --store own "$device"
expect 0 defpager run --size 1M --store own -- true
equal "$output" "" "what is said when there is space"
expect 0 defpager run --size 1M -- true
says '"defpager segment-add" adds one'
expect 0 defpager store-delete own
# shellcheck disable=SC2016 # for the other shell
expect 135 defpager run --size 1M -- sh -c 'kill -BUS $$'
says "was ended by SIGBUS"

# --- segments ------------------------------------------------------------------

make_loop 64M
first=$device
make_loop 64M
second=$device
expect 0 defpager segment-add "$first"
says "added to backing store default"
expect 0 defpager segment-add --store fast --discard "$second"
says "added to backing store fast"
expect 1 defpager segment-add --store none "$second"
says "no backing store of that name"

# All of them, or those of one store.
expect 0 defpager segments --noheadings
equal "$(wc -l <<<"$output")" 2 "segments of all stores"
expect 0 defpager segments --noheadings --store fast
equal "$(wc -l <<<"$output")" 1 "segments of one store"
says "$second"
id=$(field segments ".device == \"$second\"" id)
equal "$(field segments ".id == $id" backing_store)" fast "the segment's store"
equal "$(field segments ".id == $id" free_bytes)" $((64 << 20)) "free bytes"
equal "$(field segments ".id == $id" state)" active "state"
equal "$((64 << 20))" "$(field segments ".id == $id" discarded_bytes)" \
	"discarded bytes"

expect 1 defpager segment-remove 999
says "there is no such segment"
expect 1 defpager segment-remove /dev/null
says "is not a block device"
expect 1 defpager segment-remove "$scratch/none"
says "no such device"
expect 2 defpager segment-remove
says "wants one segment"
expect 0 defpager segment-remove "$second"
says "segment $id removed from backing store fast; 0B moved"
equal "$(field segments ".id == $id" id)" null "a segment that was removed"

# Of two on one device, neither is meant.
expect 0 defpager segment-add --count 1000 "$second"
expect 0 defpager segment-add --offset 1000 "$second"
expect 1 defpager segment-remove "$second"
says "there are 2 segments on it"
id=$(field segments ".device == \"$second\"" id)
expect 0 defpager segment-remove "$id"
expect 0 defpager segment-remove "$second"

# --- what objects are confined to ------------------------------------------------

expect 0 defpager segment-add --store fast "$second"
run_object 8M --store fast --name confined
equal "$(field stores '.name == "fast"' confined_bytes)" $((8 << 20)) \
	"confined bytes"
expect 0 defpager store-limit --user 8M fast
# shellcheck disable=SC2016 # for the other shell
expect 1 defpager run --size 1M --store fast -- \
	sh -c 'dd if=/dev/urandom of="$1" bs=4K count=1 conv=notrunc' sh '{}'
says "quota exceeded"
expect 1 defpager segment-remove "$second"
says "objects are confined"
expect 1 defpager store-delete fast
says "objects are confined"
expect 0 defpager segment-remove --target default "$second"
equal "$(field objects '.name == "confined"' backing_store)" default \
	"the store that the object has moved to"
expect 0 defpager store-delete fast

# --- pages ---------------------------------------------------------------------

id=$(field objects '.name == "confined"' id)
expect 0 defpager pages --json "$id"
equal "$(jq '[.pages[].length] | add' <<<"$output")" $((8 << 20)) "pages listed"
equal "$(jq '.pages[0].offset' <<<"$output")" 0 "offset of the first"
equal "$(jq '[.pages[] | .resident or .stored] | all' <<<"$output")" true \
	"pages that are somewhere"
expect 1 defpager pages 999
says "no process"
expect 1 defpager pages "$scratch"
says "is no memory object"
expect 2 defpager pages
# shellcheck disable=SC2016
expect 0 defpager run --size 1M -- sh -c '
	head -c 4096 /dev/zero >"$DEFPAGER_PATH"
	defpager pages --noheadings "$DEFPAGER_PATH"'
says "4K"
equal "$(wc -l <<<"$output")" 1 "ranges of one page"

end_object

# --- nowhere to go for what is there ---------------------------------------------

run_object 8M --name unconfined
expect 1 defpager segment-remove "$first"
says "does not fit elsewhere"
end_object
holds_nothing() {
	[[ $(field stores '.name == "default"' reserved_bytes) == 0 ]]
}
wait_until holds_nothing
expect 0 defpager segment-remove "$first"

# --- info ----------------------------------------------------------------------

expect 0 defpager info --json
equal "$(jq '.info[0] | .nr_stores, has("pageout_calls")' <<<"$output")" \
	$'1\ntrue' "info"
expect 2 defpager info extra
says "takes no argument"
