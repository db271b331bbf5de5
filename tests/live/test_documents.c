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
	struct document_terms *terms;
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

	return documents_begin(f, catalog, a->tenant, &a->document, a->attempt, a->terms);
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

/* Its row has gone since the attempt began: what the attempt has stored goes too. */
static void
a_document_deleted_meanwhile_is_named_to_go(void **state)
{
	(void)state;
	assert_int_equal(list_op_run(&ready_kind, "bob", "gone", 3), ERR_CONFLICT);
	assert_string_equal(catalog_sql(
				"SELECT status || ' ' || coalesce(sha256, '-') FROM documents"
				" WHERE user_id = 'bob' AND document_id = 'gone'"),
	    "deleting abc");
	assert_int_equal(list_op_run(&ready_kind, "bob", "gone", 3), ERR_CONFLICT);
	assert_string_equal(catalog_sql("DELETE FROM documents WHERE document_id = 'gone'"
					" RETURNING status"),
	    "deleting");
}

/* Another tenant's document of the same id is another document; an undo at the same time does no
 * harm. */
static void
lists_of_tenants_are_apart(void **state)
{
	(void)state;
	assert_int_equal(list_op_run(&begin_kind, "bob", "d", 3), ERR_NONE);
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

/* ---- terms ---- */
#define UPLOADS 16

/* One intent, with its terms and what came of them. */
struct upload_attempt {
	struct list_op op;
	struct document_terms terms;
	char id[24];
};

static void
upload_start(struct upload_attempt *u, const char *id, uint64_t bytes, struct document_quota quota)
{
	snprintf(u->id, sizeof(u->id), "%s", id);
	u->terms = (struct document_terms){ .quota = quota };
	u->op = (struct list_op){ .tenant = "eve",
		.attempt = u->id,
		.terms = &u->terms,
		.document = { .id = u->id,
		    .title = "T",
		    .file_name = "f.txt",
		    .mime_type = "text/plain",
		    .sha256 = u->id,
		    .bytes = bytes } };
}

static enum document_admission
upload_one(const char *id, uint64_t bytes, struct document_quota quota)
{
	struct upload_attempt u;

	upload_start(&u, id, bytes, quota);
	flow_start(&u.op.flow, &begin_kind, worker, arena);
	finish_flows();
	assert_int_equal(u.op.err.code, ERR_NONE);
	return u.terms.admission;
}

/* How many of UPLOADS at once are admitted. */
static unsigned
uploads_admitted(unsigned round, uint64_t bytes, struct document_quota quota)
{
	static struct upload_attempt uploads[UPLOADS];
	unsigned admitted = 0;

	for (unsigned i = 0; i < UPLOADS; i++) {
		char id[24];

		snprintf(id, sizeof(id), "%u-%u", round, i);
		upload_start(&uploads[i], id, bytes, quota);
		flow_start(&uploads[i].op.flow, &begin_kind, worker, arena);
	}
	finish_flows();
	for (unsigned i = 0; i < UPLOADS; i++) {
		assert_int_equal(uploads[i].op.err.code, ERR_NONE);
		admitted += uploads[i].terms.admission == DOCUMENT_ADMITTED;
	}
	return admitted;
}

#define OF_EVE "SELECT count(*) FROM documents WHERE user_id = 'eve'"

static void
the_last_place_is_one_upload_s(void **state)
{
	const struct document_quota three = { .max_documents = 3 };

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		catalog_sql("DELETE FROM documents WHERE user_id = 'eve'");
		catalog_sql(
		    "INSERT INTO documents (user_id, document_id, title, file_name, status)"
		    " VALUES ('eve', 'a', '', '', 'ready'), ('eve', 'b', '', '', 'ingesting'),"
		    " ('eve', 'c', '', '', 'failed'), ('eve', 'd', '', '', 'deleting')");
		assert_int_equal(uploads_admitted(round, 10, three), 1);
		assert_string_equal(catalog_sql(OF_EVE), "5");
	}
	assert_int_equal(upload_one("e", 10, three), DOCUMENT_TOO_MANY);
	assert_int_equal(upload_one("a", 10, three), DOCUMENT_ADMITTED);
	assert_int_equal(upload_one("a", 10, three), DOCUMENT_ADMITTED);
	assert_int_equal(upload_one("c", 10, three), DOCUMENT_TOO_MANY);
	assert_int_equal(upload_one("e", 10, (struct document_quota){ 0 }), DOCUMENT_ADMITTED);
}

