/* SPDX-License-Identifier: MIT */
/*
 * charset: see the header.
 *
 * A wrong charset would be stored for good, so a candidate must fit: few characters may be none,
 * and fewer of a guess than of what was said. What is tried in which order: charset_decode().
 */
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <uchardet/uchardet.h>

#include "retrieval/charset.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/utf8.h"

#define GUESS_BYTES  ((size_t)256 << 10) /* looked at for a guess */
#define GUESS_BEFORE 256		 /* bytes of them before the first that is no ASCII */
#define SAID_FIT     10	 /* bytes for each that is no character, where it was said */
#define GUESS_FIT    300 /* the same of a guess */
#define PIECE_SIZE   8192
#define REPLACEMENT  "\xef\xbf\xbd" /* U+FFFD */

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
utf8_count(struct slice s)
{
	struct utf8_count count = { 0, 0 };

	for (size_t at = 0; at < s.len;) {
		uint32_t point;

		if ((unsigned char)s.p[at] < 0x80) {
			at++;
			continue;
		}
		at += utf8_next(s.p + at, s.len - at, &point);
		count.bad += point == UTF8_BAD;
		count.wide += point != UTF8_BAD;
	}
	return count;
}

static bool
utf8_append(struct slice s, struct buf *out)
{
	size_t from = 0;

	for (size_t at = 0; at < s.len;) {
		uint32_t point;
		size_t n = utf8_next(s.p + at, s.len - at, &point);

		if (point == UTF8_BAD) {
			buf_add(out, s.p + from, at - from);
			buf_puts(out, REPLACEMENT);
			from = at + n;
		}
		at += n;
	}
	return buf_add(out, s.p + from, s.len - from);
}

/* NUL is a character of UTF-8, but a text of which every other byte is one is UTF-16 without a
 * mark: iconv's name of it. NULL for another text. */
static const char *
utf16_without_mark(struct slice s)
{
	size_t nuls[2] = { 0, 0 }, most, least;

	for (size_t i = 0; i < s.len; i++)
		nuls[i & 1] += s.p[i] == '\0';
	most = nuls[0] > nuls[1] ? nuls[0] : nuls[1];
	least = nuls[0] + nuls[1] - most;
	if (s.len < 4 || most < s.len / 3 || most < 2 || least > most / 10)
		return NULL;
	return nuls[1] > nuls[0] ? "UTF-16LE" : "UTF-16BE";
}

/* ---- the others ---- */

/* Past what is no character: a unit of the charset. */
static void
skip_unit(const char *name, char **in, size_t *left)
{
	size_t unit = strncmp(name, "UTF-32", 6) == 0 ? 4 : strncmp(name, "UTF-16", 6) == 0 ? 2 : 1;

	if (unit > *left)
		unit = *left;
	*in += unit;
	*left -= unit;
}

/* What the decoder still holds: the last letter, which a mark behind it might have changed. */
static void
iconv_rest(iconv_t cd, struct buf *out)
{
	char piece[16], *to = piece;
	size_t room = sizeof(piece);

	if (iconv(cd, NULL, NULL, &to, &room) != (size_t)-1)
		buf_add(out, piece, (size_t)(to - piece));
}

/* All of it, through a piece at a time. The number of what is no character. */
static size_t
iconv_all(iconv_t cd, const char *name, struct slice bytes, struct buf *out)
{
	char *in = (char *)(uintptr_t)bytes.p; /* iconv() only reads it */
	size_t left = bytes.len, bad = 0;

	while (left > 0 && !out->failed) {
		char piece[PIECE_SIZE], *to = piece;
		size_t room = sizeof(piece);
		size_t rc = iconv(cd, &in, &left, &to, &room);
		int error = errno;

		buf_add(out, piece, (size_t)(to - piece));
		if (rc != (size_t)-1 || error == E2BIG)
			continue;
		buf_puts(out, REPLACEMENT);
		skip_unit(name, &in, &left);
		bad++;
	}
	iconv_rest(cd, out);
	return bad;
}

/* On anything but success the buffer is as it was. */
static enum charset_end
decode_as(const char *name, struct slice bytes, size_t fit, struct buf *out)
{
	size_t had = out->len, bad;
	iconv_t cd = iconv_open("UTF-8", name);

	if (cd == (iconv_t)-1)
		return CHARSET_UNKNOWN;
	bad = iconv_all(cd, name, bytes, out);
	iconv_close(cd);
	if (out->failed)
		return CHARSET_FULL;
	if (bad == 0)
		return CHARSET_OK;
	if (bad * fit <= out->len - had)
		return CHARSET_REPAIRED;
	buf_cut(out, had);
	return CHARSET_UNKNOWN;
}

