/* SPDX-License-Identifier: MIT */
/*
 * staging_schema: the statements of version 3 that retrieval/staging.h needs. The table takes the
 * type and the storage of its vectors from public.chunk, which is there before. Private to
 * retrieval_schema.c.
 */
#ifndef TENANTGATE_RETRIEVAL_STAGING_SCHEMA_H
#define TENANTGATE_RETRIEVAL_STAGING_SCHEMA_H

/* By the index rows are moved in their order without being sorted. */
#define MAKE_STAGED \
	"DO $$ BEGIN" \
	" CREATE UNLOGGED TABLE IF NOT EXISTS public.chunk_staged" \
	"  WITH (toast_tuple_target = 8160) AS SELECT ''::pg_catalog.text AS attempt," \
	"  chunk_index, page, content, embedding, hash, pg_catalog.now() AS staged_at" \
	"  FROM public.chunk WITH NO DATA;" \
	" ALTER TABLE public.chunk_staged ALTER COLUMN staged_at SET DEFAULT pg_catalog.now();" \
	" CREATE UNIQUE INDEX IF NOT EXISTS chunk_staged_attempt" \
	"  ON public.chunk_staged (attempt, chunk_index);" \
	" EXECUTE (SELECT pg_catalog.concat(" \
	"  'ALTER TABLE public.chunk_staged ALTER COLUMN embedding SET STORAGE '," \
	"  CASE WHEN attstorage" PG_EQUALS "'p' THEN 'PLAIN'" \
	"   WHEN attstorage" PG_EQUALS "'m' THEN 'MAIN' ELSE 'EXTERNAL' END)" \
	"  FROM pg_catalog.pg_attribute" \
	"  WHERE attrelid" PG_EQUALS "'public.chunk'::pg_catalog.regclass" \
	"  AND attname" PG_EQUALS "'embedding'); END $$"

#define INDEX_HASH "chunk_hash ON public.chunk (hash) WHERE hash IS NOT NULL"

#endif
