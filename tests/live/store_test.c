/* SPDX-License-Identifier: MIT */
/*
 * retrieval's SQL against a real Postgres with pgvector. TEST_PG is a conninfo of somebody who may
 * create databases; the test makes one for itself and drops it.
 *
 *	TEST_PG="host=127.0.0.1 port=5432 dbname=postgres user=tester password=secret" store_test
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "tenantgate/retrieval.h"

#define DIMENSIONS 64
#define DOCUMENTS  20
#define EACH	   100 /* chunks of a document */

static struct worker *worker;
static struct arena *arena;
static struct pg_target target;
static struct pg_conn *conn;
static char database[64];

/* One operation in a flow of its own, as if it were a call. */
struct scene {
	struct flow flow;
	const struct pg_query *query;
	struct pg_result *result;
	struct document *document;
	const struct chunk_list *chunks;
	const float *vectors;
	unsigned dimensions;
	const char *id;
	bool found;
	const char *const *ids;
	unsigned id_count, k;
	struct hits hits;
	struct err err;
};

static struct scene *
scene_of(struct flow *f)
{
	return (struct scene *)f;
}

static enum flow_rc
scene_dial(struct flow *f)
{
	return pg_connect(f, NULL, &target, 5000000, &conn, scene_of(f)->result);
}

static enum flow_rc
scene_run(struct flow *f)
{
	return pg_run(f, conn, scene_of(f)->query, scene_of(f)->result);
}

static enum flow_rc
scene_store(struct flow *f)
{
	struct scene *s = scene_of(f);

	return store_document(f, conn, s->document, s->chunks, s->vectors, s->dimensions);
}

static enum flow_rc
scene_find(struct flow *f)
{
	struct scene *s = scene_of(f);

	return store_find(f, conn, s->id, s->document, &s->found);
}

static enum flow_rc
scene_search(struct flow *f)
{
	struct scene *s = scene_of(f);

	return search_chunks(f, conn, s->vectors, s->dimensions, s->ids, s->id_count, s->k,
	    &s->hits);
}

static void
scene_end(struct flow *f, const struct err *err)
{
	scene_of(f)->err = *err;
}

#define SCENE(name) \
	static const struct flow_step name##_steps[] = { { #name, scene_##name }, \
		{ NULL, NULL } }; \
	static const struct flow_kind name##_kind = { #name, name##_steps, scene_end, NULL }
SCENE(dial);
SCENE(run);
SCENE(store);
SCENE(find);
SCENE(search);

static void
play(struct scene *s, const struct flow_kind *kind)
{
	flow_start(&s->flow, kind, worker, arena);
	while (flow_count(worker) > 0)
		worker_turn(worker, 100);
}

static void
dial(const char *dbname)
{
	struct pg_result why = { 0 };
	struct scene s = { .result = &why };

	target.dbname = dbname;
	pg_conn_close(conn);
	conn = NULL;
	play(&s, &dial_kind);
	if (conn == NULL)
		fail_msg("%s", why.failure.message);
}

/* The first value of the answer, until the next call. */
static const char *
sql(const char *text)
{
	static char value[128];
	struct pg_query q = { .sql = text };
	struct pg_result r = { 0 };
	struct scene s = { .query = &q, .result = &r };

	play(&s, &run_kind);
	if (r.status != PG_OK)
		fail_msg("%s: %s", text, r.failure.message);
	snprintf(value, sizeof(value), "%s", pg_rows(&r) > 0 ? pg_text(&r, 0, 0) : "");
	pg_clear(&r);
	return value;
}

/* ---- a small world of documents: each in a direction of its own, chunks around it ---- */

static float vectors[EACH * DIMENSIONS];
static struct chunk chunks[EACH];
static char contents[EACH][64];

static void
unit(float *v, unsigned document, unsigned chunk)
{
	memset(v, 0, DIMENSIONS * sizeof(*v));
	v[document] = 1;
	v[DOCUMENTS + chunk % (DIMENSIONS - DOCUMENTS)] += 0.1f + 0.001f * (float)chunk;
}

static enum err_code
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
	struct chunk_list list = { .items = chunks, .count = count };
	struct scene s = { .document = &d,
		.chunks = &list,
		.vectors = vectors,
		.dimensions = dimensions };

	snprintf(id, sizeof(id), "doc-%u", document);
	for (unsigned i = 0; i < count; i++) {
		snprintf(contents[i], sizeof(contents[i]), "%s %u %u", mark, document, i);
		chunks[i] = (struct chunk){ i, i % 8, slice_str(contents[i]) };
		if (dimensions == DIMENSIONS)
			unit(vectors + i * DIMENSIONS, document, i);
	}
	play(&s, &store_kind);
	if (s.err.code == ERR_NONE)
		assert_int_equal(strlen(d.created_at), 24);
	return s.err.code;
}

