/* SPDX-License-Identifier: MIT */
/*
 * store_fixture: a database of the test's own, and what retrieval/ does in it, as if it were calls:
 * a few documents, each in a direction of its own, and searches among them. For one program.
 */
#ifndef TENANTGATE_TESTS_STORE_FIXTURE_H
#define TENANTGATE_TESTS_STORE_FIXTURE_H

#include <unistd.h>

#include "pg_fixture.h"
#include "tenantgate/retrieval.h"

#define DIMENSIONS 64
#define DOCUMENTS  20
#define EACH	   100 /* chunks of a document */

static struct arena *arena;
static struct pool_lease bare; /* a connection without a pool: it is never exchanged */
static const char *first_database;
static char database[64];
static struct chunk_row each[EACH];

/* One operation of retrieval/ in a flow of its own. */
struct store_op {
	struct flow flow;
	struct document *document;
	struct chunk_rows rows;
	size_t count; /* of them */
	struct store_chunks source;
	const char *attempt; /* NULL: nothing is staged */
	const float *vectors;
	unsigned dimensions;
	const char *id;
	bool found;
	const char *const *ids;
	unsigned id_count, k;
	size_t told; /* chunks, of the last progress */
	struct hits hits;
	struct err err;
};

static struct store_op *
store_op_of(struct flow *f)
{
	return (struct store_op *)f;
}

static void
store_told(void *arg, size_t chunks)
{
	((struct store_op *)arg)->told = chunks;
}

static enum flow_rc
store_op_store(struct flow *f)
{
	struct store_op *a = store_op_of(f);

	a->rows = (struct chunk_rows){ .rows = each,
		.count = a->count,
		.dimensions = a->dimensions };
	a->source = (struct store_chunks){ .rows = a->attempt == NULL ? &a->rows : NULL,
		.attempt = a->attempt,
		.schema_version = RETRIEVAL_SCHEMA_VERSION };
	return store_document(f, &bare, a->document, &a->source, store_told, a);
}

static enum flow_rc
store_op_find(struct flow *f)
{
	struct store_op *a = store_op_of(f);

	return store_find(f, &bare, RETRIEVAL_SCHEMA_VERSION, a->id, a->document, &a->found);
}

static enum flow_rc
store_op_search(struct flow *f)
{
	struct store_op *a = store_op_of(f);

	struct search_request request = {
		.vector = a->vectors,
		.dimensions = a->dimensions,
		.document_ids = a->ids,
		.document_count = a->id_count,
		.k = a->k,
		.min_score = -1,
		.schema_version = RETRIEVAL_SCHEMA_VERSION,
	};

	return search_chunks(f, &bare, &request, &a->hits);
}

static inline void
store_op_end(struct flow *f, const struct err *err)
{
	store_op_of(f)->err = *err;
}

#define STORE_OP(name) \
	static const struct flow_step name##_steps[] = { { #name, store_op_##name }, \
		{ NULL, NULL } }; \
	static const struct flow_kind name##_kind = { #name, name##_steps, store_op_end, NULL }
STORE_OP(store);
STORE_OP(find);
STORE_OP(search);

static inline void
store_op_run(struct store_op *a, const struct flow_kind *kind)
{
	flow_start(&a->flow, kind, worker, arena);
	finish_flows();
}

static inline void
redial(const char *dbname)
{
	target.dbname = dbname;
	target.settings = search_settings();
	pg_conn_close(bare.conn);
	bare.conn = dial();
}

static inline const char *
sql(const char *text)
{
	return first_value(bare.conn, text, "");
}

/* ---- a few documents: each in a direction of its own, its chunks around that ---- */

static float vectors[EACH * DIMENSIONS];
static struct chunk chunks[EACH];
static char contents[EACH][64];
static uint8_t hashes[EACH][CHUNK_HASH_SIZE];

static inline void
unit(float *v, unsigned document, unsigned chunk)
{
	memset(v, 0, DIMENSIONS * sizeof(*v));
	v[document] = 1;
	v[DOCUMENTS + chunk % (DIMENSIONS - DOCUMENTS)] += 0.1f + 0.001f * (float)chunk;
}

static inline enum err_code
store(unsigned document, const char *mark, unsigned count, unsigned dimensions)
{
	char id[32];
	struct document d = { .id = id,
		.title = "A title, 'quoted' \"twice\"",
		.file_name = "a.pdf",
		.mime_type = "application/pdf",
		.metadata = "{\"a\": 1}",
		.sha256 = mark,
		.bytes = 5000000000ull,
		.pages = 7,
		.chunks = count };
	struct store_op s = { .document = &d, .count = count, .dimensions = dimensions };

	snprintf(id, sizeof(id), "doc-%u", document);
	for (unsigned i = 0; i < count; i++) {
		snprintf(contents[i], sizeof(contents[i]), "%s %u %u", mark, document, i);
		chunks[i] = (struct chunk){ i, i % 8, slice_str(contents[i]) };
		each[i] = (struct chunk_row){ &chunks[i], hashes[i], vectors + i * dimensions };
		chunk_hash("a-model", chunks[i].content, hashes[i]);
		if (dimensions == DIMENSIONS)
			unit(vectors + i * DIMENSIONS, document, i);
	}
	store_op_run(&s, &store_kind);
	if (s.err.code == ERR_NONE)
		assert_int_equal(strlen(d.created_at), 24);
	return s.err.code;
}

static inline struct hits
search(unsigned document, unsigned chunk, const char *const *ids, unsigned id_count, unsigned k)
{
	float query[DIMENSIONS];
	struct store_op s = { .vectors = query, .ids = ids, .id_count = id_count, .k = k };

	s.dimensions = DIMENSIONS;
	unit(query, document, chunk);
	store_op_run(&s, &search_kind);
	assert_string_equal(s.err.detail, "");
	return s.hits;
}

static inline int
make_database(void **state)
{
	char text[160];

	(void)state;
	worker = worker_new(0);
	arena = arena_new((size_t)16 << 20);
	snprintf(database, sizeof(database), "test_store_%d", (int)getpid());
	redial(first_database = target.dbname);
	snprintf(text, sizeof(text), "CREATE DATABASE %s", database);
	sql(text);
	redial(database);
	return 0;
}

static inline int
drop_database(void **state)
{
	char text[160];

	(void)state;
	snprintf(text, sizeof(text), "DROP DATABASE %s WITH (FORCE)", database);
	redial(first_database);
	sql(text);
	pg_conn_close(bare.conn);
	worker_free(worker);
	arena_free(arena);
	return 0;
}

#endif
