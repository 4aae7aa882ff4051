// SPDX-License-Identifier: GPL-2.0-only
/* Numbers on the command line. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "defpager.h"

/* As strtoull(), which also takes blanks and makes "-1" a huge number. */
static bool parse_digits(const char *text, uint64_t *number, char **end)
{
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	/* 0x is accepted, but a leading zero does not make it octal. */
	*number = strtoull(text, end, strncmp(text, "0x", 2) ? 10 : 16);
	return errno == 0;
}

bool parse_number(const char *text, uint64_t *number)
{
	char *end;

	return parse_digits(text, number, &end) && !*end;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	uint64_t number;
	char *end;

	if (!parse_digits(text, &number, &end))
		return false;
	if (!*end) {
		*bytes = number;
		return true;
	}
	suffix = strchr(suffixes, toupper((unsigned char)*end));
	if (!suffix || end[1])
		return false;
	return !__builtin_mul_overflow(number,
				       1ULL << (10 * (suffix - suffixes + 1)),
				       bytes);
}
