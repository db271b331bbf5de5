/* SPDX-License-Identifier: MIT */
/*
 * b64.c: base64, four letters at a time. A vector of 1536 floats is eight kilobytes of text: so
 * reading goes by a table for each of a group's four places; a group is four loads and three ors.
 */
#include "tenantgate/base/b64.h"

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a group's first byte is the lowest");

#define B64_FIRST_62 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char std_letters[] = B64_FIRST_62 "+/";
static const char url_letters[] = B64_FIRST_62 "-_";

/* Letters, without padding, that n bytes are written in. */
static size_t
b64_letters(size_t n)
{
	return n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1);
}

/* text: room for b64_letters(n). */
static void
b64_encode(const char *letters, const uint8_t *in, size_t n, char *text)
{
	for (; n >= 3; n -= 3, in += 3) {
		uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

		*text++ = letters[group >> 18];
		*text++ = letters[group >> 12 & 0x3f];
		*text++ = letters[group >> 6 & 0x3f];
		*text++ = letters[group & 0x3f];
	}
	if (n > 0) {
		uint32_t group = (uint32_t)in[0] << 16 | (n == 2 ? (uint32_t)in[1] << 8 : 0);

		*text++ = letters[group >> 18];
		*text++ = letters[group >> 12 & 0x3f];
		if (n == 2)
			*text = letters[group >> 6 & 0x3f];
	}
}

bool
b64url_put(struct buf *out, struct slice in)
{
	char *text = in.len > SIZE_MAX / 8 ? NULL : buf_extend(out, b64_letters(in.len));

	if (text == NULL) {
		out->failed = true;
		return false;
	}
	b64_encode(url_letters, (const uint8_t *)in.p, in.len, text);
	return true;
}

bool
b64_put(struct buf *out, struct slice in)
{
	size_t padded = in.len > SIZE_MAX / 8 ? SIZE_MAX : (in.len + 2) / 3 * 4;
	char *text = buf_extend(out, padded);

	if (text == NULL)
		return false;
	memset(text + b64_letters(in.len), '=', padded - b64_letters(in.len));
	b64_encode(std_letters, (const uint8_t *)in.p, in.len, text);
	return true;
}

/* What each letter means at each of the four places of a group: its six bits where they lie in the
 * group's three bytes, the first byte lowest. */
#define B64_NONE 0x80808080u /* no letter: the highest bit is no letter's */

struct b64_table {
	uint32_t at[4][256];
};

static void
b64_table_init(struct b64_table *t, const char *letters)
{
	uint32_t i;

	memset(t, B64_NONE >> 24, sizeof(*t));
	for (i = 0; i < 64; i++) {
		uint8_t letter = (uint8_t)letters[i];

		t->at[0][letter] = i << 2;
		t->at[1][letter] = i >> 4 | (i & 0xf) << 12;
		t->at[2][letter] = (i >> 2) << 8 | (i & 3) << 22;
		t->at[3][letter] = i << 16;
	}
}

static uint32_t
b64_group(const struct b64_table *t, const char *p)
{
	return t->at[0][(uint8_t)p[0]] | t->at[1][(uint8_t)p[1]] | t->at[2][(uint8_t)p[2]] |
	    t->at[3][(uint8_t)p[3]];
}

/* text: b64_letters(bytes) characters. False when one is no letter. spare: the bits of the last
 * letter that belong to no byte. */
static bool
b64_decode(const char *letters, const char *text, uint8_t *out, size_t bytes, uint32_t *spare)
{
	struct b64_table t;
	char last[4];
	uint32_t group, all = 0;

	b64_table_init(&t, letters);
	/* Four bytes are written for three; the next group's first writes over the fourth. */
	for (; bytes > 3; bytes -= 3, out += 3, text += 4) {
		group = b64_group(&t, text);
		memcpy(out, &group, 4);
		all |= group;
	}
	*spare = 0;
	if (bytes > 0) {
		memset(last, letters[0], sizeof(last)); /* zero bits */
		memcpy(last, text, bytes + 1);
		group = b64_group(&t, last);
		memcpy(out, &group, bytes);
		*spare = group >> 8 * bytes;
		all |= group;
	}
	return all >> 31 == 0;
}

/* text: letters only, no padding. */
static bool
b64_append(struct buf *out, struct slice text, const char *letters)
{
	size_t before = out->len;
	uint32_t spare;
	char *bytes;

	if (text.len % 4 == 1 || text.len > SIZE_MAX / 6)
		return false;
	bytes = buf_extend(out, text.len * 6 / 8);
	if (bytes == NULL)
		return false;
	/* Spare bits must be zero, or two texts would mean the same bytes. */
	if (b64_decode(letters, text.p, (uint8_t *)bytes, out->len - before, &spare) && spare == 0)
		return true;
	out->len = before;
	out->data[before] = '\0';
	return false;
}

bool
b64url_get(struct buf *out, struct slice text)
{
	return b64_append(out, text, url_letters);
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
	return b64_append(out, text, std_letters);
}

bool
b64_get_exact(struct slice text, void *out, size_t bytes)
{
	size_t letters = b64_letters(bytes);
	uint32_t spare;

	if (text.len == (bytes + 2) / 3 * 4)
		while (text.len > letters && text.p[text.len - 1] == '=')
			text.len--;
	return text.len == letters && b64_decode(std_letters, text.p, out, bytes, &spare);
}
