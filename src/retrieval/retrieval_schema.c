/* SPDX-License-Identifier: MIT */
/*
 * retrieval_schema: what a tenant's database holds: documents, and their chunks with a vector each.
 * The statements are harmless when repeated, for an attempt at provisioning may go on anywhere.
 * Another form of the tables is another RETRIEVAL_SCHEMA_VERSION, whose statements stand twice:
 * behind those of before it (a database that is adopted may be of any version), and as steps for
 * databases that are in use. They add, and take nothing away that builds of before need.
 */
#include "tenantgate/retrieval.h"

#include "retrieval/embeddings_schema.h"
#include "retrieval/sketch_schema.h"
#include "retrieval/staging_schema.h"
#include "retrieval/text_schema.h"
#include "retrieval/vector_storage.h"
#include "tenantgate/wire/pg_sql.h"

#define STATEMENTS 48 /* with the NULL, and some to spare */

static const char make_extension[] = "CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public";

/* A statement on pgvector's names, wherever somebody has made or moved it to: its schema is the
 * search path until the end of the transaction, whatever the role's is. */
#define WITH_VECTOR(statement) \
	"DO $$ BEGIN" \
	" PERFORM pg_catalog.set_config('search_path', pg_catalog.quote_ident(n.nspname), true)" \
	"  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n" \
	"  ON n.oid OPERATOR(pg_catalog.=) e.extnamespace" \
	"  WHERE e.extname OPERATOR(pg_catalog.=) 'vector';" \
	" " statement "; END $$"

static const char make_document[] =
    "CREATE TABLE IF NOT EXISTS public.document ("
    " id pg_catalog.text PRIMARY KEY,"
    " title pg_catalog.text NOT NULL,"
    " file_name pg_catalog.text NOT NULL,"
    " mime_type pg_catalog.text NOT NULL,"
    " metadata pg_catalog.jsonb NOT NULL DEFAULT '{}',"
    " sha256 pg_catalog.text NOT NULL,"
    " bytes bigint NOT NULL,"
    " pages int NOT NULL,"
    " chunks int NOT NULL,"
    " created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now())";

static const char make_chunk[] =
    WITH_VECTOR("CREATE TABLE IF NOT EXISTS public.chunk ("
		" id bigserial PRIMARY KEY,"
		" document_id text NOT NULL REFERENCES public.document ON DELETE CASCADE,"
		" chunk_index int NOT NULL,"
		" page int,"
		" content text NOT NULL,"
		" metadata jsonb NOT NULL DEFAULT '{}',"
		" embedding vector(%u) NOT NULL)");

/* Search among documents, and the deletion of one document's chunks. */
static const char index_document[] = "CREATE INDEX IF NOT EXISTS chunk_document"
				     " ON public.chunk (document_id, chunk_index)";

/* Version 2: whose user's a document is, and when it goes by itself. */
#define ADD_OWNER_AND_EXPIRY \
	"ALTER TABLE public.document ADD COLUMN IF NOT EXISTS owner_id pg_catalog.text," \
	" ADD COLUMN IF NOT EXISTS expires_at pg_catalog.timestamptz"
#define INDEX_EXPIRY "document_expiry ON public.document (expires_at) WHERE expires_at IS NOT NULL"

/*
 * Version 3: which chunks the vectors' index covers, and what is known of the vectors as a whole.
 *
 * tail: the index is made for NOT tail OR id <= indexed_to (index_hnsw.c); what is behind it, the
 * tail, is searched exactly. hash: of the content (chunk_hash()), whose vector serves wherever the
 * same text comes again.
 */
#define ADD_TAIL_AND_HASH \
	"ALTER TABLE public.chunk" \
	" ADD COLUMN IF NOT EXISTS tail boolean NOT NULL DEFAULT true," \
	" ADD COLUMN IF NOT EXISTS hash pg_catalog.bytea"
#define INDEX_TAIL "chunk_tail ON public.chunk (id) WHERE tail"

/*
 * A vector of up to 2,000 dimensions stands in its row, which fills a page: an exact search reads
 * it without a second look-up, in half the time. Of up to 1,536 there is room for a passage beside
 * it; past that all else goes out of the row first (MAIN), of which as much is left at 2,000 as a
 * page holds. Rows of before stay as they are.
 * VACUUM would repair the vectors' graph row by row, which takes longer than a new index; so it
 * leaves indexes alone, and what is dead in them goes with the next one.
 */
#define STORE_VECTORS_IN_ROWS \
	"DO $$ DECLARE dimensions int := (SELECT atttypmod FROM pg_catalog.pg_attribute" \
	"  WHERE attrelid" PG_EQUALS "'public.chunk'::pg_catalog.regclass" \
	"  AND attname" PG_EQUALS "'embedding'); BEGIN" \
	" ALTER TABLE public.chunk SET (toast_tuple_target = 8160, vacuum_index_cleanup = off);" \
	" " STORE_EMBEDDING("dimensions") "END $$"

/* One row. indexed_to: 0 while there is no index. index_rows, index_bytes: how many chunks it had
 * when it was new, and its size. not_copied, and below version 6 copied_to: of another table's
 * vectors (embeddings_copy.h). merger: who makes the next one, until when. */
