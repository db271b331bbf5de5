/* SPDX-License-Identifier: MIT */
/*
 * schema: what a tenant's database holds: documents, and their chunks with a vector each. The
 * statements are harmless when repeated, for provisioning may be taken up again anywhere.
 */
#include "tenantgate/retrieval.h"

#define STATEMENTS	    8
#define HNSW_DIMENSIONS_MAX 2000 /* pgvector's; longer vectors are searched exactly */

static const char make_extension[] = "CREATE EXTENSION IF NOT EXISTS vector";

static const char make_document[] = "CREATE TABLE IF NOT EXISTS public.document ("
				    " id text PRIMARY KEY,"
				    " title text NOT NULL,"
				    " file_name text NOT NULL,"
				    " mime_type text NOT NULL,"
				    " metadata jsonb NOT NULL DEFAULT '{}',"
				    " sha256 text NOT NULL,"
				    " bytes bigint NOT NULL,"
				    " pages int NOT NULL,"
				    " chunks int NOT NULL,"
				    " created_at timestamptz NOT NULL DEFAULT now())";

static const char make_chunk[] =
    "CREATE TABLE IF NOT EXISTS public.chunk ("
    " id bigserial PRIMARY KEY,"
    " document_id text NOT NULL REFERENCES public.document ON DELETE CASCADE,"
    " chunk_index int NOT NULL,"
    " page int,"
    " content text NOT NULL,"
    " metadata jsonb NOT NULL DEFAULT '{}',"
    " embedding vector(%u) NOT NULL)";

static const char index_document[] = "CREATE INDEX IF NOT EXISTS chunk_document"
				     " ON public.chunk (document_id, chunk_index)";

static const char index_vectors[] = "CREATE INDEX IF NOT EXISTS chunk_embedding"
				    " ON public.chunk USING hnsw (embedding vector_cosine_ops)";

/*
 * Every later session looks far enough for SEARCH_K_MAX rows, and goes on looking where too few
 * were found, without a statement more per search. The cast loads the library: before that, its
 * settings are unknown and only a superuser may keep them. Who does not own the database may not
 * either, and lives with pgvector's defaults.
 */
static const char keep_settings[] =
    "DO $$ BEGIN"
    " PERFORM '[1]'::vector;"
    " EXECUTE format('ALTER DATABASE %I SET hnsw.ef_search = 100', current_database());"
    " EXECUTE format('ALTER DATABASE %I SET hnsw.iterative_scan = strict_order',"
    "	current_database());"
    " EXCEPTION WHEN insufficient_privilege THEN NULL;"
    " END $$";

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
	s[n] = NULL;
	return s;
}
