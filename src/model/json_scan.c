/* SPDX-License-Identifier: MIT */
/*
 * json_scan: the reader. What always holds: p <= end, no byte at or after end is read, p only moves
 * forward. Once bad is set, json_scan_more() ends every loop.
 */
#include "model/json_scan.h"

#include <stdint.h>
#include <stdlib.h>

#include "tenantgate/base/hex.h"
#include "tenantgate/base/run.h"

#define NUMBER_MAX 64 /* bytes of one that is read; longer is refused */

void
json_scan_begin(struct json_scan *s, struct slice text)
{
	memset(s, 0, sizeof(*s));
	s->p = text.len == 0 ? "" : text.p;
	s->end = s->p + text.len;
}

static void
json_scan_fail(struct json_scan *s)
{
	s->bad = true;
	s->p = s->end;
}

static void
space_skip(struct json_scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

/* The next byte that is not white space (not consumed), or 0 at the end. */
static char
json_scan_next_char(struct json_scan *s)
{
	space_skip(s);
	return s->p < s->end ? *s->p : '\0';
}

/* What begins with a byte; all else is JSON_SCAN_BAD, which is 0. */
static const unsigned char scan_types[256] = {
	['{'] = JSON_SCAN_OBJECT,
	['['] = JSON_SCAN_ARRAY,
	['"'] = JSON_SCAN_STRING,
	['t'] = JSON_SCAN_TRUE,
	['f'] = JSON_SCAN_FALSE,
	['n'] = JSON_SCAN_NULL,
	['-'] = JSON_SCAN_NUMBER,
	['0' ... '9'] = JSON_SCAN_NUMBER,
};

enum json_scan_type
json_scan_peek(struct json_scan *s)
{
	return scan_types[(unsigned char)json_scan_next_char(s)];
}

void
json_scan_open(struct json_scan *s, char bracket)
{
	if (json_scan_next_char(s) != bracket || s->depth == JSON_SCAN_DEPTH_MAX) {
		json_scan_fail(s);
		return;
	}
	s->p++;
	s->depth++;
	s->fresh = true;
}

/* Past the comma before the next value, or past the closing bracket: then false. No trailing comma,
 * and none before the first value. */
static bool
json_scan_more(struct json_scan *s, char bracket)
{
	bool fresh = s->fresh;
	char c = json_scan_next_char(s);

	s->fresh = false;
	if (s->bad)
		return false;
	if (c == bracket) {
		s->p++;
		s->depth--;
		return false;
	}
	if (fresh)
		return true;
	if (c != ',') {
		json_scan_fail(s);
		return false;
	}
	s->p++;
	return true;
}

bool
json_scan_item(struct json_scan *s)
{
	return json_scan_more(s, ']');
}

bool
json_scan_member(struct json_scan *s, struct slice *key)
{
	*key = slice_of(NULL, 0);
	if (!json_scan_more(s, '}'))
		return false;
	json_scan_string(s, key);
	if (json_scan_next_char(s) != ':') {
		json_scan_fail(s);
		return false;
	}
	s->p++;
	return true;
}

/* p at the backslash: the length of the escape, or 0 when RFC 8259 has no such (section 7). */
static size_t
escape_length(const char *p, const char *end)
{
	size_t i;

	if (end - p < 2)
		return 0;
	if (p[1] != 'u')
		return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
	for (i = 2; i < 6; i++)
		if (p + i >= end || hex_value(p[i]) < 0)
			return 0;
	return 6;
}

/* Past the bytes that stand for themselves in a string, 16 at a time where the CPU can: nearly all
 * of a model's text and the whole of a vector are one run. */
static const char *
plain_skip(const char *p, const char *end)
{
	return p + run_length(p, (size_t)(end - p), RUN_STRING);
}

/* Control characters, unknown escapes and a missing quote are refused; the bytes are not copied. */
void
json_scan_string(struct json_scan *s, struct slice *raw)
{
	const char *p, *from;
	size_t escape = 1;

	*raw = slice_of(NULL, 0);
	if (json_scan_next_char(s) != '"') {
		json_scan_fail(s);
		return;
	}
	from = s->p + 1;
	p = plain_skip(from, s->end);
	while (p < s->end && *p == '\\' && (escape = escape_length(p, s->end)) > 0)
		p = plain_skip(p + escape, s->end);
	if (p >= s->end || *p != '"') {
		json_scan_fail(s);
		return;
	}
	*raw = slice_of(from, (size_t)(p - from));
	s->p = p + 1;
}

static const char *
digits_skip(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Past a number of RFC 8259's grammar (section 6: no leading zero, no plus, a digit on both sides
 * of the point), or NULL. */
static const char *
number_end(const char *p, const char *end)
{
	const char *from;

	if (p < end && *p == '-')
		p++;
	from = p;
	p = digits_skip(p, end);
	if (p == from || (*from == '0' && p - from > 1))
		return NULL;
	if (p < end && *p == '.') {
		from = ++p;
		if ((p = digits_skip(p, end)) == from)
			return NULL;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		if ((p = digits_skip(p, end)) == from)
			return NULL;
	}
	return p;
}

/* strtod() wants a terminated string, hence the copy. The process runs in the C locale. */
void
json_scan_number(struct json_scan *s, double *out)
{
	char text[NUMBER_MAX + 1];
	const char *end;
	size_t n;

	*out = 0;
	space_skip(s);
	end = number_end(s->p, s->end);
	n = end == NULL ? 0 : (size_t)(end - s->p);
	if (n == 0 || n > NUMBER_MAX) {
		json_scan_fail(s);
		return;
	}
	memcpy(text, s->p, n);
	text[n] = '\0';
	*out = strtod(text, NULL);
	s->p = end;
}

static void
literal_skip(struct json_scan *s, const char *word)
{
	if (slice_starts(slice_of(s->p, (size_t)(s->end - s->p)), word))
		s->p += strlen(word);
	else
		json_scan_fail(s);
}

/* Skipped values are checked like read ones. Recursion is bounded by json_scan_open(). */
void
json_scan_skip(struct json_scan *s)
{
	struct slice unused;
	const char *end;

	switch (json_scan_peek(s)) {
	case JSON_SCAN_OBJECT:
		json_scan_open(s, '{');
		while (json_scan_member(s, &unused))
			json_scan_skip(s);
		break;
	case JSON_SCAN_ARRAY:
		json_scan_open(s, '[');
		while (json_scan_item(s))
			json_scan_skip(s);
		break;
	case JSON_SCAN_STRING:
		json_scan_string(s, &unused);
		break;
	case JSON_SCAN_NUMBER:
		if ((end = number_end(s->p, s->end)) != NULL)
			s->p = end;
		else
			json_scan_fail(s);
		break;
	case JSON_SCAN_TRUE:
		literal_skip(s, "true");
		break;
	case JSON_SCAN_FALSE:
		literal_skip(s, "false");
		break;
	case JSON_SCAN_NULL:
		literal_skip(s, "null");
		break;
	case JSON_SCAN_BAD:
		json_scan_fail(s);
	}
}

bool
json_scan_whole(struct json_scan *s)
{
	space_skip(s);
	return !s->bad && s->depth == 0 && s->p == s->end;
}

static uint32_t
hex4(const char *p)
{
	return (uint32_t)(hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4 |
	    hex_value(p[3]));
}

/* UTF-8 (RFC 3629). */
static void
code_point_put(struct buf *out, uint32_t c)
{
	if (c == 0 || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		buf_putc(out, (char)c);
	} else if (c < 0x800) {
		buf_putc(out, (char)(0xc0 | c >> 6));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(out, (char)(0xe0 | c >> 12));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(out, (char)(0xf0 | c >> 18));
		buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* Appends what one escape stands for; returns its length. p is at a backslash, and the string was
 * checked by json_scan_string(), so the escape is whole. A code point beyond U+FFFF is written as
 * two \u escapes, a surrogate pair (RFC 8259, section 7). */
static size_t
escape_put(struct buf *out, const char *p, size_t left)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *letter = strchr(from, p[1]);
	uint32_t high, low;

	if (p[1] != 'u') {
		buf_putc(out, letter == NULL ? p[1] : to[letter - from]);
		return 2;
	}
	high = hex4(p + 2);
	low = left >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : 0;
	if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
		code_point_put(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
		return 12;
	}
	code_point_put(out, high);
	return 6;
}

bool
json_scan_unescape(struct slice raw, struct buf *out)
{
	while (raw.len > 0) {
		const char *slash = memchr(raw.p, '\\', raw.len);
		size_t n = slash == NULL ? raw.len : (size_t)(slash - raw.p);

		buf_add(out, raw.p, n);
		if (slash != NULL)
			n += escape_put(out, slash, raw.len - n);
		raw.p += n;
		raw.len -= n;
	}
	return !out->failed;
}
