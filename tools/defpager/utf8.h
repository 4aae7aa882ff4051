/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEFPAGER_UTF8_H
#define DEFPAGER_UTF8_H

/*
 * An allocated copy of the text in which bytes that are not UTF-8 are replaced.
 * JSON must be UTF-8, while anybody may give an object any name.
 */
char *utf8_make_valid(const char *text);

#endif /* DEFPAGER_UTF8_H */
