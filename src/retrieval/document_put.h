/* SPDX-License-Identifier: MIT */
/*
 * document_put: the statements that write a document's row and move its chunks. Private to
 * document_store.c.
 */
#ifndef RETRIEVAL_DOCUMENT_PUT_H
#define RETRIEVAL_DOCUMENT_PUT_H

#include "retrieval/document_owner.h"

/* created_at is that of these bytes: a replaced document is as new as one stored for the first
 * time. */
#define PUT_DOCUMENT(columns, values, changes, condition, returned) \
	"INSERT INTO public.document AS row (id, title, file_name, mime_type, metadata," \
	" sha256, bytes, pages, chunks" columns \
	") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9" values \
	") ON CONFLICT (id) DO UPDATE SET title = excluded.title," \
	" file_name = excluded.file_name, mime_type = excluded.mime_type," \
	" metadata = excluded.metadata, sha256 = excluded.sha256," \
	" bytes = excluded.bytes, pages = excluded.pages," \
	" chunks = excluded.chunks, created_at = " PG_NOW changes condition \
	" RETURNING " PG_RFC3339("created_at") returned

static const char put_plainly[] = PUT_DOCUMENT("", "", "", "", "");

/* Whoever replaces a document does not take it from whose it is. $12: whose alone it may be. */
static const char put_with_owner[] =
    PUT_DOCUMENT(", owner_id, expires_at", ", " OWNER_GIVEN("$10") ", " EXPIRY_GIVEN("$11"),
	", owner_id = coalesce(row.owner_id, excluded.owner_id),"
	" expires_at = " EXPIRY_GIVEN_OR_KEPT("$11", "row."),
	" WHERE $12::pg_catalog.text IS NULL OR row.owner_id" PG_EQUALS "$12",
	", " OWNER_STORED("") ", " EXPIRY_STORED(""));

/* Those of an attempt ($2) become a document's ($1). */
#define MOVE_CHUNKS \
	"INSERT INTO public.chunk (document_id, chunk_index, page, content, embedding, hash)" \
	" SELECT $1, chunk_index, page, content, embedding, hash" \
	" FROM public.chunk_staged WHERE attempt" PG_EQUALS "$2 ORDER BY chunk_index"

/* Where none is noted. */
#define NOTE_MODEL \
	"UPDATE public.retrieval SET embedding_model = $1, embedding_dimensions = $2::int," \
	" embedding_normalized = $3::boolean WHERE one AND embedding_model IS NULL"

#endif
