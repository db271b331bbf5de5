/* SPDX-License-Identifier: MIT */
/*
 * retrieval/staging.h against a real Postgres with pgvector: vectors that are there already, rows
 * put aside, and the document that is made of them. TEST_PG as for test_store.
 */
#include "store_fixture.h"

#define HALF (EACH / 2)

/* One operation of staging.h. */
struct stage_op {
	struct flow flow;
	struct chunk_rows rows;
	const char *attempt;
	uint64_t stale_us;
	const uint8_t *hashes[EACH + 1];
	size_t hash_count;
	unsigned dimensions;
	const float *found[EACH + 1];
	float *block;
	size_t told;
	struct err err;
};

static struct stage_op *
stage_op_of(struct flow *f)
{
	return (struct stage_op *)f;
}

static void
stage_told(void *arg, size_t rows)
{
	((struct stage_op *)arg)->told = rows;
}

static enum flow_rc
stage_rows(struct flow *f)
{
	struct stage_op *a = stage_op_of(f);
	const struct chunk_attempt attempt = { a->attempt, RETRIEVAL_SCHEMA_VERSION, a->stale_us };

	return chunks_stage(f, &bare, &attempt, &a->rows, stage_told, a);
}

static enum flow_rc
stage_find(struct flow *f)
{
	struct stage_op *a = stage_op_of(f);

	return chunks_find(f, &bare, a->hashes, a->hash_count, a->dimensions, NULL, a->found,
	    &a->block);
}

static void
stage_op_end(struct flow *f, const struct err *err)
{
	stage_op_of(f)->err = *err;
}

static const struct flow_step stage_steps[] = { { "rows", stage_rows }, { NULL, NULL } };
static const struct flow_kind stage_kind = { "stage", stage_steps, stage_op_end, NULL };
static const struct flow_step look_steps[] = { { "find", stage_find }, { NULL, NULL } };
static const struct flow_kind look_kind = { "look", look_steps, stage_op_end, NULL };

/* The chunks of a document and their vectors, in `each`. */
static void
fill(unsigned document, const char *mark)
{
	for (unsigned i = 0; i < EACH; i++) {
		snprintf(contents[i], sizeof(contents[i]), "%s %u %u", mark, document, i);
		chunks[i] = (struct chunk){ i, i % 8, slice_str(contents[i]) };
		chunk_hash("a-model", chunks[i].content, hashes[i]);
		unit(vectors + i * DIMENSIONS, document, i);
		each[i] = (struct chunk_row){ &chunks[i], hashes[i], vectors + i * DIMENSIONS };
	}
}

static enum err_code
stage(const char *attempt, unsigned from, unsigned count, uint64_t stale_us)
{
	struct stage_op a = { .attempt = attempt,
		.rows = { .rows = each + from, .count = count, .dimensions = DIMENSIONS },
		.stale_us = stale_us };

	flow_start(&a.flow, &stage_kind, worker, arena);
	finish_flows();
	if (a.err.code == ERR_NONE)
		assert_int_equal(a.told, count);
	return a.err.code;
}

static enum err_code
make_whole(const char *attempt, const char *id)
{
	struct document d = { .id = id,
		.title = "",
		.file_name = "",
		.mime_type = "text/plain",
		.metadata = "{}",
		.sha256 = attempt,
		.chunks = EACH };
	struct store_op s = { .document = &d, .attempt = attempt, .dimensions = DIMENSIONS };

	store_op_run(&s, &store_kind);
	return s.err.code;
}

static void
the_schema_is_made(void **state)
{
	const char *const *schema = retrieval_schema(arena, DIMENSIONS);

	(void)state;
	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; schema[i] != NULL; i++)
			sql(schema[i]);
	assert_string_equal(
	    sql("SELECT relpersistence FROM pg_class WHERE oid = 'chunk_staged'::regclass"), "u");
}

