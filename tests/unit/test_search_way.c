/* SPDX-License-Identifier: MIT */
/*
 * test_search_way: which way a search goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "retrieval/search_way.h"
#include "retrieval/vector_settings.h"
#include "tenantgate/retrieval.h"

#define NOW RETRIEVAL_SCHEMA_TAIL

static const char *const ids[] = { "a" };
static const struct vector_index none, some = { .indexed_to = 5000 };

static void
what_is_asked_for_and_what_there_is_say_the_way(void **state)
{
	static const struct {
		struct search_request request;
		const struct vector_index *index;
		enum vector_way way;
	} rows[] = {
		{ { .schema_version = NOW }, &none, WAY_EXACT },
		{ { .schema_version = NOW }, &some, WAY_INDEX },
		{ { .schema_version = NOW, .mode = SEARCH_HYBRID }, &some, WAY_INDEX },
		{ { .schema_version = NOW, .mode = SEARCH_TEXT }, &some, WAY_TEXT },
		{ { .schema_version = NOW, .mode = SEARCH_TEXT, .owner = "u" }, &some,
		    WAY_TEXT_SOME },
		{ { .schema_version = NOW, .owner = "u" }, &some, WAY_EXACT_SOME },
		{ { .schema_version = NOW, .document_ids = ids, .document_count = 1 }, &none,
		    WAY_EXACT_SOME },
		{ { .schema_version = NOW - 1 }, &none, WAY_BEFORE_ALL },
		{ { .schema_version = NOW - 1, .document_ids = ids, .document_count = 1 }, &none,
		    WAY_BEFORE_SOME },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(search_way_first(&rows[i].request, rows[i].index).way,
		    rows[i].way);
}

/* By the index only where it covers something and half of all is wanted; exactly once more in any
 * other case, and then whatever there is. */
static void
too_many_chunks_go_another_way_once(void **state)
{
	static const struct {
		int64_t matching, in_all;
		const struct vector_index *index;
		bool is_other;
		enum vector_way way;
	} rows[] = {
		{ SOME_EXACT_MAX, 0, &some, false, WAY_EXACT_SOME },
		{ SOME_EXACT_MAX + 1, 2 * SOME_EXACT_MAX, &some, true, WAY_INDEX_SOME },
		{ SOME_EXACT_MAX + 1, 3 * SOME_EXACT_MAX, &some, true, WAY_EXACT_SOME },
		{ SOME_EXACT_MAX + 1, 2 * SOME_EXACT_MAX, &none, true, WAY_EXACT_SOME },
	};
	const struct search_request request = { .schema_version = NOW, .owner = "u" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct search_way w = search_way_first(&request, rows[i].index);

		assert_int_equal(search_way_next(&w, rows[i].index, rows[i].matching,
				     rows[i].in_all),
		    rows[i].is_other);
		assert_int_equal(w.way, rows[i].way);
		if (rows[i].is_other)
			assert_false(search_way_next(&w, rows[i].index, INT64_MAX, INT64_MAX));
	}
}

/* Four candidates for each row that is wanted; behind a pooler all that a session has otherwise. */
static void
candidates_grow_with_what_is_wanted(void **state)
{
	static const struct {
		enum vector_way way;
		unsigned k;
		bool has_session;
		const char *is; /* among the settings; NULL: there are none */
	} rows[] = {
		{ WAY_INDEX, 25, true, NULL },
		{ WAY_INDEX, 26, true, "hnsw.ef_search = 104;" },
		{ WAY_INDEX, 100, true, "hnsw.ef_search = 400;" },
		{ WAY_INDEX, 10, false, "hnsw.ef_search = 100;" },
		{ WAY_INDEX, 10, false, "enable_seqscan = off;" },
		{ WAY_INDEX, 10, false, "enable_sort = on;" },
		{ WAY_INDEX, 10, false, "jit = off;" },
		{ WAY_INDEX, 100, false, "hnsw.ef_search = 400;" },
		{ WAY_INDEX_SOME, 10, true, "hnsw.ef_search = 400;" },
		{ WAY_INDEX_SOME, 10, true, "enable_sort = off;" },
		{ WAY_INDEX_SOME, 10, true, "hnsw.iterative_scan = relaxed_order" },
		{ WAY_EXACT, 100, true, NULL },
		{ WAY_TEXT, 100, true, NULL },
		{ WAY_EXACT, 10, false, "jit = off" },
		{ WAY_EXACT_SOME, 10, false, "jit = off" },
		{ WAY_TEXT, 10, false, "jit = off" },
		{ WAY_BEFORE_ALL, 10, false, "jit = off" },
	};
	char settings[VECTOR_SETTINGS_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_set =
		    vector_settings(rows[i].way, rows[i].k, rows[i].has_session, settings);

		assert_int_equal(is_set, rows[i].is != NULL);
		if (is_set && strstr(settings, rows[i].is) == NULL)
			fail_msg("row %zu: %s", i, settings);
	}
	assert_non_null(strstr(search_settings(), "hnsw.ef_search=100 "));
	assert_non_null(strstr(search_settings(), "plan_cache_mode=force_generic_plan "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for_and_what_there_is_say_the_way),
		cmocka_unit_test(too_many_chunks_go_another_way_once),
		cmocka_unit_test(candidates_grow_with_what_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