/* Whether a text has bytes from 0x80 to 0x9f: in ISO-8859-2 they are controls, which no text has,
 * in windows-1250 letters of Polish and Czech. All other letters of both languages but a few are
 * the same, and detectors mistake one for the other. */
static const char *
central_european(struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if ((unsigned char)bytes.p[i] >= 0x80 && (unsigned char)bytes.p[i] < 0xa0)
			return "CP1250";
	return "ISO-8859-2";
}

/* The part of a text to look at, from a little before its first byte that is not ASCII: the rest
 * says nothing. */
static struct slice
guess_part(struct slice bytes)
{
	size_t at = 0;

	while (at < bytes.len && (unsigned char)bytes.p[at] < 0x80 && bytes.p[at] != '\x1b')
		at++;
	at -= at < GUESS_BEFORE ? at : GUESS_BEFORE;
	bytes = slice_of(bytes.p + at, bytes.len - at);
	if (bytes.len > GUESS_BYTES)
		bytes.len = GUESS_BYTES;
	return bytes;
}

/* NULL when the detector has no idea, or names what is not in the table. */
static const char *
charset_guess(struct slice bytes)
{
	struct slice part = guess_part(bytes);
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
		name = central_european(bytes);
	return name;
}

/* ISO-2022 is ASCII all through: its escape sequences say that it is that. */
static const char *
iso2022_guess(struct slice s)
{
	const char *escape = s.len == 0 ? NULL : memchr(s.p, '\x1b', s.len - 1);
	const char *name;

	if (escape == NULL || (escape[1] != '$' && escape[1] != '('))
		return NULL;
	name = charset_guess(s);
	return name != NULL && strncmp(name, "ISO-2022", 8) == 0 ? name : NULL;
}

/* Behind its mark, if it has one. */
static struct slice
behind_mark(struct slice bytes, const struct charset_mark *mark)
{
	size_t n = mark == NULL ? 0 : mark->bytes.len;

	return slice_of(bytes.p + n, bytes.len - n);
}

static bool
mark_is_utf8(const struct charset_mark *mark)
{
	return mark != NULL && strcmp(mark->iconv, "UTF-8") == 0;
}

struct slice
charset_utf8(struct slice bytes, struct slice declared)
{
	const struct charset_mark *mark = mark_of(bytes);
	struct slice text = behind_mark(bytes, mark);

	if (mark != NULL && !mark_is_utf8(mark))
		return (struct slice){ 0 };
	if (mark == NULL && charset_find(declared) != NULL)
		return (struct slice){ 0 };
	if (mark == NULL && iso2022_guess(text) != NULL)
		return (struct slice){ 0 };
	if (!json_utf8_valid(text) &&
	    (utf8_count(text).bad > 0 || (mark == NULL && utf16_without_mark(text) != NULL)))
		return (struct slice){ 0 };
	return text;
}

static enum charset_end
decode_utf8(struct slice text, struct buf *out)
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
decode_unsaid(struct slice text, struct buf *out)
{
	const char *name = utf16_without_mark(text);
	enum charset_end end;

	if (name == NULL)
		name = iso2022_guess(text);
	if (name != NULL)
		return decode_as(name, text, SAID_FIT, out);
	end = decode_utf8(text, out);
	if (end != CHARSET_UNKNOWN)
		return end;
	name = charset_guess(text);
	return name == NULL ? CHARSET_UNKNOWN : decode_as(name, text, GUESS_FIT, out);
}

enum charset_end
charset_decode(struct slice bytes, struct slice declared, struct buf *out)
{
	const struct charset_mark *mark = mark_of(bytes);
	struct slice text = behind_mark(bytes, mark);
	const char *said = mark != NULL ? NULL : charset_find(declared);
	enum charset_end end = CHARSET_UNKNOWN;

	if (mark != NULL)
		return mark_is_utf8(mark) ? decode_utf8(text, out)
					  : decode_as(mark->iconv, text, SAID_FIT, out);
	if (said != NULL)
		end = decode_as(said, text, SAID_FIT, out);
	return end != CHARSET_UNKNOWN ? end : decode_unsaid(text, out);
}
