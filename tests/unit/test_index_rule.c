/* SPDX-License-Identifier: MIT */
/*
 * test_index_rule: from what a tenant's database says to what is done next for its index; and what
 * the kind of index makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "retrieval/index_statement.h"

static struct index_state s;

static void
database(uint64_t rows, uint64_t tail)
{
	s = (struct index_state){
		.column = { .schema = "public", .dimensions = 1536, .version = 800 },
		.rows = rows,
		.tail = tail,
		.last_id = (int64_t)rows,
	};
}

static void
sees_index(const char *name, bool is_valid)
{
	struct index_seen *seen = &s.seen[s.seen_count++];

	snprintf(seen->name, sizeof(seen->name), "%s", name);
	seen->is_valid = is_valid;
	seen->bytes = s.index_bytes;
}

/* Covers all but the tail, when it was published. */
static void
publishes(int64_t bound)
{
	snprintf(s.index_name, sizeof(s.index_name), "chunk_halfvec_%d", (int)bound);
	s.indexed_to = bound;
	s.index_rows = s.rows - s.tail;
	s.index_bytes = s.index_rows * 4000;
	sees_index(s.index_name, true);
}

static void
does(enum index_action action, int64_t bound, const char *name)
{
	struct index_decision d = index_decide(&s, &index_hnsw);

	assert_int_equal(d.action, action);
	assert_int_equal(d.bound, bound);
	if (name != NULL)
		assert_string_equal(d.name, name);
}

static void
few_chunks_have_no_index(void **state)
{
	(void)state;
	database(0, 0);
	does(INDEX_REST, 0, NULL);
	database(2500, 2500);
	does(INDEX_REST, 0, NULL);
	database(2501, 1001);
	does(INDEX_BUILD, 2501, NULL);
	s.column.dimensions = 4001;
	does(INDEX_REST, 0, NULL);
}

static void
a_tail_waits_is_merged_or_gets_a_new_index(void **state)
{
	(void)state;
	database(10000, INDEX_TAIL_REST);
	publishes(10000 - INDEX_TAIL_REST);
	does(INDEX_REST, 0, NULL);
	database(10000, INDEX_TAIL_REST + 1);
	publishes(9999 - INDEX_TAIL_REST);
	does(INDEX_MERGE, 0, NULL);
	database(10000, 2499);
	publishes(7501);
	does(INDEX_MERGE, 0, NULL);
	database(10000, 2500);
	publishes(7500);
	does(INDEX_BUILD, 10000, NULL);
}

static void
what_comes_is_sketched_before_it_is_merged_or_built(void **state)
{
	(void)state;
	database(10000, INDEX_TAIL_REST);
	publishes(10000 - INDEX_TAIL_REST);
	s.has_sketches = true;
	does(INDEX_REST, 0, NULL);
	s.last_id++; /* in the tail or not */
	does(INDEX_SKETCH, 0, NULL);
	s.sketched_of = s.indexed_to;
	s.sketched_to = s.last_id - INDEX_TAIL_REST;
	does(INDEX_REST, 0, NULL);
	s.sketched_of = 0;
	does(INDEX_SKETCH, 0, NULL);
	for (uint64_t tail = INDEX_TAIL_REST + 1; tail < 3000; tail += 2000) {
		database(10000, tail);
		publishes((int64_t)(10000 - tail));
		does(tail < 2500 ? INDEX_MERGE : INDEX_BUILD, tail < 2500 ? 0 : 10000, NULL);
		s.has_sketches = true;
		does(INDEX_SKETCH, 0, NULL);
		s.sketched_of = s.indexed_to;
		s.sketched_to = s.last_id - INDEX_TAIL_REST;
		does(tail < 2500 ? INDEX_MERGE : INDEX_BUILD, tail < 2500 ? 0 : 10000, NULL);
		s.sketched_to--;
		does(INDEX_SKETCH, 0, NULL);
	}
}

static void
sketches_of_another_index_go(void **state)
{
	(void)state;
	database(10000, 0);
	publishes(10000);
	s.sketched_of = 7000;
	s.sketched_to = 10000;
	does(INDEX_REST, 0, NULL);
	s.has_sketches = true;
	does(INDEX_SKETCH, 0, NULL);
	sees_index("chunk_halfvec_7000", true);
	does(INDEX_DROP, 0, "chunk_halfvec_7000");
}

