/* SPDX-License-Identifier: MIT */
/*
 * The catalog's list of documents, against a real Postgres: TEST_PG is a conninfo of a role
 * that may create databases; the test makes a catalog for itself and drops it.
 */
#include <unistd.h>

#include "pg_fixture.h"
#include "tenantgate/retrieval.h"

static struct arena *arena;
static struct catalog *catalog;
static struct pg_conn *conn;
static char database[64];

struct list_op {
	struct flow flow;
	const char *tenant;
	struct document document;
	struct err err;
	const char *attempt;
	bool in_doubt;
};

static enum flow_rc
list_op_migrate(struct flow *f)
{
	return catalog_migrate(f, catalog);
}

static enum flow_rc
list_op_begin(struct flow *f)
{
	struct list_op *a = (struct list_op *)f;

	return documents_begin(f, catalog, a->tenant, &a->document, "mine", NULL);
}

static enum flow_rc
list_op_ready(struct flow *f)
{
	struct list_op *a = (struct list_op *)f;

	return documents_ready(f, catalog, a->tenant, &a->document, a->attempt, &a->in_doubt);
}

static void
list_op_end(struct flow *f, const struct err *err)
{
	((struct list_op *)f)->err = *err;
}

#define LIST_OP(name) \
	static const struct flow_step name##_steps[] = { { #name, list_op_##name }, \
		{ NULL, NULL } }; \
	static const struct flow_kind name##_kind = { #name, name##_steps, list_op_end, NULL }
LIST_OP(migrate);
LIST_OP(begin);
LIST_OP(ready);

static enum err_code
list_op_run(const struct flow_kind *kind, const char *tenant, const char *id, unsigned chunks)
{
	struct list_op a = { .tenant = tenant,
		.attempt = "mine",
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
	finish_flows();
	return a.err.code;
}

static const char *
catalog_sql(const char *text)
{
	return first_value(conn, text, "none");
}

#define STATUS "SELECT status || ' ' || chunks FROM documents WHERE user_id = 'ann'"

static void
undo(void)
{
	documents_undo(worker, catalog, "ann", "d", "mine", "Why it failed.");
	finish_flows();
}

static void
a_new_document_is_listed(void **state)
{
	(void)state;
	assert_int_equal(list_op_run(&begin_kind, "ann", "d", 5), ERR_NONE);
	assert_string_equal(catalog_sql(STATUS), "ingesting 0");
	undo();
	assert_string_equal(catalog_sql(STATUS), "failed 0");
	assert_string_equal(catalog_sql("SELECT reason FROM documents"), "Why it failed.");
	undo();
	assert_int_equal(list_op_run(&begin_kind, "ann", "d", 5), ERR_NONE);
	assert_int_equal(list_op_run(&ready_kind, "ann", "d", 5), ERR_NONE);
	assert_string_equal(catalog_sql(STATUS), "ready 5");
	undo();
	assert_string_equal(catalog_sql(STATUS), "ready 5");
}

static void
a_replaced_document_is_listed_once(void **state)
{
	(void)state;
	assert_int_equal(list_op_run(&begin_kind, "ann", "d", 9), ERR_NONE);
	assert_string_equal(catalog_sql(STATUS), "ingesting 5");
	undo();
	assert_string_equal(catalog_sql(STATUS), "ready 5");
	assert_int_equal(list_op_run(&begin_kind, "ann", "d", 9), ERR_NONE);
	assert_int_equal(list_op_run(&ready_kind, "ann", "d", 9), ERR_NONE);
	assert_string_equal(catalog_sql(STATUS), "ready 9");
}

/* Another tenant's document of the same id is another document; an undo at the same time does no
 * harm. */
static void
lists_of_tenants_are_apart(void **state)
{
	(void)state;
	assert_int_equal(list_op_run(&ready_kind, "bob", "d", 3), ERR_NONE);
	assert_string_equal(catalog_sql(STATUS), "ready 9");
	assert_int_equal(list_op_run(&begin_kind, "bob", "late", 3), ERR_NONE);
	documents_undo(worker, catalog, "bob", "late", "mine", "Why it failed.");
	finish_flows();
	assert_int_equal(list_op_run(&ready_kind, "bob", "late", 3), ERR_NONE);
	assert_string_equal(catalog_sql("SELECT count(*) FROM documents WHERE user_id = 'bob'"),
	    "2");
	assert_int_equal(list_op_run(&begin_kind, "nobody", "d", 3), ERR_PROVISIONING);
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
	catalog_sql(text);
	pg_conn_close(conn);
	snprintf(text, sizeof(text), "postgresql://%s:%s@%s:%u/%s?sslmode=disable", target.user,
	    target.password == NULL ? "x" : target.password, target.host, target.port, database);
	catalog = catalog_open(&(struct catalog_conf){ .url = text,
				   .pool_size = 2,
				   .query_timeout_us = 5000000,
				   .connect_timeout_us = 5000000 },
	    &err);
	if (catalog == NULL)
		return -1;
	catalog_attach(catalog, worker, NULL);
	list_op_run(&migrate_kind, NULL, NULL, 0);
	target.dbname = database;
	conn = dial();
	catalog_sql("INSERT INTO users (user_id) VALUES ('ann'), ('bob')");
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
	catalog_sql(text);
	pg_conn_close(conn);
	worker_free(worker);
	arena_free(arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_document_is_listed),
		cmocka_unit_test(a_replaced_document_is_listed_once),
		cmocka_unit_test(lists_of_tenants_are_apart),
	};
	PQconninfoOption *options;
	int failed;

	if (!target_from_environment(&options))
		return 2;
	failed = cmocka_run_group_tests(tests, make_catalog, drop_catalog);
	PQconninfoFree(options);
	return failed;
}