static struct hits
search(unsigned document, unsigned chunk, const char *const *ids, unsigned id_count, unsigned k)
{
	float query[DIMENSIONS];
	struct scene s = { .vectors = query,
		.dimensions = DIMENSIONS,
		.ids = ids,
		.id_count = id_count,
		.k = k };

	unit(query, document, chunk);
	play(&s, &search_kind);
	assert_string_equal(s.err.detail, "");
	return s.hits;
}

static void
test_schema_twice(void **state)
{
	const char *const *schema = retrieval_schema(arena, DIMENSIONS);

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; schema[i] != NULL; i++)
			sql(schema[i]);
	}
	dial(database);
	sql("SELECT '[1]'::vector");
	assert_string_equal(sql("SHOW hnsw.iterative_scan"), "strict_order");
	assert_string_equal(sql("SHOW hnsw.ef_search"), "100");
}

static void
test_store_and_find(void **state)
{
	struct document d = { 0 };
	struct scene s = { .id = "doc-3", .document = &d };

	(void)state;
	for (unsigned i = 0; i < DOCUMENTS; i++)
		assert_int_equal(store(i, "first", EACH, DIMENSIONS), ERR_NONE);
	assert_string_equal(sql("SELECT count(*) FROM chunk"), "2000");
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE page IS NULL"), "260");
	play(&s, &find_kind);
	assert_true(s.found);
	assert_string_equal(d.id, "doc-3");
	assert_string_equal(d.title, "A title, 'quoted' \"twice\"");
	assert_true(d.bytes == 5000000000ull);
	assert_int_equal(d.pages, 7);
	assert_int_equal(d.chunks, EACH);
	s.id = "doc-'; DROP TABLE chunk; --";
	play(&s, &find_kind);
	assert_false(s.found);
	assert_int_equal(s.err.code, ERR_NONE);
}

static void
test_replace(void **state)
{
	(void)state;
	assert_int_equal(store(3, "second", 10, DIMENSIONS), ERR_NONE);
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE document_id = 'doc-3'"), "10");
	assert_string_equal(sql("SELECT chunks FROM document WHERE id = 'doc-3'"), "10");
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE content LIKE 'first 3 %'"), "0");
	assert_int_equal(store(3, "first", EACH, DIMENSIONS), ERR_NONE);
}

/* Wrong dimensions, not a number: the COPY fails at its first row or a late one. */
static void
test_failure_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(store(5, "bad", 20, DIMENSIONS - 1), ERR_DATABASE);
	assert_int_equal(pg_conn_state(conn), PG_IDLE);
	assert_string_equal(sql("SELECT sha256 FROM document WHERE id = 'doc-5'"), "first");
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE content LIKE 'first 5 %'"),
	    "100");
	sql("ALTER TABLE chunk ADD CHECK (content <> 'late 5 99')");
	assert_int_equal(store(5, "late", EACH, DIMENSIONS), ERR_DATABASE);
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE content LIKE 'first 5 %'"),
	    "100");
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE content LIKE 'late%'"), "0");
	assert_int_equal(store(99, "late", 0, DIMENSIONS), ERR_NONE); /* no chunks is no harm */
	sql("DELETE FROM document WHERE id = 'doc-99'");
}

static void
test_aborted_midway(void **state)
{
	(void)state;
	for (int turns = 0; turns < 12; turns++) {
		struct chunk_list list = { .items = chunks, .count = EACH };
		struct document d = { .id = "doc-5",
			.title = "",
			.file_name = "",
			.mime_type = "",
			.metadata = "{}",
			.sha256 = "aborted" };
		struct scene s = { .document = &d,
			.chunks = &list,
			.vectors = vectors,
			.dimensions = DIMENSIONS };

		flow_start(&s.flow, &store_kind, worker, arena);
		for (int i = 0; i < turns && flow_count(worker) > 0; i++)
			worker_turn(worker, 1);
		if (flow_count(worker) == 0)
			break; /* it was faster; and so are all the next ones */
		flow_abort(&s.flow, ERR_CLIENT_GONE, "left");
		while (flow_count(worker) > 0)
			worker_turn(worker, 20);
		dial(database);
		if (strcmp(sql("SELECT sha256 FROM document WHERE id = 'doc-5'"), "first") == 0)
			assert_string_equal(sql("SELECT count(*) FROM chunk WHERE content LIKE "
						"'first 5 %'"),
			    "100");
	}
	assert_int_equal(store(5, "first", EACH, DIMENSIONS), ERR_NONE);
}

