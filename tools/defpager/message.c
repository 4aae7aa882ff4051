// SPDX-License-Identifier: GPL-2.0-only
/* Messages for people, on stderr. */
#include <stdarg.h>
#include <stdlib.h>

#include "defpager.h"

void complain(const char *format, ...)
{
	va_list args;

	/* In the order of events, also where both go to the same file. */
	fflush(stdout);
	va_start(args, format);
	fputs("defpager: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

void die_no_memory(void)
{
	complain("out of memory");
	exit(STATUS_FAILED);
}
