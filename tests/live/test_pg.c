/* SPDX-License-Identifier: MIT */
/*
 * wire/pg against a real Postgres. TEST_PG is a conninfo with a password that is checked:
 *
 *	TEST_PG="host=127.0.0.1 port=5432 dbname=postgres user=tester password=secret" test_pg
 *
 * Without TEST_PG it fails, rather than be skipped silently.
 */
#include "pg_fixture.h"

#include "tenantgate/base/clock.h"

static void
parameters_come_back(void **state)
{
	struct pg_conn *c = dial();
	struct pg_result r = { 0 };
	struct pg_query q = {
		.sql = "SELECT $1::text, $2::int + 1, $3::text, octet_length($4::bytea)"
		       " FROM generate_series(1, 3)",
		.params = {
			PG_TEXT("ünï"),
			PG_TEXT("41"),
			{ NULL, 0, false },
			{ "a\0b", 3, true },
		},
		.param_count = 4,
	};

	(void)state;
	run(c, &q, &r);
	assert_int_equal(r.status, PG_OK);
	assert_int_equal(pg_rows(&r), 3);
	assert_string_equal(pg_text(&r, 2, 0), "ünï");
	assert_string_equal(pg_text(&r, 2, 1), "42");
	assert_null(pg_value(&r, 1, 2).p);
	assert_string_equal(pg_text(&r, 1, 2), "");
	assert_string_equal(pg_text(&r, 0, 3), "3");
	q = (struct pg_query){ .sql = "SELECT 258", .binary_rows = true };
	run(c, &q, &r);
	assert_int_equal(pg_value(&r, 0, 0).len, 4);
	assert_memory_equal(pg_value(&r, 0, 0).p, "\0\0\1\2", 4);
	pg_clear(&r);
	pg_clear(&r);
	pg_conn_close(c);
}

static void
changed_rows_are_counted(void **state)
{
	struct pg_conn *c = dial();
	struct pg_result r = { 0 };

	(void)state;
	run_text(c, "CREATE TEMP TABLE t (i int)", &r);
	assert_int_equal(r.status, PG_OK);
	run(c, &(struct pg_query){ .sql = "INSERT INTO t SELECT generate_series(1, 7)" }, &r);
	assert_int_equal(pg_changed(&r), 7);
	run(c, &(struct pg_query){ .sql = "DELETE FROM t WHERE i < 4 RETURNING i" }, &r);
	assert_int_equal(pg_changed(&r), 3);
	assert_int_equal(pg_rows(&r), 3);
	run(c, &(struct pg_query){ .sql = "SELECT i FROM t WHERE i = 1" }, &r);
	assert_int_equal(r.status, PG_OK);
	assert_int_equal(pg_rows(&r), 0);
	run(c, &(struct pg_query){ .sql = "" }, &r);
	assert_int_equal(r.status, PG_OK);
	pg_clear(&r);
	pg_conn_close(c);
}

static void
an_error_has_its_fields(void **state)
{
	struct pg_conn *c = dial();
	struct pg_result r = { 0 };

	(void)state;
	run(c, &(struct pg_query){ .sql = "SELECT 1 / 0" }, &r);
	assert_int_equal(r.status, PG_SQL_ERROR);
	assert_string_equal(r.failure.sqlstate, "22012");
	assert_string_equal(r.failure.message, "division by zero");
	assert_int_equal(pg_conn_state(c), PG_IDLE);
	run(c, &(struct pg_query){ .sql = "SELECT 1; SELECT 2" }, &r);
	assert_string_equal(r.failure.sqlstate, "42601");
	run_text(c, "BEGIN; SELECT 1 / 0; SELECT 3", &r);
	assert_string_equal(r.failure.sqlstate, "22012");
	assert_int_equal(pg_conn_state(c), PG_IN_TRANSACTION);
	run_text(c, "ROLLBACK; SELECT 1; SELECT 2 UNION ALL SELECT 3", &r);
	assert_int_equal(pg_rows(&r), 2);
	assert_string_equal(pg_text(&r, 0, 0), "2");
	assert_int_equal(pg_conn_state(c), PG_IDLE);
	pg_clear(&r);
	pg_conn_close(c);
}

static void
a_result_past_its_ceiling_is_refused(void **state)
{
	struct pg_conn *c = dial();
	struct pg_result r = { 0 };

	(void)state;
	run_text(c, "SELECT repeat('x', 1000000) FROM generate_series(1, 500)", &r);
	assert_int_equal(r.status, PG_SQL_ERROR);
	assert_string_equal(r.failure.sqlstate, "54000");
	assert_int_equal(pg_conn_state(c), PG_BROKEN);
	pg_conn_close(c);
}

/* Rows of one int4, in COPY's binary form. */
struct numbers {
	uint32_t next, count;
	uint32_t fail_at; /* 0: never */
};

