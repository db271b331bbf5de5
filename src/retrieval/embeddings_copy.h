/* SPDX-License-Identifier: MIT */
/*
 * embeddings_copy: a database that comes from an app which kept its vectors in one table,
 *
 *	public.embeddings (id, content text, metadata jsonb, embedding vector)
 *
 * with {"documentId": ...} as metadata, has that table copied into ours once, in batches, by the
 * row of public.retrieval (copied_to) and in one statement each: whoever is killed, the next goes
 * on behind the last batch. The table stays as it was.
 *
 * A document's title is its id, its type a PDF's, and its bytes are not known; its chunks are in
 * the order of the table, and have no pages. Rows without vector or document are left out and
 * counted. Neither is a document's chunk copied that is stored with us already, or the rest of one
 * that is deleted meanwhile. The app's vectors
 * are EMBEDDINGS_MODEL's, and are copied where the tenant has no other model's, whichever server
 * makes those (vector_model.c).
 */
#ifndef RETRIEVAL_EMBEDDINGS_COPY_H
#define RETRIEVAL_EMBEDDINGS_COPY_H

#include "tenantgate/wire/pg.h"
#include "tenantgate/wire/pg_sql.h"

#define EMBEDDINGS_MODEL "text-embedding-3-small"

#define EMBEDDINGS_TYPE(name) "'pg_catalog." name "'::pg_catalog.regtype::pg_catalog.oid"

/* Whether there is something to be copied, by whoever asks: an expression over r, the row of
 * public.retrieval, and a, that of chunk's embedding in pg_attribute. A table of that name whose
 * columns are of other types is another app's. */
#define EMBEDDINGS_ARE_THERE \
	"(r.copied_to" PG_DIFFERS "-1" \
	" AND coalesce(r.embedding_model OPERATOR(pg_catalog.~)" \
	" '(^|/)" EMBEDDINGS_MODEL "$', true)" \
	" AND coalesce(pg_catalog.has_table_privilege(" \
	"pg_catalog.to_regclass('public.embeddings')::pg_catalog.oid, 'SELECT'), false)" \
	" AND (SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute e" \
	"  WHERE e.attrelid" PG_EQUALS \
	"pg_catalog.to_regclass('public.embeddings')::pg_catalog.oid" \
	"  AND NOT e.attisdropped" \
	"  AND ((e.attname" PG_EQUALS "'id' AND (e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("int4") \
	"    OR e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("int8") "))" \
	"   OR (e.attname" PG_EQUALS "'content' AND (e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("text") \
	"    OR e.atttypid" PG_EQUALS EMBEDDINGS_TYPE("varchar") "))" \
	"   OR (e.attname" PG_EQUALS "'metadata' AND e.atttypid" PG_EQUALS \
	EMBEDDINGS_TYPE("jsonb") ")" \
	"   OR (e.attname" PG_EQUALS "'embedding' AND e.atttypid" PG_EQUALS "a.atttypid" \
	"    AND e.atttypmod" PG_EQUALS "a.atttypmod)))" PG_EQUALS "4)"

/* A batch; $1 is the holder of the lease, which is renewed: without it no row is changed. */
extern const char	embeddings_copy_sql[];
/* Of a batch's result: a line when it was the last. */
void			embeddings_copy_log(const char *tenant, const struct pg_result *);

#endif
