/* SPDX-License-Identifier: MIT */
/*
 * b64.c: base64 with one table of letters each way of writing 62 and 63.
 */
#include "tenantgate/base/b64.h"

#include <stdint.h>

static const char url_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool
b64url_put(struct buf *out, struct slice in)
{
	uint32_t bits = 0;
	unsigned held = 0; /* bits not written yet */
	char *text = in.len > SIZE_MAX / 8 ? NULL : buf_extend(out, (in.len * 8 + 5) / 6);
	size_t i;

	if (text == NULL) {
		out->failed = true;
		return false;
	}
	for (i = 0; i < in.len; i++) {
		bits = bits << 8 | (uint8_t)in.p[i];
		for (held += 8; held >= 6; held -= 6)
			*text++ = url_letters[bits >> (held - 6) & 0x3f];
	}
	if (held > 0)
		*text = url_letters[bits << (6 - held) & 0x3f];
	return true;
}

/* The six bits of a letter, or -1. */
static int
b64_value(char c, char c62, char c63)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == c62 ? 62 : c == c63 ? 63 : -1;
}

/* text: letters only, no padding. */
static bool
b64_decode(struct buf *out, struct slice text, char c62, char c63)
{
	size_t before = out->len, i;
	uint32_t bits = 0;
	unsigned held = 0;
	char *bytes;

	if (text.len % 4 == 1 || text.len > SIZE_MAX / 6)
		return false;
	bytes = buf_extend(out, text.len * 6 / 8);
	if (bytes == NULL)
		return false;
	for (i = 0; i < text.len; i++) {
		int value = b64_value(text.p[i], c62, c63);

		if (value < 0)
			break;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			*bytes++ = (char)(bits >> held);
		}
	}
	/* Left-over bits must be zero, or two texts would mean the same bytes. */
	if (i == text.len && (bits & ((1u << held) - 1)) == 0)
		return true;
	out->len = before;
	out->data[before] = '\0';
	return false;
}

bool
b64url_get(struct buf *out, struct slice text)
{
	return b64_decode(out, text, '-', '_');
}

bool
b64_get(struct buf *out, struct slice text)
{
	if (text.len % 4 != 0)
		return false;
	if (text.len > 0 && text.p[text.len - 1] == '=')
		text.len--;
	if (text.len % 4 == 3 && text.p[text.len - 1] == '=')
		text.len--;
	return b64_decode(out, text, '+', '/');
}
