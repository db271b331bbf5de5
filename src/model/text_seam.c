/* SPDX-License-Identifier: MIT */
/*
 * text_seam: nearly every piece is plain ASCII, and is then looked at once and copied.
 */
#include "model/text_seam.h"

#include "model/json_scan.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/run.h"
#include "tenantgate/base/utf8.h"

#define ESCAPE_BYTES   6	      /* "\ud83d" */
#define UTF8_BEGUN_MAX 3	      /* bytes of a character that lacks its last one */
#define REPLACEMENT    "\xef\xbf\xbd" /* U+FFFD */

/* How long a character is that begins with c; 1 for what begins none. */
static size_t
character_length(unsigned char c)
{
	if (c < 0xc2 || c > 0xf4)
		return 1;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Bytes at the end that begin a character of UTF-8 without ending it, by its first byte alone. */
static size_t
begun_utf8(struct slice raw)
{
	size_t n;

	for (n = 1; n <= UTF8_BEGUN_MAX && n <= raw.len; n++) {
		unsigned char c = (unsigned char)raw.p[raw.len - n];

		if ((c & 0xc0) != 0x80)
			return character_length(c) > n ? n : 0;
	}
	return 0;
}

/* The same of an escape for the first half of a surrogate pair, \ud800 to \udbff. A backslash that
 * is itself escaped begins none: an odd number of them does. */
static size_t
begun_escape(struct slice raw)
{
	const char *p = raw.p + raw.len - ESCAPE_BYTES;
	size_t slashes = 1;

	if (p[1] != 'u' || hex_value(p[2]) != 0xd || hex_value(p[3]) < 8 || hex_value(p[3]) > 0xb)
		return 0;
	while (p > raw.p && p[-1] == '\\') {
		p--;
		slashes++;
	}
	return slashes % 2 == 1 ? ESCAPE_BYTES : 0;
}

static size_t
begun_character(struct slice raw)
{
	if ((unsigned char)raw.p[raw.len - 1] >= 0x80)
		return begun_utf8(raw);
	if (raw.len >= ESCAPE_BYTES && raw.p[raw.len - ESCAPE_BYTES] == '\\')
		return begun_escape(raw);
	return 0;
}

/* Writes the end of `out` anew, with U+FFFD for what is no character. */
static void
text_repair(struct buf *out, size_t from)
{
	struct buf copy;
	struct slice left;

	buf_init(&copy, out->len - from);
	buf_add(&copy, out->data + from, out->len - from);
	buf_cut(out, from);
	out->failed |= copy.failed;
	for (left = buf_view(&copy); left.len > 0;) {
		uint32_t point;
		size_t n = utf8_next(left.p, left.len, &point);

		if (point == UTF8_BAD || point == 0)
			buf_puts(out, REPLACEMENT);
		else
			buf_add(out, left.p, n);
		left = slice_of(left.p + n, left.len - n);
	}
	buf_free(&copy);
}

static void
text_put(struct text_seam *seam, struct buf *out, struct slice raw)
{
	size_t plain = run_length(raw.p, raw.len, RUN_ASCII), checked = out->len + plain;

	if (plain == raw.len) {
		seam->len = 0;
		buf_slice(out, raw);
		return;
	}
	if ((seam->len = begun_character(raw)) > 0) {
		raw.len -= seam->len;
		memcpy(seam->bytes, raw.p + raw.len, seam->len);
	}
	if (raw.len == 0)
		return;
	if (memchr(raw.p + plain, '\\', raw.len - plain) == NULL)
		buf_slice(out, raw);
	else
		json_scan_unescape(raw, out);
	if (!out->failed && !json_utf8_valid(slice_of(out->data + checked, out->len - checked)))
		text_repair(out, checked);
}

void
text_seam_add(struct text_seam *seam, struct buf *out, struct slice raw)
{
	struct buf joined;

	if (raw.len == 0)
		return;
	if (seam->len == 0) {
		text_put(seam, out, raw);
		return;
	}
	buf_init(&joined, seam->len + raw.len);
	buf_add(&joined, seam->bytes, seam->len);
	buf_slice(&joined, raw);
	if (joined.failed)
		out->failed = out->no_memory = true;
	else
		text_put(seam, out, buf_view(&joined));
	buf_free(&joined);
}

void
text_seam_end(struct text_seam *seam, struct buf *out)
{
	if (seam->len > 0)
		buf_puts(out, REPLACEMENT);
	seam->len = 0;
}
