/* SPDX-License-Identifier: MIT */
/*
 * embeddings_schema: the statements of version 6, for the copy of an app's own table of vectors
 * (embeddings_copy.h). Private to retrieval_schema.c.
 *
 * Which of its rows were looked at is written down one by one, for they are not committed in the
 * order of their ids. document_id: in one row of each batch that had some of the document.
 */
#ifndef TENANTGATE_RETRIEVAL_EMBEDDINGS_SCHEMA_H
#define TENANTGATE_RETRIEVAL_EMBEDDINGS_SCHEMA_H

#define MAKE_EMBEDDINGS_COPIED \
	"CREATE TABLE IF NOT EXISTS public.embeddings_copied (" \
	" id bigint PRIMARY KEY," \
	" document_id pg_catalog.text)"
#define INDEX_EMBEDDINGS_COPIED \
	"CREATE INDEX IF NOT EXISTS embeddings_copied_document" \
	" ON public.embeddings_copied (document_id) WHERE document_id IS NOT NULL"

/* from: where the pass under way has come to. phase: of enum embeddings_phase. due: before it no
 * pass begins; null until what a build of before has copied is written down. */
#define ADD_EMBEDDINGS_STATE \
	"ALTER TABLE public.retrieval" \
	" ADD COLUMN IF NOT EXISTS embeddings_from bigint NOT NULL DEFAULT " EMBEDDINGS_FIRST "," \
	" ADD COLUMN IF NOT EXISTS embeddings_phase int NOT NULL DEFAULT 0," \
	" ADD COLUMN IF NOT EXISTS embeddings_due pg_catalog.timestamptz"
#define EMBEDDINGS_FIRST "'-9223372036854775808'::bigint"

/*
 * Builds of before go by ids alone, up to copied_to, or to the end (-1), and do not write down what
 * they copy: so for them it is at the end from now on. The row is locked first, so that each
 * statement behind it sees what theirs have copied.
 */
#define TAKE_EMBEDDINGS_OVER \
	"DO $$ DECLARE last bigint; BEGIN" \
	" SELECT copied_to INTO last FROM public.retrieval" \
	"  WHERE one AND embeddings_due IS NULL FOR UPDATE;" \
	" IF NOT FOUND THEN RETURN; END IF;" \
	" IF last" PG_DIFFERS "0 AND coalesce(pg_catalog.has_table_privilege(" \
	"  pg_catalog.to_regclass('public.embeddings')::pg_catalog.oid, 'SELECT'), false) THEN" \
	"  INSERT INTO public.embeddings_copied (id, document_id)" \
	"   SELECT id, CASE WHEN pg_catalog.row_number() OVER (PARTITION BY name ORDER BY id)" \
	PG_EQUALS "1 THEN name END FROM (SELECT id," \
	"    CASE WHEN embedding IS NOT NULL AND content" PG_DIFFERS "''" \
	"     THEN metadata OPERATOR(pg_catalog.->>) 'documentId' END AS name" \
	"    FROM public.embeddings WHERE last" PG_EQUALS "-1 OR id" PG_AT_MOST "last) e" \
	"   ON CONFLICT DO NOTHING;" \
	" END IF;" \
	" UPDATE public.retrieval SET copied_to = -1, embeddings_due = " PG_NOW " WHERE one; END $$"

/* For databases in use, and for new ones. */
#define EMBEDDINGS_STEPS \
	{ 6, NULL, MAKE_EMBEDDINGS_COPIED }, { 6, NULL, INDEX_EMBEDDINGS_COPIED }, \
	    { 6, NULL, ADD_EMBEDDINGS_STATE }, \
	{ \
		6, NULL, TAKE_EMBEDDINGS_OVER \
	}
#define EMBEDDINGS_SCHEMA \
	MAKE_EMBEDDINGS_COPIED, INDEX_EMBEDDINGS_COPIED, ADD_EMBEDDINGS_STATE, TAKE_EMBEDDINGS_OVER

#endif
