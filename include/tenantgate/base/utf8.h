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
 * Bytes used by the first character of text (at least 1; left must be > 0), the character in
 * *point. A broken one is UTF8_BAD and uses the longest prefix that could have begun a character,
 * so that every broken run counts as Unicode's own recommendation has it.
 */
size_t	utf8_next(const char *text, size_t left, uint32_t *point);

#endif
