/* SPDX-License-Identifier: MIT */
/*
 * utf8.c: a strict decoder of one character, after table 3-7 ("Well-Formed UTF-8 Byte Sequences")
 * of the Unicode standard, which is the grammar of RFC 3629 section 4.
 */
#include "tenantgate/base/utf8.h"

#include <stdbool.h>

/* What the first byte says: how many follow, and the range of the one right after it. */
struct lead {
	unsigned follow; /* 0: no character begins with it */
	unsigned low;
	unsigned high;
};

/* The narrowed ranges refuse overlong forms (E0, F0), surrogates (ED) and what is past U+10FFFF
 * (F4). C0 and C1 could only begin overlong forms. An overlong form is another spelling of a
 * character, by which it passes a check for the usual one. */
static struct lead
utf8_lead(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return (struct lead){ 0, 0, 0 };
	if (c < 0xe0)
		return (struct lead){ 1, 0x80, 0xbf };
	if (c < 0xf0)
		return (struct lead){ 2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf };
	return (struct lead){ 3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf };
}

/* A broken sequence ends before the byte that breaks it, which may begin the next character. */
size_t
utf8_next(const char *text, size_t left, uint32_t *point)
{
	const unsigned char *p = (const unsigned char *)text;
	struct lead lead;
	uint32_t value;
	size_t i;

	if (p[0] < 0x80) {
		*point = p[0];
		return 1;
	}
	*point = UTF8_BAD;
	lead = utf8_lead(p[0]);
	if (lead.follow == 0)
		return 1;
	value = p[0] & (0x3fu >> lead.follow);
	for (i = 1; i <= lead.follow; i++) {
		if (i >= left || p[i] < lead.low || p[i] > lead.high)
			return i;
		value = value << 6 | (p[i] & 0x3fu);
		lead.low = 0x80;
		lead.high = 0xbf;
	}
	*point = value;
	return i;
}

/* No branch depends on a byte, so the compiler takes many at a time. */
static bool
block_is_plain(const unsigned char *p)
{
	unsigned char odd = 0;

	for (unsigned i = 0; i < UTF8_BLOCK; i++)
		odd |= (unsigned char)(p[i] - 0x20) >= 0x5f && p[i] != '\t' && p[i] != '\n' &&
		    p[i] != '\f' && p[i] != '\r';
	return odd == 0;
}

size_t
utf8_plain(const char *text, size_t left)
{
	size_t n = 0;

	while (left - n >= UTF8_BLOCK && block_is_plain((const unsigned char *)text + n))
		n += UTF8_BLOCK;
	return n;
}
