/* SPDX-License-Identifier: MIT */
/*
 * document_chunks: a document's chunks from the tenant's database, a page at a time, by the index
 * chunk_document. A page ends where its contents are many bytes too: chunk_size may be large, and
 * a response is written in one turn of the loop.
 */
#include <assert.h>

#include "retrieval/document_owner.h"

#define PAGE_BYTES "1048576"

/* Of the page's contents, those of the rows before. */
#define BYTES_BEFORE \
	"coalesce(pg_catalog.sum(pg_catalog.octet_length(content)) OVER (ORDER BY chunk_index" \
	" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)"

/* Of all the document's chunks: each row is read, so it is asked for once a listing. */
#define INDEXED_CHUNKS \
	", (SELECT pg_catalog.count(*) FROM public.chunk i JOIN public.retrieval r" \
	" ON r.one AND r.indexed_to" PG_ABOVE "0 AND (NOT i.tail OR i.id" PG_AT_MOST \
	"r.indexed_to) WHERE i.document_id" PG_EQUALS "d.id)"

#define CHUNKS(column, condition) \
	"SELECT c.chunk_index, c.page, CASE WHEN c.before" PG_BELOW PAGE_BYTES \
	" THEN c.content END, d.chunks" column " FROM public.document d" \
	" LEFT JOIN LATERAL (SELECT chunk_index, page, content, " BYTES_BEFORE \
	" AS before FROM (SELECT chunk_index, page, content FROM public.chunk" \
	" WHERE document_id" PG_EQUALS "d.id AND chunk_index" PG_ABOVE "$2::int" \
	" ORDER BY chunk_index LIMIT $3::bigint) AS p) AS c ON true" \
	" WHERE d.id" PG_EQUALS "$1" condition " ORDER BY c.chunk_index"
#define OF_OWNER " AND d.owner_id" PG_EQUALS "$4"

enum flow_rc
store_chunks(struct flow *f, struct pool_lease *lease, int schema_version, const char *id,
    const char *owner, int after, unsigned limit, struct pg_result *out)
{
	bool counts = after < 0 && schema_version >= RETRIEVAL_SCHEMA_TAIL;
	const char *from = arena_printf(f->arena, "%d", after);
	const char *most = arena_printf(f->arena, "%u", limit);
	struct pg_query q = {
		.sql = counts ? CHUNKS(INDEXED_CHUNKS, "") : CHUNKS(", NULL", ""),
		.params = { PG_TEXT(id), PG_TEXT(from), PG_TEXT(most), PG_TEXT(owner) },
		.param_count = owner != NULL ? 4 : 3,
	};

	assert(owner == NULL || document_has_owner(schema_version));
	if (owner != NULL)
		q.sql = counts ? CHUNKS(INDEXED_CHUNKS, OF_OWNER) : CHUNKS(", NULL", OF_OWNER);
	if (from == NULL || most == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's chunks");
	return pool_read(f, lease, &q, out);
}
