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

	spool_init(&w->file);
	spool_init(&w->decoded);
	spool_init(&w->cut_out);
	if (arrived == NULL)
		return;
	w->room = arrived->room;
	arrived->room.grant = (struct share_grant){ .budget = NULL };
	w->file = arrived->file;
	spool_init(&arrived->file);
	arrived_free(arrived);
}

void
ingest_work_close_files(struct ingest_work *w)
{
	ingest_room_close(&w->room, &w->cut_out);
	ingest_room_close(&w->room, &w->decoded);
	ingest_room_close(&w->room, &w->file);
}

/* A multipart_sink_fn. */
static bool
add_decoded(void *arg, struct slice bytes, struct err *err)
{
	struct ingest_work *w = arg;

	return ingest_room_add(&w->room, &w->decoded, bytes, err);
}

bool
ingest_work_source(struct ingest_work *w, struct ingest_source *out)
{
	struct slice all;

	*out = (struct ingest_source){ .body = w->job.body.data, .len = w->job.body.len };
	if (!ingest_work_is_on_disk(w))
		return true;
	if (!spool_map(&w->file, &all, &w->job.err))
		return false;
	*out = (struct ingest_source){ .body = w->file.map,
		.len = all.len,
		.decoded = &w->decoded,
		.add = add_decoded,
		.arg = w };
	return true;
}

/* The file that has the document alone, which is what a reader is given; NULL: it has none. */
static const struct spool *
file_alone(const struct ingest_work *w, struct slice document)
{
	if (spool_is_open(&w->cut_out))
		return &w->cut_out;
	if (document.p == w->file.map && document.len == w->file.len)
		return &w->file;
	if (document.p == w->decoded.map && document.len == w->decoded.len)
		return &w->decoded;
	return NULL;
}

struct extract_in
ingest_work_document(const struct ingest_work *w, const struct ingest_item *item)
{
	struct extract_in in = { .mime = item->document.mime_type,
		.body = item->bytes,
		.charset = item->charset,
		.password = item->password,
		.is_mapped = w->items.is_mapped };

	if (w->items.is_mapped)
		in.file = file_alone(w, item->bytes);
	return in;
}

bool
ingest_work_is_cut_out(const struct ingest_work *w)
{
	const struct ingest_item *item = &w->items.items[w->at];
	const struct document_format *format = format_find(item->document.mime_type);

	return w->items.is_mapped && format->reader != READER_TEXT &&
	    file_alone(w, item->bytes) == NULL;
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
		(void)ingest_room_add(&w->room, &w->cut_out, piece, &w->job.err);
		spool_unload_behind(bytes, at, CUT_OUT_PIECE);
	}
	spool_unload(bytes);
}