static void
the_last_bytes_are_one_upload_s(void **state)
{
	const struct document_quota hundred = { .max_bytes = 100 };

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		catalog_sql("DELETE FROM documents WHERE user_id = 'eve'");
		catalog_sql("INSERT INTO documents (user_id, document_id, title, file_name, status,"
			    " bytes) VALUES ('eve', 'a', '', '', 'ready', 40),"
			    " ('eve', 'c', '', '', 'failed', 400)");
		assert_int_equal(uploads_admitted(round, 25, hundred), 2);
	}
	assert_int_equal(upload_one("e", 11, hundred), DOCUMENT_STORAGE_FULL);
	assert_int_equal(upload_one("e", 10, hundred), DOCUMENT_ADMITTED);
	assert_int_equal(upload_one("a", 41, hundred), DOCUMENT_STORAGE_FULL);
	assert_int_equal(upload_one("a", 5, hundred), DOCUMENT_ADMITTED);
	/* Until that is stored the larger one counts, which may be what stays. */
	catalog_sql("DELETE FROM documents WHERE user_id = 'eve' AND document_id = 'e'");
	assert_int_equal(upload_one("e", 11, hundred), DOCUMENT_STORAGE_FULL);
}

static void
the_same_bytes_are_stored_once(void **state)
{
	static struct upload_attempt uploads[UPLOADS];
	unsigned admitted = 0;
	char id[24];

	(void)state;
	catalog_sql("DELETE FROM documents WHERE user_id = 'eve'");
	for (unsigned i = 0; i < UPLOADS; i++) {
		snprintf(id, sizeof(id), "same-%u", i);
		upload_start(&uploads[i], id, 10, (struct document_quota){ 0 });
		uploads[i].terms.if_new = true;
		uploads[i].op.document.sha256 = "same";
		flow_start(&uploads[i].op.flow, &begin_kind, worker, arena);
	}
	finish_flows();
	for (unsigned i = 0; i < UPLOADS; i++) {
		admitted += uploads[i].terms.admission == DOCUMENT_ADMITTED;
		assert_true(uploads[i].terms.admission == DOCUMENT_ADMITTED ||
		    uploads[i].terms.admission == DOCUMENT_BEING_STORED);
	}
	assert_int_equal(admitted, 1);
	assert_string_equal(catalog_sql(OF_EVE), "1");
	catalog_sql("UPDATE documents SET status = 'ready', sha256 = 'same' WHERE user_id = 'eve'");
	upload_start(&uploads[0], "other", 10, (struct document_quota){ 0 });
	uploads[0].terms.if_new = true;
	uploads[0].op.document.sha256 = "same";
	flow_start(&uploads[0].op.flow, &begin_kind, worker, arena);
	finish_flows();
	assert_int_equal(uploads[0].terms.admission, DOCUMENT_IS_STORED);
	upload_start(&uploads[0], "other", 10, (struct document_quota){ 0 });
	uploads[0].terms.if_new = true;
	uploads[0].op.document.sha256 = "same";
	uploads[0].op.document.owner = "another";
	flow_start(&uploads[0].op.flow, &begin_kind, worker, arena);
	finish_flows();
	assert_int_equal(uploads[0].terms.admission, DOCUMENT_ADMITTED);
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
				   .pool_size = 64, /* of which documents have a quarter */
				   .query_timeout_us = 60000000,
				   .connect_timeout_us = 60000000 },
	    &err);
	if (catalog == NULL)
		return -1;
	catalog_attach(catalog, worker, NULL);
	list_op_run(&migrate_kind, NULL, NULL, 0);
	target.dbname = database;
	conn = dial();
	catalog_sql("INSERT INTO users (user_id) VALUES ('ann'), ('bob'), ('eve')");
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
		cmocka_unit_test(a_document_deleted_meanwhile_is_named_to_go),
		cmocka_unit_test(lists_of_tenants_are_apart),
		cmocka_unit_test(the_last_place_is_one_upload_s),
		cmocka_unit_test(the_last_bytes_are_one_upload_s),
		cmocka_unit_test(the_same_bytes_are_stored_once),
	};
	PQconninfoOption *options;
	int failed;

	if (!target_from_environment(&options))
		return 2;
	failed = cmocka_run_group_tests(tests, make_catalog, drop_catalog);
	PQconninfoFree(options);
	return failed;
}
