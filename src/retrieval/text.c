/* SPDX-License-Identifier: MIT */
/*
 * text: an extractor's bytes made valid, and cut into pages. A PDF may map its glyphs to any code
 * points, so what pdftotext writes is not always UTF-8, and may hold NUL.
 */
#include "retrieval/text.h"

#include "tenantgate/base/json.h"
#include "tenantgate/base/utf8.h"

void
text_clean(struct buf *b)
{
	size_t in = 0, out = 0;

	if (b->len == 0 || json_utf8_valid(buf_view(b)))
		return;
	while (in < b->len) {
		uint32_t point;
		size_t n = utf8_next(b->data + in, b->len - in, &point);

		if (point == UTF8_BAD)
			b->data[out++] = '?';
		else if (point != 0) {
			memmove(b->data + out, b->data + in, n);
			out += n;
		}
		in += n;
	}
	b->len = out;
	b->data[out] = '\0';
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
