/* SPDX-License-Identifier: MIT */
/*
 * extract_read: the second half of an extraction: text is made UTF-8, and taken as it is where it
 * is that; what a reader's process has written is made valid and cut into pages. Pure, for it runs
 * on a helper thread when the text is large.
 */
#include <assert.h>

#include "retrieval/charset.h"
#include "retrieval/extract_internal.h"
#include "retrieval/text.h"

#define CONTROLS_MIN  8	 /* so many are in a text without a doubt about it */
#define CONTROLS_PART 20 /* of so many bytes one may be */

/* More than the arena holds, or than there is memory for. Always false, to be returned. */
static bool
pages_refused(const struct arena *arena, struct err *err)
{
	if (arena_no_memory(arena))
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's pages");
	err_set(err, ERR_DOC_LIMIT, "The document has too many pages; split it.");
	return false;
}

/* What a text is as it lies. */
struct text_found {
	struct slice text; /* the body behind its mark, where it is UTF-8; p NULL where it is not */
	bool is_clean;	   /* nothing of it has to be changed */
};

static struct spool_slice
body_of(const struct extract_in *in)
{
	return (struct spool_slice){ in->body, in->is_mapped };
}

static struct text_found
text_as_it_lies(const struct extract_in *in)
{
	struct spool_slice text = body_of(in);

	text.bytes = charset_utf8(text, in->charset);
	return (struct text_found){ text.bytes,
		text.bytes.p != NULL && spool_all(text, text_is_clean) };
}

/* Four bytes a character are UTF-32, and escapes between characters are few: of more than these the
 * text is too much, and they need not be looked at. */
static bool
text_is_too_large(const struct extract_conf *c, struct slice body)
{
	return body.len / 4 > c->text_max;
}

/* The bytes of memory that the text takes. */
static size_t
text_bytes(const struct extract_conf *c, const struct extract_in *in,
    const struct text_found *found)
{
	size_t most = in->body.len;

	if (found->is_clean && !in->is_mapped)
		return 0;
	if (found->text.p == NULL)
		most *= CHARSET_GROWTH;
	return most < c->text_max ? most : c->text_max;
}

size_t
extract_text_bytes(const struct extract_conf *c, const struct extract_in *in)
{
	const struct document_format *format = format_find(in->mime);
	struct text_found found;

	assert(format != NULL);
	if (format->reader != READER_TEXT || text_is_too_large(c, in->body))
		return 0;
	found = text_as_it_lies(in);
	if (in->is_mapped)
		spool_unload(in->body);
	return text_bytes(c, in, &found);
}

/* Of a text that is one, few characters are controls. */
static void
text_decoded(struct extract_out *out, enum charset_end end, struct err *err)
{
	size_t controls = text_clean(&out->text);

	if (end == CHARSET_REPAIRED)
		out->warnings |= EXTRACT_CHARACTERS;
	if (controls > CONTROLS_MIN && controls > out->text.len / CONTROLS_PART)
		err_set(err, ERR_PDF_BROKEN,
		    "The bytes are no text; declare the type that they have, or send text.");
}

/* READER_TEXT that has to be changed. */
static void
decode_text(const struct extract_in *in, struct extract_out *out, struct err *err)
{
	enum charset_end end = charset_decode(body_of(in), in->charset, &out->text);

	if (end == CHARSET_FULL && out->text.no_memory)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's text");
	else if (end == CHARSET_FULL)
		extract_too_much_text(err, out->text.max);
	else if (end == CHARSET_UNKNOWN)
		err_set(err, ERR_PDF_BROKEN,
		    "The text is not UTF-8, and its charset cannot be guessed; declare it in the "
		    "Content-Type, or save it as UTF-8.");
	else
		text_decoded(out, end, err);
}

/* What need not be changed is copied where it would go before its chunks do. */
static struct slice
text_ready(const struct extract_conf *c, const struct extract_in *in, struct extract_out *out,
    struct err *err)
{
	const struct text_found found = text_as_it_lies(in);

	if (found.is_clean && found.text.len > c->text_max)
		extract_too_much_text(err, c->text_max);
	if (found.is_clean && (err_is(err) || !in->is_mapped))
		return found.text;
	buf_reserve(&out->text, text_bytes(c, in, &found));
	if (!found.is_clean)
		decode_text(in, out, err);
	else if (!spool_copy(found.text, &out->text))
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's text");
	return buf_view(&out->text);
}

/* READER_TEXT. */
static bool
read_text(const struct extract_conf *c, const struct extract_in *in, struct arena *arena,
    struct extract_out *out, struct err *err)
{
	struct slice text = in->body;

	if (text_is_too_large(c, in->body))
		extract_too_much_text(err, c->text_max);
	else if (in->body.len > 0)
		text = text_ready(c, in, out, err);
	if (in->is_mapped)
		spool_unload(in->body);
	if (err_is(err))
		return false;
	if (text_trim(text).len == 0)
		err_set(err, ERR_DOC_EMPTY, "The document has no text; send one that has some.");
	else if (!text_one_page(arena, text, out))
		return pages_refused(arena, err);
	return !err_is(err);
}

/* Why a PDF has no text, or next to none. Each reason has its own remedy. */
static void
no_text(const struct extract_out *out, struct err *err)
{
	if ((out->warnings & EXTRACT_NO_LANGUAGE) != 0)
		err_set(err, ERR_PDF_NO_TEXT,
		    "The PDF's Chinese, Japanese or Korean text cannot be read here, for the "
		    "server "
		    "lacks the tables (poppler-data); ask its operator to install them.");
	else if ((out->warnings & EXTRACT_DAMAGED) != 0)
		err_set(err, ERR_PDF_BROKEN,
		    "The PDF is damaged, and most of its text cannot be read; export the document "
		    "again and retry.");
	else if (out->has_pictures)
		err_set(err, ERR_PDF_NO_TEXT,
		    "The PDF has pictures and no text; run text recognition (OCR) on it first.");
	else
		err_set(err, ERR_DOC_EMPTY,
		    "The PDF's pages hold no text; send one that has some.");
}

/* A reader that complained and found nothing on most pages has lost them. */
static bool
most_is_lost(const struct extract_out *out)
{
	return out->warnings != 0 && out->page_count < out->pages_in_all - out->pages_in_all / 2;
}

/* What pdftotext has written. */
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
	else if (out->page_count == 0 || most_is_lost(out))
		no_text(out, err);
	return !err_is(err);
}

const char *
extract_warning_text(enum extract_warning warning)
{
	if (warning == EXTRACT_NO_LANGUAGE)
		return "Chinese, Japanese or Korean text was left out: the server lacks the tables "
		       "to read it (poppler-data).";
	if (warning == EXTRACT_CHARACTERS)
		return "Some bytes of the text are no characters of its charset; they became "
		       "U+FFFD.";
	return "The PDF has faults; some of its text may be missing.";
}

bool
extract_read(const struct extract_conf *c, const struct extract_in *in, struct arena *arena,
    struct extract_out *out, struct err *err)
{
	const struct document_format *format = format_find(in->mime);

	assert(format != NULL); /* extract_run() has asked */
	if (format->reader == READER_TEXT)
		return read_text(c, in, arena, out, err);
	if (format->has_pages)
		return read_pages(c, arena, out, err);
	text_clean(&out->text);
	return text_one_page(arena, buf_view(&out->text), out) || pages_refused(arena, err);
}
