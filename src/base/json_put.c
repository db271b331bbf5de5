/* SPDX-License-Identifier: MIT */
/*
 * json_put.c: writing JSON. All strings from outside go through json_put_string(): whatever the
 * bytes, the result is one valid JSON string (RFC 8259 section 7) on one line, so neither a
 * response nor a log line can be forged by what it quotes.
 */
#include "tenantgate/base/json.h"

#include <string.h>

#include "tenantgate/base/run.h"
#include "tenantgate/base/utf8.h"

/* The character after the backslash of a two-character escape, or 0 when there is none. */
static char
short_escape(uint32_t point)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = point == 0 || point >= 0x80 ? NULL : strchr(from, (int)point);

	return at == NULL ? '\0' : to[at - from];
}

/* JSON itself requires the first three only. The C1 controls move a terminal's cursor, and U+2028/9
 * end a line for JavaScript and some log viewers. */
static bool
needs_escape(uint32_t point)
{
	return point < 0x20 || point == '"' || point == '\\' || (point >= 0x7f && point < 0xa0) ||
	    point == 0x2028 || point == 0x2029;
}

/* Needs no surrogate pair: all that needs_escape() names is below U+10000. */
static void
put_hex(struct buf *b, uint32_t point)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = { '\\', 'u' };

	for (unsigned i = 0; i < 4; i++)
		text[2 + i] = digits[point >> (12 - 4 * i) & 15];
	buf_add(b, text, sizeof(text));
}

static void
put_escape(struct buf *b, uint32_t point)
{
	char text[2] = { '\\', short_escape(point) };

	if (point == UTF8_BAD)
		buf_puts(b, "\xef\xbf\xbd"); /* U+FFFD */
	else if (text[1] != '\0')
		buf_add(b, text, sizeof(text));
	else
		put_hex(b, point);
}

/* Copies runs of bytes that stand for themselves as wholes: most texts are one run. */
bool
json_put_string(struct buf *b, struct slice s)
{
	size_t at = 0, plain = 0; /* plain: where the run that needs no change began */

	buf_putc(b, '"');
	while ((at += run_length(s.p + at, s.len - at, RUN_ASCII)) < s.len) {
		uint32_t point;
		size_t n = utf8_next(s.p + at, s.len - at, &point);

		if (point == UTF8_BAD || needs_escape(point)) {
			buf_add(b, s.p + plain, at - plain);
			put_escape(b, point);
			plain = at + n;
		}
		at += n;
	}
	if (s.len > plain)
		buf_add(b, s.p + plain, s.len - plain);
	buf_putc(b, '"');
	return !b->failed;
}

/* jansson's callback; -1 ends the dump. */
static int
put_piece(const char *bytes, size_t n, void *arg)
{
	return buf_add(arg, bytes, n) ? 0 : -1;
}

bool
json_put(struct buf *b, const json_t *value)
{
	if (json_dump_callback(value, put_piece, b, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
		b->failed = true;
	return !b->failed;
}

bool
json_utf8_valid(struct slice s)
{
	for (size_t at = 0, end; at < s.len;) {
		at += utf8_plain(s.p + at, s.len - at);
		end = s.len - at < UTF8_BLOCK ? s.len : at + UTF8_BLOCK;
		while (at < end) {
			uint32_t point;

			at += utf8_next(s.p + at, s.len - at, &point);
			if (point == UTF8_BAD || point == 0)
				return false;
		}
	}
	return true;
}