#define MAKE_RETRIEVAL \
	"CREATE TABLE IF NOT EXISTS public.retrieval (" \
	" one boolean PRIMARY KEY DEFAULT true CHECK (one)," \
	" indexed_to bigint NOT NULL DEFAULT 0," \
	" index_name pg_catalog.text NOT NULL DEFAULT ''," \
	" index_rows bigint NOT NULL DEFAULT 0," \
	" index_bytes bigint NOT NULL DEFAULT 0," \
	" copied_to bigint NOT NULL DEFAULT 0," \
	" not_copied bigint NOT NULL DEFAULT 0," \
	" merger pg_catalog.text," \
	" merger_until pg_catalog.timestamptz," \
	" embedding_model pg_catalog.text," \
	" embedding_dimensions int," \
	" embedding_normalized boolean)"
#define FILL_RETRIEVAL "INSERT INTO public.retrieval DEFAULT VALUES ON CONFLICT DO NOTHING"

/*
 * Whatever deletes a document deletes its chunks: all at once, by a trigger of the statement. A
 * foreign key would look for the document once more with each chunk that is stored, a sixth to a
 * quarter of what storing it costs. Whoever stores chunks has locked their document's row before,
 * so that none is deleted in between (document_store.c, embeddings_copy.c). Where no document was
 * deleted, the chunks' lock is not asked for.
 */
#define MAKE_CHUNKS_TRIGGER \
	"CREATE OR REPLACE FUNCTION public.document_gone() RETURNS pg_catalog.trigger" \
	" LANGUAGE plpgsql AS $$ BEGIN" \
	" IF EXISTS (SELECT FROM gone) THEN" \
	"  DELETE FROM public.chunk c USING gone WHERE c.document_id" PG_EQUALS "gone.id;" \
	" END IF; RETURN NULL; END $$"
#define ADD_CHUNKS_TRIGGER \
	"CREATE OR REPLACE TRIGGER document_gone AFTER DELETE ON public.document" \
	" REFERENCING OLD TABLE AS gone" \
	" FOR EACH STATEMENT EXECUTE FUNCTION public.document_gone()"
#define DROP_CHUNKS_KEY "ALTER TABLE public.chunk DROP CONSTRAINT IF EXISTS chunk_document_id_fkey"

static const char *const text_schema[] = { TEXT_SCHEMA };
static const char *const text_places_schema[] = { TEXT_PLACES_SCHEMA };
static const char *const sketch_schema[] = { SKETCH_SCHEMA };
static const char *const embeddings_schema[] = { EMBEDDINGS_SCHEMA };

static const struct tenant_schema_step schema_steps[] = {
	{ 2, NULL, ADD_OWNER_AND_EXPIRY },
	{ 2, "public.document_expiry", "CREATE INDEX CONCURRENTLY IF NOT EXISTS " INDEX_EXPIRY },
	{ 3, NULL, ADD_TAIL_AND_HASH },
	{ 3, NULL, STORE_VECTORS_IN_ROWS },
	{ 3, "public.chunk_tail", "CREATE INDEX CONCURRENTLY IF NOT EXISTS " INDEX_TAIL },
	{ 3, NULL, MAKE_RETRIEVAL },
	{ 3, NULL, FILL_RETRIEVAL },
	TEXT_SCHEMA_STEPS,
	{ 3, NULL, MAKE_STAGED },
	{ 3, "public.chunk_hash", "CREATE INDEX CONCURRENTLY IF NOT EXISTS " INDEX_HASH },
	{ 3, NULL, MAKE_CHUNKS_TRIGGER },
	{ 3, NULL, ADD_CHUNKS_TRIGGER },
	{ 3, NULL, DROP_CHUNKS_KEY },
	TEXT_PLACES_STEPS,
	SKETCH_STEPS,
	EMBEDDINGS_STEPS,
};

const struct tenant_schema_step *
retrieval_schema_steps(size_t *count)
{
	*count = sizeof(schema_steps) / sizeof(schema_steps[0]);
	return schema_steps;
}

const char *const *
retrieval_schema(struct arena *arena, unsigned dimensions)
{
	const char **s = arena_array(arena, STATEMENTS, sizeof(*s));
	unsigned n = 0;

	if (s == NULL)
		return NULL;
	s[n++] = make_extension;
	s[n++] = make_document;
	s[n] = arena_printf(arena, make_chunk, dimensions);
	if (s[n++] == NULL)
		return NULL;
	s[n++] = index_document;
	s[n++] = ADD_OWNER_AND_EXPIRY;
	s[n++] = "CREATE INDEX IF NOT EXISTS " INDEX_EXPIRY;
	s[n++] = ADD_TAIL_AND_HASH;
	s[n++] = STORE_VECTORS_IN_ROWS;
	s[n++] = "CREATE INDEX IF NOT EXISTS " INDEX_TAIL;
	s[n++] = MAKE_RETRIEVAL;
	s[n++] = FILL_RETRIEVAL;
	for (unsigned i = 0; i < sizeof(text_schema) / sizeof(text_schema[0]); i++)
		s[n++] = text_schema[i];
	s[n++] = MAKE_STAGED;
	s[n++] = "CREATE INDEX IF NOT EXISTS " INDEX_HASH;
	s[n++] = MAKE_CHUNKS_TRIGGER;
	s[n++] = ADD_CHUNKS_TRIGGER;
	s[n++] = DROP_CHUNKS_KEY;
	for (unsigned i = 0; i < sizeof(text_places_schema) / sizeof(text_places_schema[0]); i++)
		s[n++] = text_places_schema[i];
	for (unsigned i = 0; i < sizeof(sketch_schema) / sizeof(sketch_schema[0]); i++)
		s[n++] = sketch_schema[i];
	for (unsigned i = 0; i < sizeof(embeddings_schema) / sizeof(embeddings_schema[0]); i++)
		s[n++] = embeddings_schema[i];
	s[n] = NULL;
	return s;
}