static bool
numbers_fill(struct buf *b, void *arg)
{
	struct numbers *n = arg;
	unsigned i;

	if (n->next == 0) {
		buf_add(b, "PGCOPY\n\377\r\n\0", 11);
		buf_be32(b, 0);
		buf_be32(b, 0);
	}
	for (i = 0; i < 3000 && n->next < n->count; i++) {
		buf_be16(b, 1);
		buf_be32(b, 4);
		buf_be32(b, n->next++);
	}
	if (n->fail_at != 0 && n->next >= n->fail_at)
		b->failed = true;
	if (n->next < n->count)
		return true;
	buf_be16(b, 0xffff);
	return false;
}

static void
copy(struct pg_conn *c, const char *sql, struct numbers *n, struct pg_result *out)
{
	struct pg_fixture s = { .conn = c, .copy = sql, .out = out };

	s.fill = numbers_fill;
	s.fill_arg = n;
	play(&s, &copy_kind);
}

static void
rows_are_copied_in(void **state)
{
	struct pg_conn *c = dial();
	struct pg_result r = { 0 };
	struct numbers n = { .count = 500000 }, failing = { .count = 500000, .fail_at = 100000 };

	(void)state;
	run_text(c, "CREATE TEMP TABLE t (i int)", &r);
	copy(c, "COPY t FROM STDIN (FORMAT binary)", &n, &r);
	assert_int_equal(r.status, PG_OK);
	assert_int_equal(pg_changed(&r), 500000);
	run_text(c, "SELECT sum(i) FROM t", &r);
	assert_string_equal(pg_text(&r, 0, 0), "124999750000");
	copy(c, "COPY t FROM STDIN (FORMAT binary)", &failing, &r);
	assert_int_equal(r.status, PG_SQL_ERROR);
	assert_string_equal(r.failure.sqlstate, "57014");
	assert_int_equal(pg_conn_state(c), PG_IDLE);
	n.next = 0;
	copy(c, "COPY nowhere FROM STDIN (FORMAT binary)", &n, &r);
	assert_string_equal(r.failure.sqlstate, "42P01");
	n.next = 0;
	copy(c, "COPY t FROM STDIN", &n,
	    &r); /* the text format: binary bytes are malformed there */
	assert_int_equal(r.status, PG_SQL_ERROR);
	assert_int_equal(pg_conn_state(c), PG_IDLE);
	run_text(c, "COPY t TO STDOUT", &r);
	assert_int_equal(r.status, PG_SQL_ERROR);
	assert_int_equal(pg_conn_state(c), PG_BROKEN);
	pg_clear(&r);
	pg_conn_close(c);
}

/* How many backends run a statement that begins with `text`. */
static unsigned
running(struct pg_conn *c, const char *text)
{
	struct pg_query q = {
		.sql = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND pid <> "
		       "pg_backend_pid() AND starts_with(query, $1)",
		.params = { PG_TEXT(text) },
		.param_count = 1,
	};
	struct pg_result r = { 0 };
	unsigned n;

	run(c, &q, &r);
	assert_int_equal(r.status, PG_OK);
	n = pg_rows(&r);
	pg_clear(&r);
	return n;
}

static void
wait_until_stopped(struct pg_conn *other, const char *text)
{
	uint64_t until = clock_mono_us() + 60000000;

	while (running(other, text) > 0 && clock_mono_us() < until)
		worker_turn(worker, 20);
	assert_int_equal(running(other, text), 0);
}

static void
an_abort_cancels_on_the_server(void **state)
{
	struct pg_conn *c = dial(), *other = dial();
	struct pg_result r = { 0 };
	struct pg_query q = { .sql = "SELECT pg_sleep(60), 'abort'" };
	struct pg_fixture s = { .conn = c, .query = &q, .out = &r };
	unsigned i;

	(void)state;
	flow_start(&s.flow, &run_kind, worker, NULL);
	for (i = 0; i < 5; i++)
		worker_turn(worker, 20);
	flow_abort(&s.flow, ERR_CLIENT_GONE, "left");
	worker_turn(worker, 0);
	assert_int_equal(flow_count(worker), 0);
	assert_int_equal(pg_conn_state(c), PG_BROKEN);
	pg_conn_close(c);
	wait_until_stopped(other, q.sql);
	pg_conn_close(other);
}

static void
a_statement_has_a_deadline(void **state)
{
	struct pg_conn *c = dial(), *other = dial();
	struct pg_result r = { 0 };
	struct pg_query q = { .sql = "SELECT pg_sleep(60), 'late'", .timeout_us = 200000 };

	(void)state;
	run(c, &q, &r);
	assert_int_equal(r.status, PG_TIMEOUT);
	assert_int_equal(pg_conn_state(c), PG_BROKEN);
	run(c, &q, &r);
	assert_int_equal(r.status, PG_LOST);
	wait_until_stopped(other, q.sql);
	pg_conn_close(c);
	pg_conn_close(other);
}

static void
login_is_refused(const struct pg_target *t, enum pg_status status, const char *sqlstate,
    const char *message)
{
	struct pg_result why = { 0 };

	assert_null(dial_as(t, &why));
	assert_int_equal(why.status, status);
	assert_string_equal(why.failure.sqlstate, sqlstate);
	assert_non_null(strstr(why.failure.message, message));
}