/* Each with what a kill at that moment leaves. */
static void
what_was_cut_off_is_gone_on_with(void **state)
{
	(void)state;
	database(10000, 3000);
	publishes(7000);
	sees_index("chunk_halfvec_10000", false);
	does(INDEX_DROP, 0, "chunk_halfvec_10000");
	s.seen[1].is_valid = true;
	does(INDEX_PUBLISH, 10000, "chunk_halfvec_10000");
	s.indexed_to = 10000;
	snprintf(s.index_name, sizeof(s.index_name), "chunk_halfvec_10000");
	s.tail = 0;
	does(INDEX_DROP, 0, "chunk_halfvec_7000");
	s.seen[0].is_valid = false;
	does(INDEX_DROP, 0, "chunk_halfvec_7000");
	database(10000, 0);
	publishes(10000);
	does(INDEX_REST, 0, NULL);
}

static void
of_several_whole_ones_the_newest_counts(void **state)
{
	(void)state;
	database(10000, 3000);
	publishes(7000);
	sees_index("chunk_vector_8000", true);
	sees_index("chunk_halfvec_9000", true);
	does(INDEX_PUBLISH, 9000, "chunk_halfvec_9000");
}

static void
an_index_that_is_gone_is_made_again_or_forgotten(void **state)
{
	(void)state;
	database(10000, 0);
	publishes(10000);
	s.seen_count = 0;
	does(INDEX_BUILD, 10001, NULL);
	s.rows = 2000;
	does(INDEX_FORGET, 0, NULL);
	s.index_name[0] = '\0';
	s.indexed_to = 0;
	does(INDEX_REST, 0, NULL);
}

static void
a_fifth_that_is_dead_is_too_much(void **state)
{
	(void)state;
	database(10000, 0);
	publishes(10000);
	s.rows = 8001;
	does(INDEX_REST, 0, NULL);
	s.rows = 8000;
	does(INDEX_BUILD, 10001, NULL);
	s.last_id = 12000; /* others have come, and are in the tail */
	s.rows = 8300;
	s.tail = 300;
	does(INDEX_BUILD, 12000, NULL);
	s.rows = 2500;
	s.tail = 0;
	does(INDEX_DROP, 0, "chunk_halfvec_10000");
}

/* What was merged since has made it grow. */
static void
growth_is_no_death(void **state)
{
	(void)state;
	database(10000, 0);
	publishes(10000);
	s.rows = 14000;
	s.seen[0].bytes = s.index_bytes * 14 / 10;
	does(INDEX_REST, 0, NULL);
	s.rows = 11200;
	does(INDEX_BUILD, 10001, NULL);
}

static void
the_index_of_before_stays_until_there_is_another(void **state)
{
	(void)state;
	database(10000, 2501);
	sees_index(INDEX_BEFORE_TAIL, true);
	does(INDEX_BUILD, 10000, NULL);
	sees_index("chunk_halfvec_10000", true);
	does(INDEX_PUBLISH, 10000, NULL);
	database(10000, 0);
	sees_index(INDEX_BEFORE_TAIL, true);
	publishes(10000);
	does(INDEX_DROP, 0, INDEX_BEFORE_TAIL);
	database(2500, 2500);
	sees_index(INDEX_BEFORE_TAIL, true);
	does(INDEX_DROP, 0, INDEX_BEFORE_TAIL);
}

static void
others_indexes_are_left_alone(void **state)
{
	static const char *const names[] = { "chunk_", "chunk_halfvec_", "chunk_halfvec_0",
		"chunk_halfvec_-5", "chunk_halfvec_12x", "chunk_halfvec_1; drop table chunk",
		"chunk_other_5", "their own" };

	(void)state;
	database(10000, 0);
	publishes(10000);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(index_hnsw.bound(names[i]), -1);
		s.seen_count = 1;
		sees_index(names[i], false);
		does(INDEX_REST, 0, NULL);
	}
}

