/* SPDX-License-Identifier: MIT */
/*
 * b64.c: base64 (RFC 4648), a group of four characters at a time.
 *
 * The embeddings' vectors come in base64: one of 1536 floats is eight kilobytes of text. So reading
 * has a table for each of a group's four places, and a group costs four loads and three ors, with
 * no branch; whether all characters were of the alphabet is asked once, at the end.
 */
#include "tenantgate/base/b64.h"

#include <stdint.h>
#include <string.h>

/* The decoder stores a group's three bytes as the low bytes of a 32-bit number. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a group's first byte is the lowest");

#define B64_FIRST_62 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char std_alphabet[] = B64_FIRST_62 "+/";
static const char url_alphabet[] = B64_FIRST_62 "-_";

/* How many characters n bytes take, without padding. */
static size_t
b64_chars(size_t n)
{
	return n / 3 * 4 + (n % 3 == 0 ? 0 : n % 3 + 1);
}

/* Writes b64_chars(n) characters to text, without padding. */
static void
b64_encode(const char *alphabet, const uint8_t *in, size_t n, char *text)
{
	for (; n >= 3; n -= 3, in += 3) {
		uint32_t group = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

		*text++ = alphabet[group >> 18];
		*text++ = alphabet[group >> 12 & 0x3f];
		*text++ = alphabet[group >> 6 & 0x3f];
		*text++ = alphabet[group & 0x3f];
	}
	if (n > 0) {
		uint32_t group = (uint32_t)in[0] << 16 | (n == 2 ? (uint32_t)in[1] << 8 : 0);

		*text++ = alphabet[group >> 18];
		*text++ = alphabet[group >> 12 & 0x3f];
		if (n == 2)
			*text = alphabet[group >> 6 & 0x3f];
	}
}

/* The check keeps b64_chars() from wrapping; no buf has a ceiling so high. */
bool
b64url_put(struct buf *out, struct slice in)
{
	char *text = in.len > SIZE_MAX / 8 ? NULL : buf_extend(out, b64_chars(in.len));

	if (text == NULL) {
		out->failed = true;
		return false;
	}
	b64_encode(url_alphabet, (const uint8_t *)in.p, in.len, text);
	return true;
}

bool
b64_put(struct buf *out, struct slice in)
{
	size_t padded = in.len > SIZE_MAX / 8 ? SIZE_MAX : (in.len + 2) / 3 * 4;
	char *text = buf_extend(out, padded);

	if (text == NULL)
		return false;
	memset(text + b64_chars(in.len), '=', padded - b64_chars(in.len));
	b64_encode(std_alphabet, (const uint8_t *)in.p, in.len, text);
	return true;
}

/* What a byte that is not in the alphabet is worth: its highest bit belongs to none of the group's
 * three bytes, so it stays visible when groups are or-ed together. */
#define B64_NONE 0x80808080u

/* What each character is worth at each of the four places of a group: its six bits where they lie
 * in the group's three bytes, the first byte lowest. */
struct b64_table {
	uint32_t at[4][256];
};

/* The second and the third character each lie across two bytes. */
static void
b64_table_init(struct b64_table *t, const char *alphabet)
{
	uint32_t i;

	memset(t, B64_NONE >> 24, sizeof(*t));
	for (i = 0; i < 64; i++) {
		uint8_t c = (uint8_t)alphabet[i];

		t->at[0][c] = i << 2;
		t->at[1][c] = i >> 4 | (i & 0xf) << 12;
		t->at[2][c] = (i >> 2) << 8 | (i & 3) << 22;
		t->at[3][c] = i << 16;
	}
}

static uint32_t
b64_group(const struct b64_table *t, const char *p)
{
	return t->at[0][(uint8_t)p[0]] | t->at[1][(uint8_t)p[1]] | t->at[2][(uint8_t)p[2]] |
	    t->at[3][(uint8_t)p[3]];
}

/* Reads b64_chars(bytes) characters into `bytes` bytes. False when one is not in the alphabet; what
 * was written then means nothing. *spare: the bits of the last character that belong to no byte. */
static bool
b64_decode(const char *alphabet, const char *text, uint8_t *out, size_t bytes, uint32_t *spare)
{
	struct b64_table t;
	char last[4];
	uint32_t group, all = 0;

	b64_table_init(&t, alphabet);
	/* Four bytes are written for three: the fourth is the next group's first, which overwrites
	 * it. So the last group is left to the code below. */
	for (; bytes > 3; bytes -= 3, out += 3, text += 4) {
		group = b64_group(&t, text);
		memcpy(out, &group, 4);
		all |= group;
	}
	*spare = 0;
	if (bytes > 0) {
		memset(last, alphabet[0], sizeof(last)); /* worth zero bits */
		memcpy(last, text, bytes + 1);
		group = b64_group(&t, last);
		memcpy(out, &group, bytes);
		*spare = group >> 8 * bytes;
		all |= group;
	}
	return all >> 31 == 0;
}

/* Reads text without padding. Nothing stays appended when it is malformed. */
static bool
b64_append(struct buf *out, struct slice text, const char *alphabet)
{
	size_t before = out->len;
	uint32_t spare;
	char *bytes;

	/* No number of bytes takes one character more than whole groups do. */
	if (text.len % 4 == 1 || text.len > SIZE_MAX / 6)
		return false;
	bytes = buf_extend(out, text.len * 6 / 8);
	if (bytes == NULL)
		return false;
	/* Spare bits must be zero (RFC 4648 section 3.5), or two texts would mean the same bytes:
	 * a sealed text could be varied without being changed. */
	if (b64_decode(alphabet, text.p, (uint8_t *)bytes, out->len - before, &spare) && spare == 0)
		return true;
	out->len = before;
	out->data[before] = '\0';
	return false;
}

bool
b64url_get(struct buf *out, struct slice text)
{
	return b64_append(out, text, url_alphabet);
}

/* One or two padding characters, as many as make whole groups; more fail as foreign characters. */
bool
b64_get(struct buf *out, struct slice text)
{
	if (text.len % 4 != 0)
		return false;
	if (text.len > 0 && text.p[text.len - 1] == '=')
		text.len--;
	if (text.len % 4 == 3 && text.p[text.len - 1] == '=')
		text.len--;
	return b64_append(out, text, std_alphabet);
}

/* Padding is optional, but when it is there, it must make whole groups. */
bool
b64_get_exact(struct slice text, void *out, size_t bytes)
{
	size_t chars = b64_chars(bytes);
	uint32_t spare;

	if (text.len == (bytes + 2) / 3 * 4)
		while (text.len > chars && text.p[text.len - 1] == '=')
			text.len--;
	return text.len == chars && b64_decode(std_alphabet, text.p, out, bytes, &spare);
}
