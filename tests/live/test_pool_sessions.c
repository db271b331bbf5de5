/* SPDX-License-Identifier: MIT */
/*
 * The pool against a real Postgres: no session state leaks from one borrower to the next, dead
 * connections are replaced, a failed statement costs none, a wrong password is reported with its
 * reason, a read that is cut off is sent once more. TEST_PG as for test_pg.
 */
#include "pg_fixture.h"

#include "tenantgate/pool.h"

static struct pools *pools;

/* Borrows, runs one text of statements, returns. */
struct session {
	struct flow flow;
	struct pool_target target;
	struct pool_lease lease;
	struct pg_query query;
	struct pg_result result;
	int pid;
	bool reused;
};

static enum flow_rc
session_borrow(struct flow *f)
{
	struct session *v = (struct session *)f;

	return pool_borrow(f, pools, &v->target, &v->lease);
}

static enum flow_rc
session_query(struct flow *f)
{
	struct session *v = (struct session *)f;

	v->pid = pg_conn_pid(v->lease.conn);
	v->reused = v->lease.reused;
	return pg_run(f, v->lease.conn, &v->query, &v->result);
}

static enum flow_rc
session_check(struct flow *f)
{
	return pg_check(f, &((struct session *)f)->result, ERR_NONE, "session");
}

static void
session_end(struct flow *f, const struct err *err)
{
	(void)err;
	pool_return(&((struct session *)f)->lease, POOL_DIRTY);
}

static const struct flow_step session_steps[] = {
	{ "borrow", session_borrow },
	{ "run", session_query },
	{ "check", session_check },
	{ NULL, NULL },
};
static const struct flow_kind session_kind = { "session", session_steps, session_end, NULL };

static enum flow_rc
session_read(struct flow *f)
{
	struct session *v = (struct session *)f;

	v->pid = pg_conn_pid(v->lease.conn);
	return pool_read(f, &v->lease, &v->query, &v->result);
}

static const struct flow_step reading_session_steps[] = {
	{ "borrow", session_borrow },
	{ "read", session_read },
	{ "check", session_check },
	{ NULL, NULL },
};
static const struct flow_kind reading_session_kind = { "reading", reading_session_steps,
	session_end, NULL };

static void
session_begin(struct session *v, const char *sql)
{
	memset(v, 0, sizeof(*v));
	v->target = (struct pool_target){ .key = SLICE_LIT("one"), .pg = target, .size = 1 };
	v->query = (struct pg_query){ .sql = sql, .simple = true };
	flow_start(&v->flow, &session_kind, worker, NULL);
}

static void
session_run(struct session *v, const char *sql)
{
	session_begin(v, sql);
	finish_flows();
	assert_string_equal(v->flow.err.detail, "");
}

static void
no_session_state_leaks(void **state)
{
	struct session v;
	int pid;

	(void)state;
	session_run(&v,
	    "SET IntervalStyle = 'iso_8601'; SET search_path = pg_temp; "
	    "CREATE TEMP TABLE secret (i int); LISTEN gossip; "
	    "SELECT pg_advisory_lock(42); PREPARE p AS SELECT 1; "
	    "DECLARE c CURSOR WITH HOLD FOR SELECT 1; BEGIN; SELECT 1");
	pid = v.pid;
	pg_clear(&v.result);
	session_run(&v,
	    "SELECT current_setting('IntervalStyle'), current_setting('search_path'), "
	    "to_regclass('pg_temp.secret') IS NULL, "
	    "(SELECT count(*) FROM pg_listening_channels()), "
	    "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), "
	    "(SELECT count(*) FROM pg_prepared_statements), "
	    "(SELECT count(*) FROM pg_cursors WHERE name = 'c')");
	assert_int_equal(v.pid, pid);
	assert_true(v.reused);
	assert_string_equal(pg_text(&v.result, 0, 0), "postgres");
	assert_string_equal(pg_text(&v.result, 0, 1), "public"); /* as the login set it */
	assert_string_equal(pg_text(&v.result, 0, 2), "t");
	assert_string_equal(pg_text(&v.result, 0, 3), "0");
	assert_string_equal(pg_text(&v.result, 0, 4), "0");
	assert_string_equal(pg_text(&v.result, 0, 5), "0");
	assert_string_equal(pg_text(&v.result, 0, 6), "0");
	pg_clear(&v.result);
}

static void
a_session_killed_while_idle_is_replaced(void **state)
{
	struct session v, other;
	char sql[80];
	int pid;

	(void)state;
	session_run(&v, "SELECT 1");
	pid = v.pid;
	pg_clear(&v.result);
	snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d, 60000)", pid);
	session_begin(&other, sql);
	other.target.key = SLICE_LIT("other");
	finish_flows();
	assert_string_equal(other.flow.err.detail, "");
	pg_clear(&other.result);
	worker_turn(worker, 20);
	session_run(&v, "SELECT 2");
	assert_int_not_equal(v.pid, pid);
	pg_clear(&v.result);
}

static void
an_aborted_borrower_leaves_nothing(void **state)
{
	struct session v;
	int pid;

	(void)state;
	session_begin(&v, "SELECT pg_sleep(60)");
	while (v.pid == 0)
		worker_turn(worker, 20);
	pid = v.pid;
	worker_turn(worker, 20);
	flow_abort(&v.flow, ERR_CLIENT_GONE, "left");
	finish_flows();
	assert_null(v.lease.conn);
	session_run(&v, "SELECT 3");
	assert_int_not_equal(v.pid, pid);
	pg_clear(&v.result);
}

