# SPDX-License-Identifier: GPL-2.0-only
# defpager: everything is built into build/, "make help" lists the targets.

KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
BUILD	:= $(CURDIR)/build
MODULE	:= $(BUILD)/$(KVER)

.PHONY: all module tools selftests help clean

all: module tools selftests	## build module, library, tool and tests

# Kbuild writes beside its sources.  Links to them in a directory per kernel
# keep the kernels apart, and the checkout clean.
module:			## build the module for KVER= (or KDIR=)
	mkdir -p $(MODULE)
	cp -rsf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/uapi $(MODULE)/
	$(MAKE) -C $(KDIR) M=$(MODULE) modules

tools:			## build library, tool and man pages into build/
	$(MAKE) -C tools OUTPUT=$(BUILD)

selftests:		## build the tests into build/selftests
	$(MAKE) -C selftests OUTPUT=$(BUILD)/selftests

help:			## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

clean:			## remove build/
	rm -rf $(BUILD)
