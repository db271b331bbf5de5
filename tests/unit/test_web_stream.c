/* SPDX-License-Identifier: MIT */
/*
 * Streams: pulled piece by piece, paused when not pulled, stopped when aborted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "web_fixture.h"

static void
stream_path(struct fetch *t, const char *path)
{
	fetch_init(t, path);
	stream_start(t);
	turn_until(web_fixture.worker, &t->probe.ended);
	assert_null(t->transfer);
}

static void
pieces_come_as_they_arrive(void **state)
{
	struct fetch t;

	(void)state;
	stream_path(&t, "/stream");
	assert_int_equal(t.response.failure, WEB_FINE);
	assert_true(t.response.is_event_stream);
	assert_int_equal(t.pulled, 11);
	assert_int_equal(t.largest, 11); /* one run, not three */
}

static void
an_unpulled_stream_pauses(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/big");
	t.each_delay_us = 2000;
	stream_start(&t);
	turn_for(web_fixture.worker, 50);
	assert_true(BIG_BYTES - web_fixture.big_left < BIG_BYTES);
	turn_until(web_fixture.worker, &t.probe.ended);
	assert_int_equal(t.response.failure, WEB_FINE);
	assert_int_equal(t.pulled, BIG_BYTES);
	assert_true(t.largest <= CEILING);
}

static void
a_stalled_stream_ends(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/stall");
	t.request.idle_timeout_us = 60000;
	stream_start(&t);
	turn_until(web_fixture.worker, &t.probe.ended);
	assert_int_equal(t.response.failure, WEB_TIMEOUT);
	assert_int_equal(t.pulled, 5);
}

/* Not pulled, the peer is paused: that does not count as idle. (The time-out is one that no busy
 * machine exceeds between two pieces.) */
static void
a_pause_is_no_stall(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/big");
	t.request.idle_timeout_us = 1000000;
	t.first_delay_us = 1500000;
	stream_start(&t);
	turn_until(web_fixture.worker, &t.probe.ended);
	assert_int_equal(t.response.failure, WEB_FINE);
}

static void
a_stream_may_fail_early(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/hello");
	(void)snprintf(t.url, sizeof(t.url), "http://127.0.0.1:1/");
	probe_start(&t.probe, web_fixture.worker, stream_ask, NULL);
	turn_until(web_fixture.worker, &t.probe.ended);
	assert_null(t.transfer);
	assert_int_equal(t.response.failure, WEB_CONNECT);
}

static void
a_cut_stream_is_reported(void **state)
{
	struct fetch t;

	(void)state;
	stream_path(&t, "/cut");
	assert_int_equal(t.response.failure, WEB_CUT);
	assert_int_equal(t.pulled, 10);
}

static void
an_aborted_stream_leaves_nothing(void **state)
{
	(void)state;
	fetch_abort("/silent", stream_start, 30);
	fetch_abort("/stall", stream_start, 30);
	fetch_abort("/big", stream_start, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, web_fixture_set_up, web_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(pieces_come_as_they_arrive),
		TEST(an_unpulled_stream_pauses),
		TEST(a_stalled_stream_ends),
		TEST(a_pause_is_no_stall),
		TEST(a_stream_may_fail_early),
		TEST(a_cut_stream_is_reported),
		TEST(an_aborted_stream_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
