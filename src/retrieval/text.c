/* SPDX-License-Identifier: MIT */
/*
 * text: an extractor's bytes made valid, and cut into pages. A PDF may map its glyphs to any code
 * points, so what pdftotext writes is not always UTF-8, and may hold NUL. Nothing else is
 * normalized: a document is cited as it was written.
 */
#include <assert.h>
#include <utf8proc.h>

#include "retrieval/text.h"

#include "tenantgate/base/utf8.h"

static bool
is_control(uint32_t point)
{
	return (point < 0x20 && point != '\t' && point != '\n' && point != '\r' && point != '\f') ||
	    point == 0x7f;
}

/* The soft hyphen; the marks, embeddings and isolates of the bidirectional algorithm (UAX #9, 2),
 * which a reader of PDFs writes around text that it has put in logical order. */
static bool
is_unseen(uint32_t point)
{
	return point == 0xad || point == 0x61c || point == 0x200e || point == 0x200f ||
	    (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static bool
is_ligature(uint32_t point)
{
	return point >= 0xfb00 && point <= 0xfb06;
}

static bool
is_clean(uint32_t point)
{
	return point != UTF8_BAD && !is_control(point) && !is_unseen(point) && !is_ligature(point);
}

bool
text_is_clean(struct slice s)
{
	for (size_t at = 0, end; at < s.len;) {
		at += utf8_plain(s.p + at, s.len - at);
		end = s.len - at < UTF8_BLOCK ? s.len : at + UTF8_BLOCK;
		while (at < end) {
			uint32_t point;

			at += utf8_next(s.p + at, s.len - at, &point);
			if (!is_clean(point))
				return false;
		}
	}
	return true;
}

/* Its letters (Unicode's compatibility decomposition): two or three, of a byte each, in the place
 * of its three bytes. The number of bytes. */
static size_t
put_ligature(char *out, uint32_t point)
{
	utf8proc_int32_t letters[3];
	int boundary = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)point, letters, 3,
	    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);

	assert(n > 0 && n <= 3);
	for (utf8proc_ssize_t i = 0; i < n; i++)
		out[i] = (char)letters[i];
	return (size_t)n;
}

/* The bytes written; out may be where the character lies, or before. */
static size_t
put_clean(char *out, const char *in, size_t n, uint32_t point)
{
	if (is_ligature(point))
		return put_ligature(out, point);
	if (is_unseen(point))
		return 0;
	if (point == UTF8_BAD || is_control(point)) {
		*out = point == UTF8_BAD ? '?' : ' ';
		return 1;
	}
	memmove(out, in, n);
	return n;
}

size_t
text_clean(struct buf *b)
{
	size_t in = 0, out = 0, controls = 0;

	if (b->len == 0 || text_is_clean(buf_view(b)))
		return 0;
	while (in < b->len) {
		uint32_t point;
		size_t n = utf8_next(b->data + in, b->len - in, &point);

		controls += is_control(point);
		out += put_clean(b->data + out, b->data + in, n, point);
		in += n;
	}
	b->len = out;
	b->data[out] = '\0';
	return controls;
}

/* Up to the next form feed, or the text's end. */
static struct slice
page_at(struct slice text)
{
	const char *feed = memchr(text.p, '\f', text.len);

	return slice_of(text.p, feed == NULL ? text.len : (size_t)(feed - text.p));
}

static unsigned
count_feeds(struct slice text)
{
	unsigned n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.p[i] == '\f';
	return n;
}

bool
text_cut_pages(struct arena *arena, struct extract_out *out)
{
	struct slice left = buf_view(&out->text);
	unsigned pages = count_feeds(left);

	/* One more, for words behind the last form feed, which poppler never writes. */
	out->pages = arena_array(arena, (size_t)pages + 1, sizeof(*out->pages));
	if (out->pages == NULL)
		return false;
	out->pages_in_all = pages;
	out->page_count = 0;
	for (unsigned number = 1; left.len > 0; number++) {
		struct slice page = page_at(left);
		size_t used = page.len < left.len ? page.len + 1 : page.len;

		if (text_trim(page).len > 0)
			out->pages[out->page_count++] = (struct page_text){ number, page };
		left.p += used;
		left.len -= used;
	}
	return true;
}

bool
text_one_page(struct arena *arena, struct slice text, struct extract_out *out)
{
	out->pages = arena_array(arena, 1, sizeof(*out->pages));
	if (out->pages == NULL)
		return false;
	out->pages[0] = (struct page_text){ 0, text };
	out->page_count = 1;
	return true;
}
