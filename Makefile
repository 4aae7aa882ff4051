# SPDX-License-Identifier: GPL-2.0-only
# defpager: everything is built into build/, "make help" lists the targets.

KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
BUILD	:= $(CURDIR)/build
MODULE	:= $(BUILD)/$(KVER)
PREFIX	?= /usr/local
# The module goes where the rest goes.
INSTALL_MOD_PATH ?= $(DESTDIR)

DKMS	?= dkms
DKMS_SOURCES ?= /usr/src
VERSION	= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

comma	:= ,
# "make check KERNEL=6.1,debug TESTS=paging_test", "make bench KERNEL=6.12"
options	= $(foreach item,$(subst $(comma), ,$(2)),$(1) $(item))

.PHONY: all module tools selftests packages demo check check-long mutate \
	bench lint install dkms deb uninstall clean help

all: module tools selftests	## build module, library, tool and tests

# Kbuild writes beside its sources.  Links to them in a directory per kernel
# keep the kernels apart, and the checkout clean.
module:		## build the module for KVER= or KDIR= (the running kernel)
	mkdir -p $(MODULE)
	cp -rsf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/uapi $(MODULE)/
	$(MAKE) -C $(KDIR) M=$(MODULE) modules

tools:		## build the library and the tool
	$(MAKE) -C tools OUTPUT=$(BUILD)

# After the tools, whose library a test is linked with.
selftests: tools	## build the tests
	$(MAKE) -C selftests OUTPUT=$(BUILD)/selftests

packages:	## install the Debian packages that building here needs
	bash -c '. tools/vm/lib.sh; need_packages "$$@"' make \
		$(shell $(MAKE) -C tools -s --no-print-directory packages) \
		$(shell $(MAKE) -C selftests -s --no-print-directory packages)

demo: packages	## show in a guest what it does, from nothing; 5 minutes
	tools/demo/demo

check: packages	## run all tests in guests; KERNEL=6.1, TESTS=NAME choose
	selftests/check $(call options,--kernel,$(KERNEL)) \
		$(call options,--tests,$(TESTS))

check-long: packages	## longer than fits in check, on debug, too; SECONDS=, KERNEL=
	selftests/check --long $(or $(SECONDS),3600) \
		$(call options,--kernel,$(or $(KERNEL),6.1 6.12 debug)) \
		$(call options,--tests,$(TESTS))

mutate: packages	## break the module on purpose: do tests notice? NAME= chooses
	selftests/mutate $(subst $(comma), ,$(NAME))

bench: packages	## compare with memfd and swap on the model machine; KERNEL=
	tools/bench/bench $(call options,--kernel,$(KERNEL))

lint: packages	## check style and run the static checkers
	tools/lint/lint

# Without a System.map, which Debian's headers lack, the kernel's own build leaves
# out depmod, without which modprobe does not find the module.
install: module tools	## install module, library, tool and man pages; PREFIX=
	$(MAKE) -C $(KDIR) M=$(MODULE) INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) \
		modules_install
	PATH=$$PATH:/sbin; depmod $(addprefix -b ,$(INSTALL_MOD_PATH)) \
		$$(modinfo -F vermagic $(MODULE)/defpager.ko | cut -d ' ' -f 1)
	$(MAKE) -C tools OUTPUT=$(BUILD) PREFIX=$(PREFIX) install
	$(if $(DESTDIR),,PATH=$$PATH:/sbin; ldconfig)

# A copy of the sources is what it is built from then.
dkms:		## have DKMS build and install the module, for each new kernel, too
	$(DKMS) status defpager/$(VERSION) | grep -q . || exit 0; \
		$(DKMS) remove defpager/$(VERSION) --all
	rm -rf $(DKMS_SOURCES)/defpager-$(VERSION)
	mkdir -p $(DKMS_SOURCES)/defpager-$(VERSION)
	cp -r Kbuild Makefile COPYING dkms.conf module uapi \
		$(DKMS_SOURCES)/defpager-$(VERSION)
	$(DKMS) add defpager/$(VERSION)
	$(DKMS) install defpager/$(VERSION) -k $(KVER)

# From a copy, because packages are put beside the sources that they are made of.
deb:		## build Debian packages in build/deb/: tool, module for DKMS, library
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/defpager
	cp -r Kbuild Makefile COPYING dkms.conf debian module uapi tools \
		$(BUILD)/deb/defpager
	cd $(BUILD)/deb/defpager && dpkg-buildpackage -b -us -uc

# Where modules_install puts it depends on the kernel, and how it is packed.
uninstall:	## remove what install has installed, for KVER= and PREFIX=
	rm -f $(INSTALL_MOD_PATH)/lib/modules/$(KVER)/extra/defpager.ko* \
		$(INSTALL_MOD_PATH)/lib/modules/$(KVER)/updates/defpager.ko*
	PATH=$$PATH:/sbin; depmod $(addprefix -b ,$(INSTALL_MOD_PATH)) $(KVER)
	$(MAKE) -C tools PREFIX=$(PREFIX) uninstall
	$(if $(DESTDIR),,PATH=$$PATH:/sbin; ldconfig)

clean:		## remove everything that was built
	rm -rf $(BUILD)

help:		## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12
