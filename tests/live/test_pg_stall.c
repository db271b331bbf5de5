/* SPDX-License-Identifier: MIT */
/*
 * A COPY into a server that takes nothing (its process is stopped): for a while it is waited for,
 * then no more. TEST_PG as for test_pg, on this machine.
 */
#include "pg_fixture.h"

#include <signal.h>

#include "tenantgate/loop/timer.h"

/* Far more than the sockets' buffers hold. */
enum { PIECES = 1000, PIECE = 32768 };

struct stopped {
	int pid;
	unsigned pieces;
	uint64_t for_us; /* 0: until the test lets it go on */
	struct timer timer;
};

static void
goes_on(void *arg)
{
	kill(((struct stopped *)arg)->pid, SIGCONT);
}

/* The first piece stops the server. */
static bool
fill_and_stop(struct buf *b, void *arg)
{
	struct stopped *s = arg;

	if (s->pieces == 0) {
		kill(s->pid, SIGSTOP);
		if (s->for_us > 0)
			timer_start(&s->timer, s->for_us);
	}
	memset(buf_extend(b, PIECE), '1', PIECE);
	b->data[b->len - 1] = '\n';
	return ++s->pieces < PIECES;
}

static void
copy_into_stopped(struct stopped *s, uint64_t stall_us, struct pg_result *out, struct pg_conn *c)
{
	struct pg_fixture copy = { .conn = c,
		.copy = "COPY t FROM STDIN",
		.out = out,
		.fill = fill_and_stop,
		.fill_arg = s,
		.stall_us = stall_us };

	run_text(c, "CREATE TEMP TABLE t (x text)", out);
	assert_int_equal(out->status, PG_OK);
	s->pid = pg_conn_pid(c);
	assert_true(timer_init(&s->timer, worker, goes_on, s));
	play(&copy, &copy_kind);
	goes_on(s);
	timer_free(&s->timer);
}

static void
a_server_that_takes_nothing_is_given_up(void **state)
{
	struct pg_conn *c = dial();
	struct stopped s = { .for_us = 0 };
	struct pg_result r = { 0 };

	(void)state;
	copy_into_stopped(&s, 500000, &r, c);
	assert_int_equal(r.status, PG_TIMEOUT);
	assert_string_equal(r.failure.message, "the server takes none of the data");
	assert_in_range(s.pieces, 1, PIECES - 1);
	assert_int_equal(pg_conn_state(c), PG_BROKEN);
	pg_clear(&r);
	pg_conn_close(c);
}

static void
one_that_goes_on_gets_it_all(void **state)
{
	struct pg_conn *c = dial();
	struct stopped s = { .for_us = 1000000 };
	struct pg_result r = { 0 };

	(void)state;
	copy_into_stopped(&s, 30000000, &r, c);
	assert_int_equal(r.status, PG_OK);
	assert_int_equal(pg_changed(&r), PIECES);
	pg_clear(&r);
	pg_conn_close(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_takes_nothing_is_given_up),
		cmocka_unit_test(one_that_goes_on_gets_it_all),
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