static void
test_search_all(void **state)
{
	struct hits h = search(7, 40, NULL, 0, 4);

	(void)state;
	assert_int_equal(h.count, 4);
	assert_string_equal(h.items[0].document_id, "doc-7");
	assert_string_equal(h.items[0].file_name, "a.pdf");
	assert_string_equal(h.items[0].mime_type, "application/pdf");
	assert_int_equal(h.items[0].index, 40);
	assert_int_equal(h.items[0].page, 40 % 8);
	assert_true(slice_is(h.items[0].content, "first 7 40"));
	assert_true(fabs(h.items[0].score - 1) < 1e-5);
	assert_true(h.items[3].score <= h.items[0].score);
	sql("SET enable_seqscan = off");
	h = search(7, 40, NULL, 0, SEARCH_K_MAX);
	assert_int_equal(h.count, SEARCH_K_MAX);
	assert_int_equal(h.items[0].index, 40);
	sql("RESET enable_seqscan");
}

/* The question is near another document's chunks: an index filtered behind its scan finds none. */
static void
test_search_some(void **state)
{
	const char *const ids[] = { "doc-2", "doc-\"}'", "doc-11" };
	struct hits h = search(7, 40, ids, 3, 30);

	(void)state;
	assert_int_equal(h.count, 30);
	for (unsigned i = 0; i < h.count; i++) {
		if (strcmp(h.items[i].document_id, "doc-2") != 0)
			assert_string_equal(h.items[i].document_id, "doc-11");
	}
	h = search(2, 5, ids, 1, 3);
	assert_int_equal(h.items[0].index, 5);
	h = search(2, 5, ids + 1, 1, 3);
	assert_int_equal(h.count, 0);
}

static void
test_search_without_length(void **state)
{
	float zero[DIMENSIONS] = { 0 };
	const char *const ids[] = { "doc-2" };
	struct scene s = { .vectors = zero,
		.dimensions = DIMENSIONS,
		.ids = ids,
		.id_count = 1,
		.k = 2 };

	(void)state;
	play(&s, &search_kind);
	assert_int_equal(s.err.code, ERR_NONE);
	for (unsigned i = 0; i < s.hits.count; i++)
		assert_true(s.hits.items[i].score == 0);
	s.dimensions = DIMENSIONS - 1;
	play(&s, &search_kind);
	assert_int_equal(s.err.code, ERR_DATABASE);
}

static int
make_database(void **state)
{
	char text[160];

	(void)state;
	worker = worker_new(0);
	arena = arena_new((size_t)16 << 20);
	snprintf(database, sizeof(database), "store_test_%d", (int)getpid());
	snprintf(text, sizeof(text), "CREATE DATABASE %s", database);
	dial(target.dbname);
	sql(text);
	dial(database);
	return 0;
}

static int
drop_database(void **state)
{
	char text[160];

	(void)state;
	snprintf(text, sizeof(text), "DROP DATABASE %s WITH (FORCE)", database);
	dial("postgres");
	sql(text);
	pg_conn_close(conn);
	worker_free(worker);
	arena_free(arena);
	return 0;
}

static void
target_set(const PQconninfoOption *o)
{
	if (strcmp(o->keyword, "host") == 0)
		target.host = o->val;
	else if (strcmp(o->keyword, "port") == 0)
		target.port = (uint16_t)strtoul(o->val, NULL, 10);
	else if (strcmp(o->keyword, "dbname") == 0)
		target.dbname = o->val;
	else if (strcmp(o->keyword, "user") == 0)
		target.user = o->val;
	else if (strcmp(o->keyword, "password") == 0)
		target.password = o->val;
	else if (strcmp(o->keyword, "sslmode") == 0)
		target.sslmode = o->val;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema_twice),
		cmocka_unit_test(test_store_and_find),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_failure_changes_nothing),
		cmocka_unit_test(test_aborted_midway),
		cmocka_unit_test(test_search_all),
		cmocka_unit_test(test_search_some),
		cmocka_unit_test(test_search_without_length),
	};
	const char *conninfo = getenv("TEST_PG");
	PQconninfoOption *options = conninfo == NULL ? NULL : PQconninfoParse(conninfo, NULL);
	int failed;

	if (options == NULL) {
		fprintf(stderr, "store_test: set TEST_PG to a conninfo\n");
		return 2;
	}
	for (PQconninfoOption *o = options; o->keyword != NULL; o++)
		if (o->val != NULL)
			target_set(o);
	failed = cmocka_run_group_tests(tests, make_database, drop_database);
	PQconninfoFree(options);
	return failed;
}
