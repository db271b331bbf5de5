/* SPDX-License-Identifier: MIT */
/*
 * charset: see the header.
 *
 * A wrong charset would be stored for good, so a candidate must fit: few characters may be none,
 * and fewer of a guess than of what was said. What is tried in which order: charset_decode().
 */
#include <stdlib.h>
#include <uchardet/uchardet.h>

#include "retrieval/charset.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/utf8.h"

#define GUESS_BYTES  ((size_t)256 << 10) /* looked at for a guess */
#define GUESS_BEFORE 256		 /* bytes of them before the first that is no ASCII */
#define SAID_FIT     10	 /* bytes for each that is no character, where it was said */
#define GUESS_FIT    300 /* the same of a guess */

/* U+FEFF at the beginning, in each form. The longer before the shorter that begins it. */
static const struct charset_mark {
	struct slice bytes;
	const char *iconv;
} charset_marks[] = {
	{ { "\xef\xbb\xbf", 3 }, "UTF-8" },
	{ { "\xff\xfe\0\0", 4 }, "UTF-32LE" },
	{ { "\0\0\xfe\xff", 4 }, "UTF-32BE" },
	{ { "\xff\xfe", 2 }, "UTF-16LE" },
	{ { "\xfe\xff", 2 }, "UTF-16BE" },
};

static const struct charset_mark *
mark_of(struct slice bytes)
{
	for (size_t i = 0; i < sizeof(charset_marks) / sizeof(charset_marks[0]); i++) {
		const struct charset_mark *m = &charset_marks[i];

		if (bytes.len >= m->bytes.len && memcmp(bytes.p, m->bytes.p, m->bytes.len) == 0)
			return m;
	}
	return NULL;
}

/* ---- UTF-8 itself ---- */

struct utf8_count {
	size_t wide; /* characters of more than one byte */
	size_t bad;  /* what is none */
};

static struct utf8_count
utf8_count(struct spool_slice s)
{
	const char *p = s.bytes.p;
	struct utf8_count count = { 0, 0 };

	for (size_t at = 0, end; (end = spool_window(s, at)) > at;)
		while (at < end) {
			uint32_t point;

			if ((unsigned char)p[at] < 0x80) {
				at++;
				continue;
			}
			at += utf8_next(p + at, s.bytes.len - at, &point);
			count.bad += point == UTF8_BAD;
			count.wide += point != UTF8_BAD;
		}
	return count;
}

/* From *at to the window's end, or the character's that lies over it. */
static void
append_window(struct slice s, size_t *at, size_t end, struct buf *out)
{
	size_t from = *at;

	while (*at < end) {
		uint32_t point;
		size_t n = utf8_next(s.p + *at, s.len - *at, &point);

		if (point == UTF8_BAD) {
			buf_add(out, s.p + from, *at - from);
			buf_puts(out, CHARSET_REPLACEMENT);
			from = *at + n;
		}
		*at += n;
	}
	buf_add(out, s.p + from, *at - from);
}

static bool
utf8_append(struct spool_slice s, struct buf *out)
{
	for (size_t at = 0, end; (end = spool_window(s, at)) > at && !out->failed;)
		append_window(s.bytes, &at, end, out);
	return !out->failed;
}

/* NUL is a character of UTF-8, but a text of which every other byte is one is UTF-16 without a
 * mark: iconv's name of it. NULL for another text. */
static const char *
utf16_without_mark(struct spool_slice s)
{
	size_t nuls[2] = { 0, 0 }, len = s.bytes.len, most, least;

	for (size_t at = 0, end; (end = spool_window(s, at)) > at; at = end)
		for (size_t i = at; i < end; i++)
			nuls[i & 1] += s.bytes.p[i] == '\0';
	most = nuls[0] > nuls[1] ? nuls[0] : nuls[1];
	least = nuls[0] + nuls[1] - most;
	if (len < 4 || most < len / 3 || most < 2 || least > most / 10)
		return NULL;
	return nuls[1] > nuls[0] ? "UTF-16LE" : "UTF-16BE";
}

/* ---- the others ---- */

/* Where the first byte of that range is; the bytes' end where there is none. */
static size_t
find_between(struct spool_slice s, unsigned char low, unsigned char high)
{
	const unsigned char *p = (const unsigned char *)s.bytes.p;

	for (size_t at = 0, end; (end = spool_window(s, at)) > at;)
		for (; at < end; at++)
			if (p[at] >= low && p[at] <= high)
				return at;
	return s.bytes.len;
}

static size_t
find_escape(struct spool_slice s)
{
	for (size_t at = 0, end; (end = spool_window(s, at)) > at; at = end) {
		const char *escape = memchr(s.bytes.p + at, '\x1b', end - at);

		if (escape != NULL)
			return (size_t)(escape - s.bytes.p);
	}
	return s.bytes.len;
}

