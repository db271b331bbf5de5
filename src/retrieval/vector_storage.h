/* SPDX-License-Identifier: MIT */
/*
 * vector_storage: how public.chunk keeps its vectors, by their dimensions: in the row, where it
 * fits a page. Private to the statements that make the column.
 */
#ifndef RETRIEVAL_VECTOR_STORAGE_H
#define RETRIEVAL_VECTOR_STORAGE_H

#include "tenantgate/wire/pg_sql.h"

/* Statements of PL/pgSQL. dimensions: an expression. */
#define STORE_EMBEDDING(dimensions) \
	"IF " dimensions PG_AT_MOST "1536" \
	" THEN ALTER TABLE public.chunk ALTER COLUMN embedding SET STORAGE PLAIN;" \
	" ELSIF " dimensions PG_AT_MOST "2000" \
	" THEN ALTER TABLE public.chunk ALTER COLUMN embedding SET STORAGE MAIN; END IF; "

#endif