static void
a_wrong_password_is_reported(void **state)
{
	struct session v;

	(void)state;
	session_begin(&v, "SELECT 1");
	v.target.key = SLICE_LIT("wrong");
	v.target.pg.password = "wrong";
	finish_flows();
	assert_int_equal(v.flow.err.code, ERR_DATABASE);
	assert_non_null(strstr(v.flow.err.cause, "password authentication failed"));
	assert_non_null(strstr(v.flow.err.cause, "28P01"));
	assert_null(strstr(v.flow.err.detail, "28P01"));
}

/* 42P01 on a good connection: it is reset and used again. */
static void
a_failed_statement_costs_no_login(void **state)
{
	struct session v;
	unsigned i;
	int pid;

	(void)state;
	session_run(&v, "SELECT 1");
	pid = v.pid;
	pg_clear(&v.result);
	for (i = 0; i < 20; i++) {
		session_begin(&v, i % 2 == 0 ? "SELECT 'x'::int" : "BEGIN; SELECT 1/0");
		finish_flows();
		assert_int_equal(v.flow.err.code, ERR_DATABASE);
		assert_int_equal(v.pid, pid);
		pg_clear(&v.result);
	}
}

/* As a simple query of several statements; the sequence counts how often it was sent. */
static unsigned
times_sent(void)
{
	struct session v;
	unsigned n;

	session_run(&v, "SELECT last_value FROM sent");
	n = (unsigned)strtoul(pg_text(&v.result, 0, 0), NULL, 10);
	pg_clear(&v.result);
	return n;
}

static void
session_reads(struct session *v, const char *sql)
{
	memset(v, 0, sizeof(*v));
	v->target = (struct pool_target){ .key = SLICE_LIT("one"), .pg = target, .size = 1 };
	v->query = (struct pg_query){ .sql = sql, .simple = true };
	flow_start(&v->flow, &reading_session_kind, worker, NULL);
	finish_flows();
}

static void
a_read_that_is_cut_off_is_sent_once_more(void **state)
{
	struct session v;

	(void)state;
	session_run(&v, "DROP SEQUENCE IF EXISTS sent; CREATE SEQUENCE sent");
	pg_clear(&v.result);
	session_reads(&v,
	    "SELECT pg_terminate_backend(pg_backend_pid()) "
	    "WHERE nextval('sent') = 1");
	assert_int_equal(v.flow.err.code, ERR_NONE);
	assert_int_equal(v.result.status, PG_OK);
	pg_clear(&v.result);
	assert_int_equal(times_sent(), 2);
}

static void
and_no_third_time(void **state)
{
	struct session v;

	(void)state;
	session_run(&v, "DROP SEQUENCE IF EXISTS sent; CREATE SEQUENCE sent");
	pg_clear(&v.result);
	session_reads(&v, "SELECT nextval('sent'), pg_terminate_backend(pg_backend_pid())");
	assert_int_equal(v.flow.err.code, ERR_DATABASE_AWAY);
	assert_non_null(strstr(v.flow.err.cause, "57P01"));
	assert_int_equal(times_sent(), 2);
	session_run(&v, "DROP SEQUENCE sent");
	pg_clear(&v.result);
}

/* What failed for itself is not lost. */
static void
a_failed_read_is_sent_once(void **state)
{
	struct session v;

	(void)state;
	session_run(&v, "DROP SEQUENCE IF EXISTS sent; CREATE SEQUENCE sent");
	pg_clear(&v.result);
	session_reads(&v, "SELECT 1 / (nextval('sent') - 1)");
	assert_int_equal(v.flow.err.code, ERR_DATABASE);
	assert_int_equal(times_sent(), 1);
	session_run(&v, "DROP SEQUENCE sent");
	pg_clear(&v.result);
}

static void
note_max_connections(const struct pool_host_stats *h, void *arg)
{
	*(unsigned *)arg = h->max_connections;
}

static void
max_connections_is_known(void **state)
{
	unsigned max = 0;
	struct session v;

	(void)state;
	session_run(&v, "SHOW max_connections");
	pools_hosts(pools, false, note_max_connections, &max);
	assert_int_equal(max, strtoul(pg_text(&v.result, 0, 0), NULL, 10));
	pg_clear(&v.result);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_session_state_leaks),
		cmocka_unit_test(a_failed_statement_costs_no_login),
		cmocka_unit_test(max_connections_is_known),
		cmocka_unit_test(a_session_killed_while_idle_is_replaced),
		cmocka_unit_test(an_aborted_borrower_leaves_nothing),
		cmocka_unit_test(a_wrong_password_is_reported),
		cmocka_unit_test(a_read_that_is_cut_off_is_sent_once_more),
		cmocka_unit_test(and_no_third_time),
		cmocka_unit_test(a_failed_read_is_sent_once),
	};
	PQconninfoOption *options;
	struct pool_conf conf;
	int failed;

	if (!target_from_environment(&options))
		return 2;
	worker = worker_new(0);
	pool_conf_init(&conf);
	pools = pools_open(&conf, NULL);
	pools_attach(pools, worker, NULL);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	pools_detach(pools, worker);
	worker_free(worker);
	pools_close(pools);
	PQconninfoFree(options);
	return failed;
}
