/* SPDX-License-Identifier: MIT */
/*
 * text_store: the words of stored documents, kept for searches (text_schema.h).
 *
 * A posting is one bigint: the chunk's id, its length in words (14 bits, the longest are taken for
 * as long as that), how often it has the word (10 bits).
 */
#ifndef TENANTGATE_RETRIEVAL_TEXT_STORE_H
#define TENANTGATE_RETRIEVAL_TEXT_STORE_H

#include "tenantgate/retrieval.h"
#include "tenantgate/wire/pg.h"
#include "tenantgate/base/language.h"

/* The condition of the index document_textless, as it must be written for the index to be used. */
#define TEXT_IS_MISSING "(text_at IS NULL OR text_at OPERATOR(pg_catalog.<>) created_at)"

#define TEXT_SEGMENT_CHUNKS "128"
#define TEXT_LENGTH_MAX	    "16383"
#define TEXT_TIMES_MAX	    "1023"

/*
 * Keeps the words of one document, whose chunks are in the table, in the transaction that the
 * connection is in; those that were kept of it before go.
 * About 0.15 ms a chunk. As pg_run(), *out cleared first.
 */
enum flow_rc text_store(struct flow *, struct pg_conn *, const char *document_id,
    enum language language, struct pg_result *out) __attribute__((warn_unused_result));

/*
 * The same for some documents whose words are missing, in a transaction of its own; rows that
 * somebody else has locked are passed over. One row: how many documents it was; 0 when none is left
 * that it might have. language: of those that say none. As pool_read().
 */
enum flow_rc text_store_missing(struct flow *, struct pool_lease *, enum language language,
    struct pg_result *out) __attribute__((warn_unused_result));

/* Their SQL (text_keep.c): $1 the language; $2 of the first, the document's id. */
extern const char text_store_statement[], text_store_missing_statement[];

#endif
