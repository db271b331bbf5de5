/* SPDX-License-Identifier: MIT */
/*
 * The catalog's list of documents, against a real Postgres: TEST_PG is a conninfo of somebody who
 * may create databases; the test makes a catalog for itself and drops it.
 */
#include <unistd.h>

#include "pg_fixture.h"
#include "tenantgate/retrieval.h"

static struct arena *arena;
static struct catalog *catalog;
static struct pg_conn *conn;
static char database[64];

struct act {
	struct flow flow;
	const char *tenant;
	struct document document;
	struct err err;
};

static enum flow_rc
act_migrate(struct flow *f)
{
	return catalog_migrate(f, catalog);
}

static enum flow_rc
act_begin(struct flow *f)
{
	struct act *a = (struct act *)f;

	return documents_begin(f, catalog, a->tenant, &a->document);
}

static enum flow_rc
act_ready(struct flow *f)
{
	struct act *a = (struct act *)f;

	return documents_ready(f, catalog, a->tenant, &a->document);
}

static void
act_end(struct flow *f, const struct err *err)
{
	((struct act *)f)->err = *err;
}

#define ACT(name) \
	static const struct flow_step name##_steps[] = { { #name, act_##name }, { NULL, NULL } }; \
	static const struct flow_kind name##_kind = { #name, name##_steps, act_end, NULL }
ACT(migrate);
ACT(begin);
ACT(ready);

static void
settle(void)
{
	while (flow_count(worker) > 0)
		worker_turn(worker, 50);
}

static enum err_code
perform(const struct flow_kind *kind, const char *tenant, const char *id, unsigned chunks)
{
	struct act a = { .tenant = tenant,
		.document = { .id = id,
		    .title = "T",
		    .file_name = "f.pdf",
		    .mime_type = "application/pdf",
		    .metadata = "{}",
		    .sha256 = "abc",
		    .bytes = 10,
		    .pages = 2,
		    .chunks = chunks,
		    .created_at = "2026-11-23T05:06:07.123Z" } };

	flow_start(&a.flow, kind, worker, arena);
	settle();
	return a.err.code;
}

static const char *
sql(const char *text)
{
	return first_value(conn, text, "none");
}

#define STATUS "SELECT status || ' ' || chunks FROM documents WHERE user_id = 'ann'"

static void
undo(void)
{
	documents_undo(worker, catalog, "ann", "d");
	settle();
}

static void
test_new_document(void **state)
{
	(void)state;
	assert_int_equal(perform(&begin_kind, "ann", "d", 5), ERR_NONE);
	assert_string_equal(sql(STATUS), "ingesting 0");
	undo();
	assert_string_equal(sql(STATUS), "none");
	undo();
	assert_int_equal(perform(&begin_kind, "ann", "d", 5), ERR_NONE);
	assert_int_equal(perform(&ready_kind, "ann", "d", 5), ERR_NONE);
	assert_string_equal(sql(STATUS), "ready 5");
	undo();
	assert_string_equal(sql(STATUS), "ready 5");
}

static void
test_replaced_document(void **state)
{
	(void)state;
	assert_int_equal(perform(&begin_kind, "ann", "d", 9), ERR_NONE);
	assert_string_equal(sql(STATUS), "ingesting 5");
	undo();
	assert_string_equal(sql(STATUS), "ready 5");
	assert_int_equal(perform(&begin_kind, "ann", "d", 9), ERR_NONE);
	assert_int_equal(perform(&ready_kind, "ann", "d", 9), ERR_NONE);
	assert_string_equal(sql(STATUS), "ready 9");
}

/* Another's document of the same id is another document; an undo at the same time does no harm. */
static void
test_apart(void **state)
{
	(void)state;
	assert_int_equal(perform(&ready_kind, "bob", "d", 3), ERR_NONE);
	assert_string_equal(sql(STATUS), "ready 9");
	assert_int_equal(perform(&begin_kind, "bob", "late", 3), ERR_NONE);
	documents_undo(worker, catalog, "bob", "late");
	settle();
	assert_int_equal(perform(&ready_kind, "bob", "late", 3), ERR_NONE);
	assert_string_equal(sql("SELECT count(*) FROM documents WHERE user_id = 'bob'"), "2");
	assert_int_equal(perform(&begin_kind, "nobody", "d", 3), ERR_CATALOG);
}

static int
make_catalog(void **state)
{
	char text[200];
	struct err err = { 0 };

	(void)state;
	worker = worker_new(0);
	arena = arena_new((size_t)1 << 20);
	snprintf(database, sizeof(database), "test_documents_%d", (int)getpid());
	snprintf(text, sizeof(text), "CREATE DATABASE %s", database);
	conn = dial();
	sql(text);
	pg_conn_close(conn);
	snprintf(text, sizeof(text), "postgresql://%s:%s@%s:%u/%s?sslmode=disable", target.user,
	    target.password == NULL ? "x" : target.password, target.host, target.port, database);
	catalog = catalog_open(&(struct catalog_conf){ text, 2, 5000000, 5000000 }, &err);
	if (catalog == NULL)
		return -1;
	catalog_attach(catalog, worker, NULL);
	perform(&migrate_kind, NULL, NULL, 0);
	target.dbname = database;
	conn = dial();
	sql("INSERT INTO users (user_id) VALUES ('ann'), ('bob')");
	return 0;
}

static int
drop_catalog(void **state)
{
	char text[160];

	(void)state;
	catalog_detach(catalog, worker);
	catalog_close(catalog);
	pg_conn_close(conn);
	target.dbname = "postgres";
	conn = dial();
	snprintf(text, sizeof(text), "DROP DATABASE %s WITH (FORCE)", database);
	sql(text);
	pg_conn_close(conn);
	worker_free(worker);
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_document),
		cmocka_unit_test(test_replaced_document),
		cmocka_unit_test(test_apart),
	};
	PQconninfoOption *options;
	int failed;

	if (!target_from_environment(&options))
		return 2;
	failed = cmocka_run_group_tests(tests, make_catalog, drop_catalog);
	PQconninfoFree(options);
	return failed;
}
