/* SPDX-License-Identifier: MIT */
/*
 * utf8: one character at a time, as RFC 3629 says: no overlong form, no surrogate, nothing past
 * U+10FFFF. Any thread.
 */
#ifndef TENANTGATE_BASE_UTF8_H
#define TENANTGATE_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_BAD	UINT32_MAX

/*
 * Returns how many bytes the first character of text has (at least 1; left must be > 0), and the
 * character in *point. A broken one is UTF8_BAD and has the longest prefix that could have begun a
 * character, which is what Unicode recommends to replace by one U+FFFD ("maximal subpart").
 */
size_t	utf8_next(const char *text, size_t left, uint32_t *point);

/* How many bytes of the text's beginning are surely ASCII, printable or one of \t \n \f \r: a
 * multiple of UTF8_BLOCK, looked at as one. What follows may be so too. */
#define UTF8_BLOCK	64
size_t	utf8_plain(const char *text, size_t left);

#endif