static void
a_refused_login_has_its_reason(void **state)
{
	struct pg_target t = target;

	(void)state;
	t.port = 1;
	t.host = "127.0.0.1";
	login_is_refused(&t, PG_LOST, "", "Connection refused");
	t = target;
	t.password = "wrong";
	login_is_refused(&t, PG_LOST, "28P01", "password authentication failed");
	t = target;
	t.dbname = "nowhere";
	login_is_refused(&t, PG_LOST, "3D000", "database \"nowhere\" does not exist");
	t = target;
	t.sslmode = "nonsense";
	login_is_refused(&t, PG_LOST, "", "sslmode");
}

static void
a_login_has_a_deadline_and_can_be_aborted(void **state)
{
	struct pg_target t = target;
	struct pg_result why = { 0 };
	struct pg_fixture s = { .target = &t, .timeout_us = 100000, .out = &why };

	(void)state;
	t.host = "192.0.2.1"; /* TEST-NET-1 (RFC 5737): nothing answers */
	play(&s, &dial_kind);
	assert_null(s.conn);
	assert_true(why.status == PG_TIMEOUT || why.status == PG_LOST);
	s.timeout_us = 10000000;
	flow_start(&s.flow, &dial_kind, worker, NULL);
	worker_turn(worker, 10);
	worker_turn(worker, 10);
	flow_abort(&s.flow, ERR_CLIENT_GONE, "left");
	worker_turn(worker, 10);
	assert_int_equal(flow_count(worker), 0);
}

static void
a_connection_killed_while_idle_is_noticed(void **state)
{
	struct pg_conn *c = dial(), *other = dial();
	struct pg_result r = { 0 };
	char sql[64];

	(void)state;
	assert_true(pg_conn_alive(c));
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d, 60000)", pg_conn_pid(c));
	run_text(other, sql, &r);
	assert_int_equal(r.status, PG_OK);
	worker_turn(worker, 20);
	assert_false(pg_conn_alive(c));
	run_text(c, "SELECT 1", &r);
	assert_int_equal(r.status, PG_LOST);
	assert_string_equal(r.failure.sqlstate, "57P01");
	assert_int_equal(pg_conn_state(c), PG_BROKEN);
	pg_clear(&r);
	pg_conn_close(c);
	pg_conn_close(other);
}

/* Each drops a temporary table before it ends, which takes it a moment. */
static void
a_connection_that_was_ended_is_gone_at_the_server(void **state)
{
	struct pg_conn *other = dial();
	struct pg_result r = { 0 };
	char sql[100];

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct pg_fixture s = { .conn = dial(), .timeout_us = 60000000 };

		run_text(s.conn, "CREATE TEMPORARY TABLE t AS SELECT generate_series(1, 1000)", &r);
		assert_int_equal(r.status, PG_OK);
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM pg_stat_activity WHERE pid = %d",
		    pg_conn_pid(s.conn));
		assert_string_equal(first_value(other, sql, ""), "1");
		play(&s, &end_kind);
		assert_string_equal(first_value(other, sql, ""), "0");
	}
	pg_clear(&r);
	pg_conn_close(other);
}

/* It is busy with a statement for longer than we wait. */
static void
the_end_of_a_busy_server_is_not_waited_for(void **state)
{
	struct pg_fixture s = { .conn = dial(), .timeout_us = 100000 };
	struct pg_fixture busy = { .conn = s.conn,
		.query = &(struct pg_query){ .sql = "SELECT pg_sleep(600)" } };
	struct pg_result r = { 0 };

	(void)state;
	busy.out = &r;
	flow_start(&busy.flow, &run_kind, worker, NULL);
	worker_turn(worker, 10);
	flow_abort(&busy.flow, ERR_CLIENT_GONE, "left");
	finish_flows();
	play(&s, &end_kind);
	pg_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_come_back),
		cmocka_unit_test(changed_rows_are_counted),
		cmocka_unit_test(an_error_has_its_fields),
		cmocka_unit_test(a_result_past_its_ceiling_is_refused),
		cmocka_unit_test(rows_are_copied_in),
		cmocka_unit_test(an_abort_cancels_on_the_server),
		cmocka_unit_test(a_statement_has_a_deadline),
		cmocka_unit_test(a_refused_login_has_its_reason),
		cmocka_unit_test(a_login_has_a_deadline_and_can_be_aborted),
		cmocka_unit_test(a_connection_killed_while_idle_is_noticed),
		cmocka_unit_test(a_connection_that_was_ended_is_gone_at_the_server),
		cmocka_unit_test(the_end_of_a_busy_server_is_not_waited_for),
	};
	PQconninfoOption *options;
	int failed;

	if (!target_from_environment(&options))
		return 2;
	worker = worker_new(0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	worker_free(worker);
	PQconninfoFree(options);
	return failed;
}