/* Whether a text has bytes from 0x80 to 0x9f: in ISO-8859-2 they are controls, which no text has,
 * in windows-1250 letters of Polish and Czech. All other letters of both languages but a few are
 * the same, and detectors mistake one for the other. */
static const char *
central_european(struct spool_slice s)
{
	return find_between(s, 0x80, 0x9f) < s.bytes.len ? "CP1250" : "ISO-8859-2";
}

/* The part of a text to look at, from a little before its first byte that is not ASCII: the rest
 * says nothing. */
static struct slice
guess_part(struct spool_slice s)
{
	struct slice part = s.bytes;
	size_t at;

	s.bytes.len = find_between(s, 0x80, 0xff);
	at = find_escape(s);
	at -= at < GUESS_BEFORE ? at : GUESS_BEFORE;
	part = slice_of(part.p + at, part.len - at);
	if (part.len > GUESS_BYTES)
		part.len = GUESS_BYTES;
	return part;
}

/* NULL when the detector has no idea, or names what is not in the table. */
static const char *
charset_guess(struct spool_slice s)
{
	struct slice part = guess_part(s);
	uchardet_t detector = uchardet_new();
	const char *name = NULL;

	if (detector == NULL)
		return NULL;
	if (uchardet_handle_data(detector, part.p, part.len) == 0) {
		uchardet_data_end(detector);
		name = charset_find(slice_str(uchardet_get_charset(detector)));
	}
	uchardet_delete(detector);
	if (name != NULL && (strcmp(name, "CP1250") == 0 || strcmp(name, "ISO-8859-2") == 0))
		name = central_european(s);
	return name;
}

/* ISO-2022 is ASCII all through: its escape sequences say that it is that. */
static const char *
iso2022_guess(struct spool_slice s)
{
	size_t next = find_escape(s) + 1;
	const char *name;

	if (next >= s.bytes.len || (s.bytes.p[next] != '$' && s.bytes.p[next] != '('))
		return NULL;
	name = charset_guess(s);
	return name != NULL && strncmp(name, "ISO-2022", 8) == 0 ? name : NULL;
}

/* Behind its mark, if it has one. */
static struct spool_slice
behind_mark(struct spool_slice s, const struct charset_mark *mark)
{
	size_t n = mark == NULL ? 0 : mark->bytes.len;

	return (struct spool_slice){ slice_of(s.bytes.p + n, s.bytes.len - n), s.is_mapped };
}

static bool
mark_is_utf8(const struct charset_mark *mark)
{
	return mark != NULL && strcmp(mark->iconv, "UTF-8") == 0;
}

struct slice
charset_utf8(struct spool_slice bytes, struct slice declared)
{
	const struct charset_mark *mark = mark_of(bytes.bytes);
	struct spool_slice text = behind_mark(bytes, mark);

	if (mark != NULL && !mark_is_utf8(mark))
		return (struct slice){ 0 };
	if (mark == NULL && charset_find(declared) != NULL)
		return (struct slice){ 0 };
	if (mark == NULL && iso2022_guess(text) != NULL)
		return (struct slice){ 0 };
	if (!spool_all(text, json_utf8_valid) &&
	    (utf8_count(text).bad > 0 || (mark == NULL && utf16_without_mark(text) != NULL)))
		return (struct slice){ 0 };
	return text.bytes;
}

static enum charset_end
decode_utf8(struct spool_slice text, struct buf *out)
{
	struct utf8_count count = utf8_count(text);

	if (count.bad * SAID_FIT > count.wide)
		return CHARSET_UNKNOWN;
	if (!utf8_append(text, out))
		return CHARSET_FULL;
	return count.bad == 0 ? CHARSET_OK : CHARSET_REPAIRED;
}

/* Without a mark and a declaration that fits. */
static enum charset_end
decode_unsaid(struct spool_slice text, struct buf *out)
{
	const char *name = utf16_without_mark(text);
	enum charset_end end;

	if (name == NULL)
		name = iso2022_guess(text);
	if (name != NULL)
		return charset_decode_as(name, text, SAID_FIT, out);
	end = decode_utf8(text, out);
	if (end != CHARSET_UNKNOWN)
		return end;
	name = charset_guess(text);
	return name == NULL ? CHARSET_UNKNOWN : charset_decode_as(name, text, GUESS_FIT, out);
}

enum charset_end
charset_decode(struct spool_slice bytes, struct slice declared, struct buf *out)
{
	const struct charset_mark *mark = mark_of(bytes.bytes);
	struct spool_slice text = behind_mark(bytes, mark);
	const char *said = mark != NULL ? NULL : charset_find(declared);
	enum charset_end end = CHARSET_UNKNOWN;

	if (mark != NULL)
		return mark_is_utf8(mark) ? decode_utf8(text, out)
					  : charset_decode_as(mark->iconv, text, SAID_FIT, out);
	if (said != NULL)
		end = charset_decode_as(said, text, SAID_FIT, out);
	return end != CHARSET_UNKNOWN ? end : decode_unsaid(text, out);
}
