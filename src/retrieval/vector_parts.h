/* SPDX-License-Identifier: MIT */
/*
 * vector_parts: what the statements of searches have in common. @. stands for pgvector's schema,
 * which vector_statement() puts there; an @ of a filter's condition is none.
 */
#ifndef RETRIEVAL_VECTOR_PARTS_H
#define RETRIEVAL_VECTOR_PARTS_H

#include "retrieval/vector_statement.h"
#include "tenantgate/wire/pg_sql.h"

#define TEXT_OF(x)   #x
#define TEXT(x)	     TEXT_OF(x)
#define LIMIT_BOTH   " LIMIT " TEXT(SEARCH_K_MAX) ") nearest LIMIT $2"
#define CHUNK_FIELDS "id, document_id, page, chunk_index, content"

#define DISTANCE	"embedding OPERATOR(@.<=>) $1::@.vector"
#define CHUNK_DISTANCES "SELECT " CHUNK_FIELDS ", " DISTANCE " AS distance FROM public.chunk"
/* For a sort of many, which would copy the content of each: that of the nearest is read behind it,
 * by their ids one after another (a plain join might read all of them). */
#define ID_DISTANCES "SELECT id, document_id, " DISTANCE " AS distance FROM public.chunk"
#define CHUNKS_OF(nearest) \
	"SELECT n.document_id, c.page, c.chunk_index, c.content, n.distance" \
	" FROM (" nearest ") n CROSS JOIN LATERAL (SELECT page, chunk_index, content" \
	"  FROM public.chunk WHERE id" PG_EQUALS "n.id OFFSET 0) c"

#define OF_DOCUMENTS "document_id" PG_EQUALS "ANY (ARRAY(SELECT id FROM wanted))"

/* Around b, the chunks found. */
#define HITS \
	"SELECT b.document_id, d.title, d.file_name, d.mime_type, b.page, b.chunk_index," \
	" b.content, b.distance, d.metadata"
#define JOIN_DOCUMENT " JOIN public.document d ON d.id" PG_EQUALS "b.document_id"
/* A document whose time is over is about to be deleted, by whichever process: until then it is not
 * found, and fewer chunks than were asked for may be. */
#define JOIN_LIVING \
	JOIN_DOCUMENT " AND (d.expires_at IS NULL OR d.expires_at" PG_ABOVE PG_NOW ")"
#define IN_ORDER      " ORDER BY b.distance, b.document_id, b.chunk_index"
#define INDEX_NAME \
	", (SELECT pg_catalog.concat(index_name, ' ', embedding_model)" \
	" FROM public.retrieval WHERE one)"

/* Of WAY_EXACT_SOME: how many chunks the documents have, behind the table wanted; and in a row of
 * the result, behind INDEX_NAME, for the bound that is the given parameter. */
#define MATCHING \
	", size AS MATERIALIZED (SELECT coalesce(pg_catalog.sum(chunks), 0) AS matching FROM " \
	"wanted)"
#define MATCHING_COLUMNS(bound) \
	", s.matching, CASE WHEN s.matching" PG_ABOVE bound \
	"::bigint THEN (SELECT pg_catalog.sum(chunks) FROM public.document) END"

/* "WITH wanted AS (...)" (id, chunks, text_language): the request's documents. Their conditions
 * take the parameters from `param` on, in this order: ids, owner, filter's values. */
void vector_wanted_write(struct buf *, const struct search_request *, unsigned param);
/* By the index and, exactly, behind it; some: of the table wanted. */
void vector_index_write(struct buf *, const struct vector_index *, const struct search_request *,
	bool some);

#endif
