/* SPDX-License-Identifier: MIT */
/*
 * usage_sql: the statements that write usage, and delete what is old.
 */
#ifndef USAGE_USAGE_SQL_H
#define USAGE_USAGE_SQL_H

#include "tenantgate/wire/pg_sql.h"

/* Assignments of sums, none more than its column can hold. */
#define USAGE_SUM(column) \
	column " = u." column PG_PLUS "least(EXCLUDED." column ", 9223372036854775807" PG_MINUS \
	       "greatest(u." column ", 0))"
#define USAGE_SUMS \
	USAGE_SUM("requests") ", " \
	USAGE_SUM("input_tokens") ", " \
	USAGE_SUM("output_tokens") ", " \
	USAGE_SUM("embedding_calls") ", " \
	USAGE_SUM("embedding_tokens") ", " \
	USAGE_SUM("documents") ", " \
	USAGE_SUM("bytes")

/* $1 the writer, $2 the number of its batch, $3 the rows. */
static const char write_batch[] =
    "WITH mine AS (INSERT INTO public.usage_writers AS w (writer_id, batch)"
    "	VALUES ($1, $2::bigint) ON CONFLICT (writer_id) DO UPDATE"
    "	SET batch = EXCLUDED.batch, written_at = " PG_NOW "	WHERE w.batch" PG_BELOW
    "EXCLUDED.batch RETURNING w.writer_id)"
    " INSERT INTO public.tenant_usage AS u (tenant_id, day, model, requests, input_tokens,"
    "	output_tokens, embedding_calls, embedding_tokens, documents, bytes)"
    " SELECT r.tenant, r.day, r.model, r.requests, r.\"inputTokens\", r.\"outputTokens\","
    "	r.\"embeddingCalls\", r.\"embeddingTokens\", r.documents, r.bytes"
    " FROM pg_catalog.jsonb_to_recordset($3::pg_catalog.jsonb) AS r(tenant pg_catalog.text,"
    "	day pg_catalog.date, model pg_catalog.text,"
    "	requests bigint, \"inputTokens\" bigint, \"outputTokens\" bigint,"
    "	\"embeddingCalls\" bigint, \"embeddingTokens\" bigint, documents bigint, bytes bigint)"
    " WHERE EXISTS (SELECT FROM mine)"
    " ORDER BY r.tenant, r.day, r.model"
    " ON CONFLICT (tenant_id, day, model) DO UPDATE SET " USAGE_SUMS;

/* $1 the first day that stays, $2 so many rows at a time. No batch of a writer is sent again after
 * forty days. */
static const char delete_old[] =
    "WITH writers AS (DELETE FROM public.usage_writers"
    "	WHERE written_at" PG_BELOW "(" PG_NOW PG_MINUS "interval '40 days'))"
    " DELETE FROM public.tenant_usage WHERE ctid" PG_EQUALS "ANY (ARRAY("
    "	SELECT ctid FROM public.tenant_usage"
    "	WHERE day" PG_BELOW "$1::pg_catalog.date LIMIT $2::bigint))";

#endif
