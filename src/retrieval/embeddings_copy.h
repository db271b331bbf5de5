/* SPDX-License-Identifier: MIT */
/*
 * embeddings_copy: a database that comes from an app which kept its vectors in one table,
 *
 *	public.embeddings (id, content text, metadata jsonb, embedding vector), id unique
 *
 * with {"documentId": ...} as metadata, has that table copied into ours, each row once, in batches
 * of one statement each. The table stays as it was, and nobody who writes to it waits.
 *
 * Rows are not committed in the order of their ids. So which of them were looked at is written down
 * (public.embeddings_copied, in the batch's own statement: whoever is killed, the next goes on),
 * and the table is gone through again from its beginning for those that are not, by the row of
 * public.retrieval:
 *
 *	embeddings_from		where the pass under way has come to
 *	embeddings_phase	COPYING until a pass begins while nobody is seen writing to the
 *				table, CHECKING until that pass has come to the end, then COPIED
 *	embeddings_due		when the next one may begin
 *
 * Whoever writes to the table has its lock until his rows can be seen: so a pass that begins behind
 * a moment without such a lock misses nothing of what was written before. What an app that goes on
 * writes afterwards is found by later passes.
 *
 * A document's title is its id, its type a PDF's, and its bytes are not known; its chunks are in
 * the order of the table, what was found later behind, and have no pages. Rows without vector or
 * document are left out and counted. Neither is a document's chunk copied that is stored with us
 * already, or the rest of one that is deleted meanwhile. The app's vectors
 * are EMBEDDINGS_MODEL's, and are copied where the tenant has no other model's, whichever server
 * makes those (vector_model.c).
 */
#ifndef RETRIEVAL_EMBEDDINGS_COPY_H
#define RETRIEVAL_EMBEDDINGS_COPY_H

#include "tenantgate/wire/pg.h"
#include "tenantgate/wire/pg_sql.h"

#define RETRIEVAL_SCHEMA_COPIED 6 /* from which it is copied so */

#define EMBEDDINGS_MODEL "text-embedding-3-small"

#define EMBEDDINGS_TYPE(name) "'pg_catalog." name "'::pg_catalog.regtype::pg_catalog.oid"

enum embeddings_phase {
	EMBEDDINGS_COPYING,
	EMBEDDINGS_CHECKING,
	EMBEDDINGS_COPIED, /* once and for all: only what is written later is to be copied */
};

/* Expressions over r, the row of public.retrieval, and a, that of chunk's embedding in
 * pg_attribute: whether there is such a table, by whoever asks. One of that name whose columns are
 * of other types is another app's. */
#define EMBEDDINGS_ARE_THERE \
	"coalesce(r.embedding_model OPERATOR(pg_catalog.~)" \
	" '(^|/)" EMBEDDINGS_MODEL "$', true)" \
	" AND coalesce(pg_catalog.has_table_privilege(" \
	"pg_catalog.to_regclass('public.embeddings')::pg_catalog.oid, 'SELECT'), false)" \
	" AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute e" \
	"  WHERE e.attrelid" PG_EQUALS \
	"pg_catalog.to_regclass('public.embeddings')::pg_catalog.oid" \
	"  AND NOT e.attisdropped" \
	"  AND ((e.attname" PG_EQUALS "'id' AND (e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("int4") \
	"    OR e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("int8") ") AND " EMBEDDINGS_ID_IS_UNIQUE ")" \
	"   OR (e.attname" PG_EQUALS "'content' AND (e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("text") \
	"    OR e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("varchar") "))" \
	"   OR (e.attname" PG_EQUALS "'metadata' AND e.atttypid" PG_EQUALS \
	EMBEDDINGS_TYPE("jsonb") ")" \
	"   OR (e.attname" PG_EQUALS "'embedding' AND e.atttypid" PG_EQUALS "a.atttypid" \
	"    AND e.atttypmod" PG_EQUALS "a.atttypmod)))" PG_EQUALS "4"
#define EMBEDDINGS_ID_IS_UNIQUE \
	"EXISTS (SELECT FROM pg_catalog.pg_index u WHERE u.indrelid" PG_EQUALS "e.attrelid" \
	" AND u.indisunique AND u.indimmediate AND u.indisvalid AND u.indpred IS NULL" \
	" AND u.indnkeyatts" PG_EQUALS "1 AND u.indkey[0]" PG_EQUALS "e.attnum)"

/* ... and it is not copied yet: in a database of any schema, where below RETRIEVAL_SCHEMA_COPIED it
 * is not known. */
#define EMBEDDINGS_ARE_LEFT \
	"(" EMBEDDINGS_ARE_THERE " AND coalesce(pg_catalog.to_jsonb(r)" \
	" OPERATOR(pg_catalog.->>) 'embeddings_phase', '')" PG_DIFFERS "'2')"
/* ... and a batch is to be copied now, from that schema on. */
#define EMBEDDINGS_ARE_DUE \
	"(coalesce(r.embeddings_due" PG_AT_MOST PG_NOW ", false) AND " EMBEDDINGS_ARE_THERE ")"

/* A batch; $1 is the holder of the lease, which is renewed: without it no row is changed. A row:
 * how many were left out so far; whether all is copied now, and was not before. */
extern const char	embeddings_copy_sql[];

#endif
