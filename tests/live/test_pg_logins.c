/* SPDX-License-Identifier: MIT */
/*
 * Logins whose password's proof (SCRAM-SHA-256) costs milliseconds of computing: the helper threads
 * do it, and the loop goes on. TEST_PG as in test_pg.c.
 *
 *	TEST_PG="..." test_pg_logins [logins]	prints what a login costs the loop, no test
 */
#include <sys/resource.h>

#include "pg_fixture.h"

#include "tenantgate/base/clock.h"
#include "tenantgate/loop/offload.h"

enum { LOGINS = 60, ROUNDS = 20 };

static struct offload *offload;

static uint64_t
process_cpu_us(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* All at once. */
static void
start_logins(struct pg_fixture *s, struct pg_result *why, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		s[i] = (struct pg_fixture){ .target = &target,
			.timeout_us = 60000000,
			.out = &why[i] };
		flow_start(&s[i].flow, &dial_kind, worker, NULL);
	}
}

static void
close_all(struct pg_fixture *s, struct pg_result *why, unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		if (s[i].conn != NULL)
			pg_conn_close(s[i].conn);
		pg_clear(&why[i]);
	}
}

static void
a_crowd_of_logins_leaves_the_loop_alone(void **state)
{
	static struct pg_fixture s[LOGINS];
	static struct pg_result why[LOGINS];
	struct offload_stats stats;
	unsigned i;

	(void)state;
	start_logins(s, why, LOGINS);
	finish_flows();
	for (i = 0; i < LOGINS; i++) {
		assert_string_equal(why[i].failure.message, "");
		assert_int_equal(pg_conn_state(s[i].conn), PG_IDLE);
	}
	offload_stats(offload, &stats);
	assert_true(stats.done_total >= LOGINS);
	assert_int_equal(worker_long_turns(worker), 0);
	close_all(s, why, LOGINS);
}

static unsigned
sessions(struct pg_conn *c)
{
	return (
	    unsigned)strtoul(first_value(c,
				 "SELECT count(*) FROM pg_stat_activity WHERE usename IS NOT NULL",
				 "0"),
	    NULL, 10);
}

/* Wherever it is then: in the queue, on a helper, waiting for the server. */
static void
a_login_may_be_aborted_at_any_moment(void **state)
{
	static struct pg_fixture s[LOGINS];
	static struct pg_result why[LOGINS];
	struct pg_conn *other = dial();
	unsigned before = sessions(other), round, i;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		start_logins(s, why, LOGINS / 2);
		for (i = 0; i <= round; i++)
			worker_turn(worker, 2);
		for (i = 0; i < LOGINS / 2; i++)
			flow_abort(&s[i].flow, ERR_CLIENT_GONE, "left");
		finish_flows();
		close_all(s, why, LOGINS / 2);
	}
	while (sessions(other) > before)
		worker_turn(worker, 20);
	pg_conn_close(other);
}

/* A login is made or refused by us: nothing is said of the server, which is well. */
static void
helpers_refuse_some(const struct offload_conf *conf, unsigned atmost)
{
	static struct pg_fixture s[LOGINS];
	static struct pg_result why[LOGINS];
	struct offload *scarce = offload_open(conf);
	unsigned i, refused = 0;

	offload_attach(scarce, worker);
	start_logins(s, why, LOGINS);
	finish_flows();
	for (i = 0; i < LOGINS; i++) {
		assert_int_equal(why[i].status, s[i].conn != NULL ? PG_OK : PG_REFUSED);
		refused += s[i].conn == NULL;
	}
	assert_in_range(refused, 1, atmost);
	close_all(s, why, LOGINS);
	offload_attach(offload, worker);
	offload_close(scarce);
}

static void
what_helpers_refuse_is_no_fault_of_the_server(void **state)
{
	struct offload_conf full, late;

	(void)state;
	offload_conf_init(&full);
	full.helpers = 2;
	full.waiting_max = 1;
	helpers_refuse_some(&full, LOGINS - 1);
	offload_conf_init(&late);
	late.helpers = 2;
	late.wait_timeout_us = 5000;
	helpers_refuse_some(&late, LOGINS); /* a busy machine may be late for all */
}

static void
measure(unsigned count)
{
	struct pg_fixture *s = calloc(count, sizeof(*s));
	struct pg_result *why = calloc(count, sizeof(*why));
	uint64_t wall = clock_mono_us(), loop = clock_thread_cpu_us(), all = process_cpu_us();

	start_logins(s, why, count);
	finish_flows();
	printf("%u logins: %llu us each; CPU of the loop %llu us, of all threads %llu us each; "
	       "worst turn %llu us, %llu long\n",
	    count, (unsigned long long)(clock_mono_us() - wall) / count,
	    (unsigned long long)(clock_thread_cpu_us() - loop) / count,
	    (unsigned long long)(process_cpu_us() - all) / count,
	    (unsigned long long)worker_turn_worst_us(worker),
	    (unsigned long long)worker_long_turns(worker));
	close_all(s, why, count);
	free(s);
	free(why);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_of_logins_leaves_the_loop_alone),
		cmocka_unit_test(a_login_may_be_aborted_at_any_moment),
		cmocka_unit_test(what_helpers_refuse_is_no_fault_of_the_server),
	};
	struct offload_conf conf;
	PQconninfoOption *options;
	int failed = 0;

	if (!target_from_environment(&options))
		return 2;
	worker = worker_new(0);
	offload_conf_init(&conf);
	offload = offload_open(&conf);
	offload_attach(offload, worker);
	if (argc > 1)
		measure((unsigned)strtoul(argv[1], NULL, 10));
	else
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	worker_free(worker);
	offload_close(offload);
	PQconninfoFree(options);
	return failed;
}
