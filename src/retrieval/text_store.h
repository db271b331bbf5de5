/* SPDX-License-Identifier: MIT */
/*
 * text_store: the words of documents, kept for searches (text_schema.h).
 *
 * A posting is one bigint: the chunk's number, its length in words (14 bits, the longest are taken
 * for as long as that), how often it has the word (10 bits). The number is the chunk's id, or,
 * below zero, its place: segment * 128 + how many of the segment's chunks are before it, less
 * TEXT_PLACES. So places keep the order of their chunks, and are nobody's ids.
 */
#ifndef TENANTGATE_RETRIEVAL_TEXT_STORE_H
#define TENANTGATE_RETRIEVAL_TEXT_STORE_H

#include <stdbool.h>

#include "tenantgate/retrieval.h"
#include "tenantgate/wire/pg.h"
#include "tenantgate/base/language.h"

/* The conditions of the indexes document_textless and document_wordless, as they must be written
 * for these to be used: documents whose words are not kept, below RETRIEVAL_SCHEMA_PLACES and from
 * it on. */
#define TEXT_IS_MISSING "(text_at IS NULL OR text_at OPERATOR(pg_catalog.<>) created_at)"
#define TEXT_IS_OWED \
	TEXT_IS_MISSING " AND (text_placed_at IS NULL" \
			" OR text_placed_at OPERATOR(pg_catalog.<>) created_at)"

#define TEXT_SEGMENT_CHUNKS "128"
#define TEXT_SEGMENT_BITS   "7"
#define TEXT_PLACES	    "549755813888" /* 2^39: a number has 40 bits, and a sign is one */
#define TEXT_LENGTH_MAX	    "16383"
#define TEXT_TIMES_MAX	    "1023"

static inline bool
text_has_places(int schema_version)
{
	return schema_version >= RETRIEVAL_SCHEMA_PLACES;
}

/*
 * Keeps the words of one document, whose chunks are in the table, in the transaction that the
 * connection is in; those that were kept of it before go.
 * About 0.15 ms a chunk. As pg_run(), *out cleared first.
 */
enum flow_rc text_store(struct flow *, struct pg_conn *, const char *document_id,
    enum language language, struct pg_result *out) __attribute__((warn_unused_result));

/*
 * The document's words are from now on what chunks_stage_words() has kept for the attempt, in the
 * transaction that the connection is in; those before are staged in their place, which
 * chunks_discard() takes away. One row: of how many chunks they are; where that is not all, they
 * are not to be committed. A row for each segment is moved, and none for a word. As pg_run(), *out
 * cleared first.
 */
enum flow_rc text_take(struct flow *, struct pg_conn *, const char *document_id,
    const char *attempt, enum language language, struct pg_result *out)
    __attribute__((warn_unused_result));

/*
 * Keeps words for some documents that have none, in a transaction of its own; rows that somebody
 * else has locked are passed over. One row: how many documents it was; 0 when none is left that it
 * might have. language: of those that say none. As pool_read().
 */
enum flow_rc text_store_missing(struct flow *, struct pool_lease *, int schema_version,
    enum language language, struct pg_result *out) __attribute__((warn_unused_result));

/* Their SQL (text_keep.c): $1 the language; $2 of the first, the document's id; of the second, the
 * attempt, and $3 the document's id; of text_stage_statement the attempt, $3 the index of the first
 * chunk and $4 the chunks, as text[]: a segment's, which is there once however often it is sent. */
extern const char text_store_statement[], text_take_statement[], text_store_missing_statement[],
    text_store_owed_statement[], text_stage_statement[];

#endif
