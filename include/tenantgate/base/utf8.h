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

#endif
