// SPDX-License-Identifier: GPL-2.0-only
/* Mach's results, and the calls of Mach around those to the pager. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib_mach.h"

/* What is not listed is KERN_FAILURE: the pager, or Linux, cannot do it. */
static const struct {
	int error;
	kern_return_t result;
} results[] = {
	{ EINVAL, KERN_INVALID_ARGUMENT },
	/* Ports of another kind, dead ones, and what is none. */
	{ EBADF, KERN_INVALID_ARGUMENT },
	{ ENOTTY, KERN_INVALID_ARGUMENT },
	{ ENOTBLK, KERN_INVALID_ARGUMENT },
	{ ENODEV, KERN_INVALID_ARGUMENT },
	{ ENXIO, KERN_INVALID_ARGUMENT },
	{ ENOMEM, KERN_RESOURCE_SHORTAGE },
	{ ENOSPC, KERN_RESOURCE_SHORTAGE },
	{ EMFILE, KERN_RESOURCE_SHORTAGE },
	{ ENFILE, KERN_RESOURCE_SHORTAGE },
	{ EPERM, KERN_NO_ACCESS },
	{ EACCES, KERN_NO_ACCESS },
	{ EROFS, KERN_NO_ACCESS },
	{ EINTR, KERN_ABORTED },
	{ EFAULT, KERN_INVALID_ADDRESS },
	{ EEXIST, KERN_NO_SPACE },
	{ ESRCH, KERN_INVALID_TASK },
	{ EHOSTUNREACH, KERN_INVALID_HOST },
};

kern_return_t lib_mach_result(int ret)
{
	if (ret >= 0)
		return KERN_SUCCESS;
	errno = -ret;
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (results[i].error == -ret)
			return results[i].result;
	return KERN_FAILURE;
}

kern_return_t lib_mach_port(int ret, mach_port_t *port)
{
	if (ret >= 0)
		*port = ret;
	return lib_mach_result(ret);
}

LIBEXPORT kern_return_t
host_default_memory_manager(mach_port_t host, mach_port_t *default_manager,
			    vm_size_t cluster_size)
{
	(void)cluster_size;
	if (host != mach_host_self())
		return lib_mach_result(-EHOSTUNREACH);
	if (*default_manager != MACH_PORT_NULL)
		return lib_mach_result(-EOPNOTSUPP);
	return lib_mach_port(libdefpager_open(), default_manager);
}

/* Linux inherits by the kind of the mapping. */
static int map_flags(memory_object_t object, boolean_t copy,
		     vm_inherit_t inheritance)
{
	if (!MACH_PORT_VALID(object))
		return MAP_ANONYMOUS | (inheritance == VM_INHERIT_SHARE
						? MAP_SHARED : MAP_PRIVATE);
	if (copy)
		return inheritance == VM_INHERIT_SHARE ? -EINVAL : MAP_PRIVATE;
	return inheritance == VM_INHERIT_COPY ? -EINVAL : MAP_SHARED;
}

LIBEXPORT kern_return_t
vm_map(mach_port_t target_task, vm_address_t *address, vm_size_t size,
	vm_offset_t mask, boolean_t anywhere, memory_object_t memory_object,
	vm_offset_t offset, boolean_t copy, vm_prot_t cur_protection,
	vm_prot_t max_protection, vm_inherit_t inheritance)
{
	int flags = map_flags(memory_object, copy, inheritance);
	vm_address_t page_mask = sysconf(_SC_PAGESIZE) - 1;
	void *memory;

	if (target_task != mach_task_self())
		return lib_mach_result(-ESRCH);
	if (flags < 0 || mask & ~page_mask || inheritance > VM_INHERIT_NONE ||
	    cur_protection & ~max_protection)
		return lib_mach_result(-EINVAL);
	/* VM_PROT_* are PROT_*. */
	memory = mmap((void *)(*address & ~page_mask), size, cur_protection,
		      flags | (anywhere ? 0 : MAP_FIXED_NOREPLACE),
		      memory_object, offset);
	if (memory == MAP_FAILED)
		return lib_mach_result(-errno);
	if (inheritance == VM_INHERIT_NONE)
		madvise(memory, size, MADV_DONTFORK);
	*address = (vm_address_t)memory;
	return KERN_SUCCESS;
}

LIBEXPORT kern_return_t vm_deallocate(mach_port_t target_task,
				      vm_address_t address, vm_size_t size)
{
	if (target_task != mach_task_self())
		return lib_mach_result(-ESRCH);
	/* Of nothing, as when an array is empty. */
	if (!size)
		return KERN_SUCCESS;
	return lib_mach_result(munmap((void *)address, size) ? -errno : 0);
}

LIBEXPORT kern_return_t mach_port_deallocate(mach_port_t task,
					     mach_port_t name)
{
	if (task != mach_task_self())
		return lib_mach_result(-ESRCH);
	return lib_mach_result(close(name) ? -errno : 0);
}