static void
vectors_of_known_texts_are_found(void **state)
{
	uint8_t unknown[CHUNK_HASH_SIZE];
	struct stage_op a = { .hash_count = EACH + 1, .dimensions = DIMENSIONS };

	(void)state;
	assert_int_equal(store(1, "known", EACH, DIMENSIONS), ERR_NONE);
	chunk_hash("another-model", chunks[0].content, unknown);
	fill(1, "known");
	for (unsigned i = 0; i < EACH; i++)
		a.hashes[i + 1] = hashes[i];
	a.hashes[0] = unknown;
	flow_start(&a.flow, &look_kind, worker, arena);
	finish_flows();
	assert_int_equal(a.err.code, ERR_NONE);
	assert_null(a.found[0]);
	for (unsigned i = 0; i < EACH; i++)
		assert_memory_equal(a.found[i + 1], vectors + i * DIMENSIONS,
		    DIMENSIONS * sizeof(float));
	free(a.block);
}

static void
vectors_of_another_length_are_none(void **state)
{
	struct stage_op a = { .hash_count = 1, .dimensions = DIMENSIONS - 1 };

	(void)state;
	a.hashes[0] = hashes[0];
	flow_start(&a.flow, &look_kind, worker, arena);
	finish_flows();
	assert_int_equal(a.err.code, ERR_NONE);
	assert_null(a.found[0]);
	free(a.block);
	a.hash_count = 0;
	flow_start(&a.flow, &look_kind, worker, arena);
	finish_flows();
	assert_int_equal(a.err.code, ERR_NONE);
	assert_null(a.block);
}

/* The second half is there first. Another attempt has rows of its own. */
static void
staged_rows_are_moved_in_their_order(void **state)
{
	(void)state;
	fill(2, "staged");
	assert_int_equal(stage("another", 0, HALF, 0), ERR_NONE);
	assert_int_equal(stage("mine", HALF, HALF, 0), ERR_NONE);
	assert_int_equal(stage("mine", 0, HALF, 0), ERR_NONE);
	assert_string_equal(sql("SELECT count(*) FROM document WHERE id = 'two'"), "0");
	assert_int_equal(make_whole("mine", "two"), ERR_NONE);
	assert_string_equal(sql("SELECT string_agg(chunk_index::text, ' ' ORDER BY id) ="
				" (SELECT string_agg(i::text, ' ' ORDER BY i) FROM "
				"generate_series(0, 99) i)"
				" FROM chunk WHERE document_id = 'two'"),
	    "t");
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE document_id = 'two' AND content"
				" = 'staged 2 ' || chunk_index AND hash IS NOT NULL"),
	    "100");
	assert_string_equal(sql("SELECT string_agg(attempt || ' ' || n, ' ' ORDER BY attempt) FROM"
				" (SELECT attempt, count(*) AS n FROM chunk_staged GROUP BY 1) s"),
	    "another 50 mine 100");
	sql("DELETE FROM chunk_staged WHERE attempt = 'mine'");
}

static void
a_row_that_is_gone_stops_the_document(void **state)
{
	(void)state;
	fill(2, "short");
	assert_int_equal(stage("short", 0, EACH, 0), ERR_NONE);
	sql("DELETE FROM chunk_staged WHERE attempt = 'short' AND chunk_index = 40");
	assert_int_equal(make_whole("short", "two"), ERR_DATABASE_AWAY);
	assert_int_equal(pg_conn_state(bare.conn), PG_IDLE);
	assert_string_equal(sql("SELECT sha256 FROM document WHERE id = 'two'"), "mine");
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE content LIKE 'staged 2 %'"),
	    "100");
	assert_string_equal(sql("SELECT count(*) FROM chunk WHERE content LIKE 'short%'"), "0");
}

