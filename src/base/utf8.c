/* SPDX-License-Identifier: MIT */
/*
 * utf8.c: a strict decoder of one character.
 */
#include "tenantgate/base/utf8.h"

/* What the first byte promises: how many follow, and the range of the very next one. */
struct lead {
	unsigned follow;
	unsigned low;
	unsigned high;
};

/* The narrowed ranges refuse overlong forms (E0, F0), surrogates (ED) and past U+10FFFF (F4). */
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
