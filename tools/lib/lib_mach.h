/* SPDX-License-Identifier: GPL-2.0-only */
/* What the calls with Mach's names share. */
#ifndef LIB_MACH_H
#define LIB_MACH_H

#include <mach/default_pager_object.h>

#include "lib_private.h"

/* From the library's own result; sets errno if it is an error. */
kern_return_t lib_mach_result(int ret);

/* The same, for a function that returns a descriptor: sets *port to it. */
kern_return_t lib_mach_port(int ret, mach_port_t *port);

#endif /* LIB_MACH_H */
