/* SPDX-License-Identifier: MIT */
/*
 * ingest_work_files: the files of a body that is on the disk: the body itself, what it had in
 * base64, and a document alone.
 *
 *	body:  --x CRLF headers CRLF CRLF %PDF-1.7 ... CRLF --x ...     a form, mapped
 *	cut out:                          %PDF-1.7 ...                  what its reader is given
 */
#include "api/ingest_arrive.h"
#include "api/ingest_item.h"
#include "api/ingest_work.h"

#define CUT_OUT_PIECE ((size_t)256 << 10) /* bytes written at a time */

void
ingest_work_take_files(struct ingest_work *w, void *from)
{
	struct arrived *arrived = from;

	ingest_spool_init(&w->file);
	ingest_spool_init(&w->decoded);
	ingest_spool_init(&w->cut_out);
	if (arrived == NULL)
		return;
	w->room = arrived->room;
	w->file = arrived->file;
	ingest_spool_init(&arrived->file);
	arrived_free(arrived);
}

void
ingest_work_close_files(struct ingest_work *w)
{
	ingest_spool_close(&w->cut_out);
	ingest_spool_close(&w->decoded);
	ingest_spool_close(&w->file);
}

/* A multipart_sink_fn. */
static bool
add_decoded(void *arg, struct slice bytes, struct err *err)
{
	struct ingest_work *w = arg;

	return ingest_spool_add(&w->decoded, &w->room, bytes, err);
}

bool
ingest_work_source(struct ingest_work *w, struct ingest_source *out)
{
	struct slice all;

	*out = (struct ingest_source){ .body = w->job.body.data, .len = w->job.body.len };
	if (!ingest_work_is_on_disk(w))
		return true;
	if (!spool_map(&w->file.spool, &all, &w->job.err))
		return false;
	*out = (struct ingest_source){ .body = w->file.spool.map,
		.len = all.len,
		.decoded = &w->decoded.spool,
		.add = add_decoded,
		.arg = w };
	return true;
}

/* A file that has the document alone, and begins with it, is what a reader is given. */
struct extract_in
ingest_work_document(const struct ingest_work *w, const struct ingest_item *item)
{
	struct extract_in in = { .mime = item->document.mime_type,
		.body = item->bytes,
		.charset = item->charset,
		.password = item->password,
		.is_mapped = w->items.is_mapped };

	if (w->items.is_mapped && item->bytes.p == w->file.spool.map)
		in.file = &w->file.spool;
	else if (ingest_spool_is_open(&w->cut_out))
		in.file = &w->cut_out.spool;
	return in;
}

bool
ingest_work_is_cut_out(const struct ingest_work *w)
{
	const struct ingest_item *item = &w->items.items[w->at];
	const struct document_format *format = format_find(item->document.mime_type);

	return w->items.is_mapped && item->bytes.p != w->file.spool.map &&
	    format->reader != READER_TEXT;
}

void
ingest_work_cut_out(void *arg)
{
	struct ingest_work *w = arg;
	struct slice bytes = ingest_work_item(w)->bytes;

	for (size_t at = 0; at < bytes.len && !err_is(&w->job.err); at += CUT_OUT_PIECE) {
		struct slice piece = slice_of(bytes.p + at, bytes.len - at);

		if (piece.len > CUT_OUT_PIECE)
			piece.len = CUT_OUT_PIECE;
		(void)ingest_spool_add(&w->cut_out, &w->room, piece, &w->job.err);
		spool_unload_behind(bytes, at, CUT_OUT_PIECE);
	}
	spool_unload(bytes);
}
