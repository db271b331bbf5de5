/* SPDX-License-Identifier: MIT */
/*
 * test_vector_schema: pgvector elsewhere than in public, and a search path that leads nowhere.
 * TEST_PG as for test_store.
 */
#include "store_fixture.h"

/* Whatever the role's search path is, and also when it is moved under a connection in use. */
static void
pgvector_may_lie_in_any_schema(void **state)
{
	const char *const *schema = retrieval_schema(arena, DIMENSIONS);
	const char *some[] = { "doc-2" };

	(void)state;
	sql("CREATE SCHEMA \"Their own\"");
	sql("CREATE EXTENSION vector SCHEMA \"Their own\"");
	sql("SET search_path = pg_temp");
	for (unsigned i = 0; schema[i] != NULL; i++)
		sql(schema[i]);
	assert_string_equal(sql("SHOW search_path"), "pg_temp");
	for (unsigned d = 0; d < 3; d++)
		assert_int_equal(store(d, "theirs", 10, DIMENSIONS), ERR_NONE);
	for (unsigned round = 0; round < 2; round++) {
		assert_string_equal(search(1, 4, NULL, 0, 3).items[0].document_id, "doc-1");
		assert_string_equal(search(1, 4, some, 1, 3).items[0].document_id, "doc-2");
		sql("ALTER EXTENSION vector SET SCHEMA public");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pgvector_may_lie_in_any_schema),
	};
	PQconninfoOption *options;
	int failed;

	if (!target_from_environment(&options))
		return 2;
	failed = cmocka_run_group_tests(tests, make_database, drop_database);
	PQconninfoFree(options);
	return failed;
}
