// SPDX-License-Identifier: GPL-2.0-only
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "defpager.h"
#include "utf8.h"

static const char replacement[] = "\xEF\xBF\xBD";	/* U+FFFD */

/* The bytes of a character in the thread's locale, 0 if there is none. */
static size_t character_length(const char *text)
{
	mbstate_t state = { };
	size_t length = mbrlen(text, strlen(text), &state);

	return length > strlen(text) ? 0 : length;
}

char *utf8_make_valid(const char *text)
{
	/*
	 * In this locale, and not perhaps in the user's, all of it is valid.  Where
	 * it is missing, so is what is not ASCII.
	 */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL) ?:
			newlocale(LC_CTYPE_MASK, "C", NULL);
	locale_t before = uselocale(utf8);
	char *valid = calloc(strlen(text) + 1, strlen(replacement));
	char *to = valid;

	if (!utf8 || !valid)
		die_no_memory();
	while (*text) {
		size_t length = character_length(text);

		to = mempcpy(to, length ? text : replacement,
			     length ? length : strlen(replacement));
		text += length ? length : 1;
	}
	uselocale(before);
	freelocale(utf8);
	return valid;
}