static void
what_is_old_goes_with_the_first_rows(void **state)
{
	(void)state;
	sql("UPDATE chunk_staged SET staged_at = now() - interval '2 hours'"
	    " WHERE attempt = 'another'");
	assert_int_equal(stage("first", 0, 1, 3600 * 1000000ull), ERR_NONE);
	assert_string_equal(sql("SELECT string_agg(DISTINCT attempt, ' ' ORDER BY attempt)"
				" FROM chunk_staged"),
	    "first short");
	sql("TRUNCATE chunk_staged");
}

/* The same row twice, a vector of another length: none of the batch is there. */
static void
a_batch_is_staged_whole(void **state)
{
	struct stage_op a = { .attempt = "twice",
		.rows = { .rows = each, .count = EACH, .dimensions = DIMENSIONS - 1 } };

	(void)state;
	assert_int_equal(stage("twice", 0, HALF, 0), ERR_NONE);
	assert_int_equal(stage("twice", HALF - 1, HALF, 0), ERR_DATABASE);
	flow_start(&a.flow, &stage_kind, worker, arena);
	finish_flows();
	assert_int_equal(a.err.code, ERR_DATABASE);
	assert_string_equal(sql("SELECT count(*) FROM chunk_staged"), "50");
	sql("TRUNCATE chunk_staged");
}

/* At each turn of the loop: the document is the one before, or the new one, and the staged rows are
 * there whatever becomes of it: they go behind the commit. */
static void
aborted_midway_a_staged_document_is_whole_or_absent(void **state)
{
	bool is_done = false;

	(void)state;
	for (int turns = 0; !is_done; turns++) {
		struct document d = { .id = "two",
			.title = "",
			.file_name = "",
			.mime_type = "text/plain",
			.metadata = "{}",
			.sha256 = "new",
			.chunks = EACH };
		struct store_op s = { .document = &d, .attempt = "new" };

		assert_in_range(turns, 0, 1000);
		sql("TRUNCATE chunk_staged");
		fill(2, "new");
		assert_int_equal(stage("new", 0, EACH, 0), ERR_NONE);
		flow_start(&s.flow, &store_kind, worker, arena);
		for (int i = 0; i < turns && flow_count(worker) > 0; i++)
			worker_turn(worker, 1);
		is_done = flow_count(worker) == 0;
		flow_abort_all(worker, ERR_CLIENT_GONE, "left");
		finish_flows();
		redial(database);
		/* Its transaction has ended when its locks are gone. */
		sql("DO $$ BEGIN LOCK TABLE document, chunk, chunk_staged IN EXCLUSIVE MODE; END "
		    "$$");
		assert_string_equal(sql("SELECT bool_and(CASE d.sha256 WHEN 'new' THEN n = 100"
					" ELSE o = 100 END AND s = 100) FROM document d, (SELECT"
					" count(*) FILTER (WHERE content LIKE 'new 2 %') AS n,"
					" count(*) FILTER (WHERE content LIKE 'staged 2 %') AS o"
					" FROM chunk WHERE document_id = 'two') c,"
					" (SELECT count(*) AS s FROM chunk_staged) t WHERE d.id = "
					"'two'"),
		    "t");
		if (strcmp(sql("SELECT sha256 FROM document WHERE id = 'two'"), "new") == 0)
			break;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_is_made),
		cmocka_unit_test(vectors_of_known_texts_are_found),
		cmocka_unit_test(vectors_of_another_length_are_none),
		cmocka_unit_test(staged_rows_are_moved_in_their_order),
		cmocka_unit_test(a_row_that_is_gone_stops_the_document),
		cmocka_unit_test(what_is_old_goes_with_the_first_rows),
		cmocka_unit_test(a_batch_is_staged_whole),
		cmocka_unit_test(aborted_midway_a_staged_document_is_whole_or_absent),
	};
	PQconninfoOption *options;
	int failed;

	if (!target_from_environment(&options))
		return 2;
	failed = cmocka_run_group_tests(tests, make_database, drop_database);
	PQconninfoFree(options);
	return failed;
}
