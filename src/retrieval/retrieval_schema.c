/* SPDX-License-Identifier: MIT */
/*
 * retrieval_schema: what a tenant's database holds: documents, and their chunks with a vector each.
 * The statements are harmless when repeated, for an attempt at provisioning may go on anywhere.
 * Another form of the tables is another RETRIEVAL_SCHEMA_VERSION, whose statements stand twice:
 * behind those of before it (a database that is adopted may be of any version), and as steps for
 * databases that are in use. They add only, so that builds of before it go on.
 */
#include "tenantgate/retrieval.h"

#define STATEMENTS 10 /* with the NULL */

/* pgvector indexes a vector column up to 2,000 dimensions. embedding_dimensions ends there too, so
 * a tenant without the index is not made today; it would be searched exactly, in time linear in its
 * chunks. */
#define HNSW_DIMENSIONS_MAX 2000

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

/* Cosine distance, as the queries order by: another operator class would not be used. */
static const char index_vectors[] =
    WITH_VECTOR("CREATE INDEX IF NOT EXISTS chunk_embedding"
		" ON public.chunk USING hnsw (embedding vector_cosine_ops)");

/*
 * Settings of every later session, so that a search needs no SET of its own. ef_search is how many
 * candidates an index scan keeps, and so the most rows one returns: 100 is twice SEARCH_K_MAX (40
 * is pgvector's default). iterative_scan goes on where deleted rows have left too few.
 *
 * The cast loads pgvector's library: before that its settings are unknown to the session, and only
 * a superuser may store them. A role that does not own the database may not either: it keeps
 * pgvector's defaults, and a search for more than 40 chunks may return fewer.
 */
static const char keep_settings[] =
    WITH_VECTOR("PERFORM '[1]'::vector;"
		" EXECUTE pg_catalog.format('ALTER DATABASE %I SET hnsw.ef_search = 100',"
		"	pg_catalog.current_database());"
		" EXECUTE pg_catalog.format('ALTER DATABASE %I SET "
		"	hnsw.iterative_scan = strict_order', pg_catalog.current_database());"
		" EXCEPTION WHEN insufficient_privilege THEN NULL");

/* Version 2: whose user's a document is, and when it goes by itself. */
#define ADD_OWNER_AND_EXPIRY \
	"ALTER TABLE public.document ADD COLUMN IF NOT EXISTS owner_id pg_catalog.text," \
	" ADD COLUMN IF NOT EXISTS expires_at pg_catalog.timestamptz"
#define INDEX_EXPIRY "document_expiry ON public.document (expires_at) WHERE expires_at IS NOT NULL"

static const struct tenant_schema_step schema_steps[] = {
	{ 2, NULL, ADD_OWNER_AND_EXPIRY },
	{ 2, "public.document_expiry", "CREATE INDEX CONCURRENTLY IF NOT EXISTS " INDEX_EXPIRY },
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
	if (dimensions <= HNSW_DIMENSIONS_MAX)
		s[n++] = index_vectors;
	s[n++] = keep_settings;
	s[n++] = ADD_OWNER_AND_EXPIRY;
	s[n++] = "CREATE INDEX IF NOT EXISTS " INDEX_EXPIRY;
	s[n] = NULL;
	return s;
}