static void
the_statement_is_of_the_columns_form(void **state)
{
	struct vector_column c = { .schema = "\"Their own\"", .dimensions = 1536, .version = 800 };
	char name[INDEX_NAME_SIZE];
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_true(index_hnsw.create(&c, 42, &b));
	assert_string_equal(b.data,
	    "CREATE INDEX CONCURRENTLY chunk_halfvec_42 ON public.chunk USING hnsw"
	    " ((embedding::\"Their own\".halfvec(1536)) \"Their own\".halfvec_cosine_ops)"
	    " WHERE (NOT tail OR id OPERATOR(pg_catalog.<=) 42)");
	c.version = 605;
	buf_reset(&b);
	assert_true(index_hnsw.create(&c, 42, &b));
	assert_non_null(strstr(b.data, "chunk_vector_42"));
	assert_non_null(strstr(b.data, "(embedding \"Their own\".vector_cosine_ops)"));
	index_hnsw.name(&c, INT64_MAX, name);
	assert_true(index_hnsw.bound(name) == INT64_MAX);
	c.dimensions = 2001;
	assert_false(index_hnsw.serves(&c));
	c.version = 700;
	assert_true(index_hnsw.serves(&c));
	buf_free(&b);
}

/* Measured: so many rows of 1,536 dimensions fit 64 MB; and where a parallel build is sound. */
static void
memory_is_what_was_measured(void **state)
{
	struct vector_column c = { .dimensions = 1536, .version = 801 };
	uint64_t limit = 64u << 20;

	(void)state;
	assert_in_range(limit / index_hnsw.memory(&c, 1), 16700, 17406);
	assert_false(index_hnsw.in_parallel(&c));
	c.version = 802;
	assert_true(index_hnsw.in_parallel(&c));
	c.version = 600;
	assert_in_range(limit / index_hnsw.memory(&c, 1), 9300, 9665);
	assert_true(index_build_timeout_us(30000) == 900 * 1000000ull);
}

/* A build fits what it may take, and is alone where several would write past their memory. */
static void
a_build_has_its_settings(void **state)
{
	struct index_decision build = { .action = INDEX_BUILD, .bound = 10000 };
	struct index_order o = { .state = &s, .decision = &build, .kind = &index_hnsw };
	struct pg_query q;

	(void)state;
	database(10000, 10000);
	o.memory_max = (size_t)1 << 30;
	q = index_settings_query(&o, true);
	assert_string_equal(q.params[0].data, "500000");
	assert_string_equal(q.params[1].data, "42758");
	assert_string_equal(q.params[2].data, "0");
	assert_non_null(strstr(index_settings_query(&o, false).sql, "SET (parallel_workers = 0)"));
	o.memory_max = (size_t)32 << 20;
	s.column.version = 802;
	q = index_settings_query(&o, true);
	assert_string_equal(q.params[1].data, "32768");
	assert_null(q.params[2].data);
	assert_non_null(strstr(index_settings_query(&o, false).sql, "RESET (parallel_workers)"));
	build.action = INDEX_DROP;
	assert_non_null(index_settings_query(&o, true).sql);
	assert_null(index_settings_query(&o, false).sql);
	build.action = INDEX_MERGE;
	assert_null(index_settings_query(&o, true).sql);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_chunks_have_no_index),
		cmocka_unit_test(a_tail_waits_is_merged_or_gets_a_new_index),
		cmocka_unit_test(what_comes_is_sketched_before_it_is_merged_or_built),
		cmocka_unit_test(sketches_of_another_index_go),
		cmocka_unit_test(what_was_cut_off_is_gone_on_with),
		cmocka_unit_test(of_several_whole_ones_the_newest_counts),
		cmocka_unit_test(an_index_that_is_gone_is_made_again_or_forgotten),
		cmocka_unit_test(a_fifth_that_is_dead_is_too_much),
		cmocka_unit_test(growth_is_no_death),
		cmocka_unit_test(the_index_of_before_stays_until_there_is_another),
		cmocka_unit_test(others_indexes_are_left_alone),
		cmocka_unit_test(the_statement_is_of_the_columns_form),
		cmocka_unit_test(memory_is_what_was_measured),
		cmocka_unit_test(a_build_has_its_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
