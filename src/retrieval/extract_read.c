/* SPDX-License-Identifier: MIT */
/*
 * extract_read: the second half of an extraction: text is checked and taken as it is, what a
 * reader's process has written is made valid and cut into pages. Pure, for it runs on a helper
 * thread when the text is large.
 */
#include <assert.h>

#include "retrieval/extract_internal.h"
#include "retrieval/text.h"
#include "tenantgate/base/json.h"

/* Some editors on Windows begin a file with a byte order mark (U+FEFF): it is no part of the
 * text. */
static struct slice
skip_byte_order_mark(struct slice body)
{
	if (slice_starts(body, "\xef\xbb\xbf")) {
		body.p += 3;
		body.len -= 3;
	}
	return body;
}

/* More than the arena holds, or than there is memory for. Always false, to be returned. */
static bool
pages_refused(const struct arena *arena, struct err *err)
{
	if (arena_no_memory(arena))
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's pages");
	err_set(err, ERR_DOC_LIMIT, "The document has too many pages; split it.");
	return false;
}

/* READER_TEXT. Bytes that are not UTF-8 are refused, not guessed at: a wrong guess is stored for
 * good. */
static bool
read_text(const struct extract_conf *c, struct slice body, struct arena *arena,
    struct extract_out *out, struct err *err)
{
	body = skip_byte_order_mark(body);
	if (body.len > c->text_max)
		err_set(err, ERR_DOC_LIMIT, EXTRACT_TOO_MUCH_TEXT, c->text_max);
	else if (!json_utf8_valid(body))
		err_set(err, ERR_PDF_BROKEN,
		    "The text is not UTF-8, or has a NUL byte; save it as UTF-8 and try again.");
	else if (text_trim(body).len == 0)
		err_set(err, ERR_DOC_EMPTY, "The document has no text; send one that has some.");
	else if (!text_one_page(arena, body, out))
		return pages_refused(arena, err);
	return !err_is(err);
}

/* What pdftotext has written. A PDF of pictures has pages without text: that has a code of its own,
 * for text recognition would help. */
static bool
read_pages(const struct extract_conf *c, struct arena *arena, struct extract_out *out,
    struct err *err)
{
	text_clean(&out->text);
	if (!text_cut_pages(arena, out))
		return pages_refused(arena, err);
	if (out->pages_in_all > c->pages_max)
		err_set(err, ERR_DOC_LIMIT,
		    "The document has more than %u pages; split it, or raise extract_max_pages.",
		    c->pages_max);
	else if (out->pages_in_all == 0 && out->page_count == 0)
		err_set(err, ERR_DOC_EMPTY, EXTRACT_NO_PAGES);
	else if (out->page_count == 0)
		err_set(err, ERR_PDF_NO_TEXT,
		    "The PDF has pictures and no text; run text recognition (OCR) on it first.");
	return !err_is(err);
}

bool
extract_read(const struct extract_conf *c, const char *mime, struct slice body, struct arena *arena,
    struct extract_out *out, struct err *err)
{
	const struct document_format *format = format_find(mime);

	assert(format != NULL); /* extract_run() has asked */
	if (format->reader == READER_TEXT)
		return read_text(c, body, arena, out, err);
	if (format->has_pages)
		return read_pages(c, arena, out, err);
	text_clean(&out->text);
	return text_one_page(arena, buf_view(&out->text), out) || pages_refused(arena, err);
}
