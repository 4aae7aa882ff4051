/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program for Mach's default pager needs around its calls.
 *
 * A port is a file descriptor: it is waited for with poll(2), passed by fork()
 * or over a socket, mapped with mmap(2).  The types have the names and order of
 * Mach's; natural_t and integer_t have 64 bits where pointers have, as Mach had
 * them on the Alpha, so that no counter and no size wraps.
 *
 * Whatever fails with other than KERN_SUCCESS also sets errno, which is more
 * precise.  Documentation/userspace-api/mach.rst has the whole table.
 */
#ifndef MACH_MACH_H
#define MACH_MACH_H

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned long natural_t;
typedef long integer_t;
typedef int boolean_t;

#ifndef TRUE
#define TRUE	1
#endif
#ifndef FALSE
#define FALSE	0
#endif

typedef int kern_return_t;

#define KERN_SUCCESS		0
#define KERN_INVALID_ADDRESS	1
#define KERN_PROTECTION_FAILURE	2
#define KERN_NO_SPACE		3
#define KERN_INVALID_ARGUMENT	4
#define KERN_FAILURE		5
#define KERN_RESOURCE_SHORTAGE	6
#define KERN_NO_ACCESS		8
#define KERN_ABORTED		14
#define KERN_INVALID_TASK	16
#define KERN_INVALID_HOST	22

typedef int mach_port_t;
typedef mach_port_t *mach_port_array_t;
typedef mach_port_t memory_object_t;
typedef natural_t mach_port_seqno_t;
typedef natural_t mach_msg_type_number_t;

/* Not 0, which is a descriptor as any other. */
#define MACH_PORT_NULL		((mach_port_t)-1)
#define MACH_PORT_VALID(port)	((port) >= 0)

/* These two stand for themselves: they are no descriptors. */
#define mach_task_self()	((mach_port_t)-2)
#define mach_host_self()	((mach_port_t)-3)

typedef natural_t vm_offset_t;
typedef natural_t vm_address_t;
typedef natural_t vm_size_t;
typedef unsigned long long memory_object_size_t;

typedef int vm_prot_t;

#define VM_PROT_NONE		0
#define VM_PROT_READ		1
#define VM_PROT_WRITE		2
#define VM_PROT_EXECUTE		4
#define VM_PROT_DEFAULT		(VM_PROT_READ | VM_PROT_WRITE)
#define VM_PROT_ALL		(VM_PROT_DEFAULT | VM_PROT_EXECUTE)

typedef unsigned int vm_inherit_t;

#define VM_INHERIT_SHARE	0U
#define VM_INHERIT_COPY		1U
#define VM_INHERIT_NONE		2U
#define VM_INHERIT_DEFAULT	VM_INHERIT_COPY

/*
 * The default pager's port: opens /dev/defpager.  The pager cannot be replaced,
 * so *default_manager has to be MACH_PORT_NULL; cluster_size is not used.
 */
kern_return_t host_default_memory_manager(mach_port_t host,
					  mach_port_t *default_manager,
					  vm_size_t cluster_size);

/*
 * Maps an object, or zero-filled memory for MACH_PORT_NULL, into this task.
 * Children share what is shared and get copies of copies: of an object that is
 * mapped itself (copy is FALSE), inheritance is VM_INHERIT_SHARE or _NONE, of a
 * copy, VM_INHERIT_COPY or _NONE.  mask may ask for no more than pages are
 * aligned to anyway, and max_protection is not enforced later.
 */
kern_return_t vm_map(mach_port_t target_task, vm_address_t *address,
		     vm_size_t size, vm_offset_t mask, boolean_t anywhere,
		     memory_object_t memory_object, vm_offset_t offset,
		     boolean_t copy, vm_prot_t cur_protection,
		     vm_prot_t max_protection, vm_inherit_t inheritance);

/* Takes back vm_map(), and memory that a call has handed out. */
kern_return_t vm_deallocate(mach_port_t target_task, vm_address_t address,
			    vm_size_t size);

/* Closes the descriptor. */
kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name);

#ifdef __cplusplus
}
#endif

#endif /* MACH_MACH_H */
