/* SPDX-License-Identifier: MIT */
/*
 * charset_iconv: a text through iconv, piece by piece; see charset.h. What fits is decoded once.
 */
#include <errno.h>
#include <iconv.h>

#include "retrieval/charset.h"

#define PIECE_SIZE   8192
#define SEQUENCE_MAX 16 /* more bytes than a character has, with an escape sequence before it */

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

/* Bytes on their way through a decoder. Of a charset that seems not to fit nothing is kept, only
 * counted: it may be more than the text is in the one that does. */
struct decoding {
	iconv_t cd;
	const char *name;
	struct slice bytes;
	size_t fit;	 /* bytes for each that is no character */
	struct buf *out; /* borrowed */
	size_t most;	 /* bytes that it can take */
	size_t at;	 /* how far it is */
	size_t made;	 /* bytes */
	size_t bad;	 /* what is no character */
	bool is_kept;
};

static bool
decoding_fits(const struct decoding *d)
{
	return d->bad * d->fit <= d->made;
}

static bool
decoding_is_full(const struct decoding *d)
{
	return d->out->failed || d->made > d->most;
}

static void
decoding_put(struct decoding *d, const char *bytes, size_t n)
{
	d->made += n;
	if (d->is_kept)
		buf_add(d->out, bytes, n);
}

/* Up to the window's end, through a piece at a time. A character that is cut off there is not
 * broken: it is the next window's. */
static void
decode_window(struct decoding *d, size_t end)
{
	char *in = (char *)(uintptr_t)d->bytes.p + d->at; /* iconv() only reads it */
	size_t left = end - d->at;

	while (left > 0 && !decoding_is_full(d)) {
		char piece[PIECE_SIZE], *to = piece;
		size_t room = sizeof(piece);
		size_t rc = iconv(d->cd, &in, &left, &to, &room);
		int error = errno;

		decoding_put(d, piece, (size_t)(to - piece));
		if (rc != (size_t)-1 || error == E2BIG)
			continue;
		if (error == EINVAL && end < d->bytes.len && left < SEQUENCE_MAX)
			break;
		decoding_put(d, CHARSET_REPLACEMENT, strlen(CHARSET_REPLACEMENT));
		skip_unit(d->name, &in, &left);
		d->bad++;
	}
	d->at = end - left;
}

/* What the decoder still holds: the last letter, which a mark behind it might have changed. */
static void
decode_rest(struct decoding *d)
{
	char piece[16], *to = piece;
	size_t room = sizeof(piece);

	if (iconv(d->cd, NULL, NULL, &to, &room) != (size_t)-1)
		decoding_put(d, piece, (size_t)(to - piece));
}

/* With the memory that it took. */
static void
decoding_forget(struct decoding *d)
{
	size_t had = d->out->max - d->most, cap = d->out->cap;

	d->is_kept = false;
	buf_cut(d->out, had);
	if (had > 0)
		return;
	buf_free(d->out);
	buf_reserve(d->out, cap);
}

/* All of it; as soon as it seems not to fit the rest is counted, unless it is to be kept. */
static void
decode_all(struct decoding *d, struct spool_slice s, bool keeps)
{
	d->is_kept = true;
	d->at = d->made = d->bad = 0;
	for (size_t end; (end = spool_window(s, d->at)) > d->at && !decoding_is_full(d);) {
		decode_window(d, end);
		if (d->is_kept && !keeps && !decoding_is_full(d) && !decoding_fits(d))
			decoding_forget(d);
	}
	decode_rest(d);
}

enum charset_end
charset_decode_as(const char *name, struct spool_slice s, size_t fit, struct buf *out)
{
	struct decoding d = { .cd = iconv_open("UTF-8", name),
		.name = name,
		.bytes = s.bytes,
		.fit = fit,
		.out = out,
		.most = out->max - out->len };

	if (d.cd == (iconv_t)-1)
		return CHARSET_UNKNOWN;
	decode_all(&d, s, false);
	if (!d.is_kept && !decoding_is_full(&d) && decoding_fits(&d))
		decode_all(&d, s, true); /* it seemed so at first */
	iconv_close(d.cd);
	if (decoding_is_full(&d))
		return CHARSET_FULL;
	if (d.bad == 0)
		return CHARSET_OK;
	if (decoding_fits(&d))
		return CHARSET_REPAIRED;
	decoding_forget(&d);
	return CHARSET_UNKNOWN;
}
