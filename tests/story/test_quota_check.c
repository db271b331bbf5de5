/* SPDX-License-Identifier: MIT */
/*
 * test_quota_check: quotas while Redis does not answer, or with nonsense: what each failure mode
 * promises; and that a hold of this process is given back to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/fake_peer.h"
#include "../unit/limiter_fixture.h"
#include "turn_until_idle.h"

static struct peer peer;
static bool is_nonsense;

/* Whether it is in there, with all before it taken out. */
static bool
takes_order(struct evbuffer *in, const char *word)
{
	struct evbuffer_ptr at = evbuffer_search(in, word, strlen(word), NULL);

	if (at.pos != -1)
		(void)evbuffer_drain(in, (size_t)at.pos + strlen(word));
	return at.pos != -1;
}

static void
quota_redis_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	while (takes_order(in, "EVALSHA"))
		peer_send(c,
		    is_nonsense ? "*3\r\n:1\r\n:1000000000\r\n$3\r\nnow\r\n"
				: "-READONLY it is a replica\r\n");
	while (takes_order(in, "PING"))
		peer_send(c, "+PONG\r\n");
	(void)evbuffer_drain(in, evbuffer_get_length(in));
}

static void
quota_ask(struct reservation *r)
{
	reservation_run(r, (struct quota){ .streams = 1, .tokens_per_month = 1000 });
}

static int
set_up(void **state)
{
	char url[64];

	(void)state;
	is_nonsense = false;
	worker = worker_new(0);
	peer_open(&peer, worker, 0, quota_redis_serve);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", peer.port);
	limiter_up(url, 30000000, LIMIT_LOCAL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	limiter_down();
	peer_close(&peer);
	worker_free(worker);
	return 0;
}

static void
check_counted_here(void)
{
	struct reservation first, second;

	quota_ask(&first);
	assert_false(err_is(&first.probe.err));
	assert_string_equal(first.rates.mode, "local");
	assert_true(first.rates.allowed);
	assert_non_null(first.hold);
	quota_ask(&second);
	assert_null(second.hold);
	assert_int_equal(second.verdict.refused, QUOTA_STREAMS);
	quota_adjust(first.hold, 20);
	quota_settle(&first.hold, 7);
	assert_null(first.hold);
	quota_ask(&second);
	assert_non_null(second.hold);
	assert_int_equal(second.verdict.month_left, 1000 - 7 - 10);
	quota_settle(&second.hold, 0);
	turn_until_idle(worker); /* what Redis may have taken is given back there, too */
}

static void
without_a_redis_quotas_are_this_process_own(void **state)
{
	(void)state;
	limiter_of(LIMIT_CLOSED, NULL);
	check_counted_here();
}

static void
a_redis_that_refuses_the_script_is_replaced_by_this_process(void **state)
{
	(void)state;
	is_nonsense = false;
	check_counted_here();
}

static void
nonsense_is_no_decision(void **state)
{
	(void)state;
	is_nonsense = true;
	check_counted_here();
}

static void
open_lets_everybody_in_and_holds_nothing(void **state)
{
	struct reservation p;

	(void)state;
	limiter_of(LIMIT_OPEN, redis);
	for (int i = 0; i < 3; i++) {
		quota_ask(&p);
		assert_true(p.rates.allowed);
		assert_int_equal(p.verdict.refused, QUOTA_NONE);
		assert_null(p.hold);
		assert_string_equal(p.rates.mode, "open");
	}
}

static void
closed_refuses(void **state)
{
	struct reservation p;

	(void)state;
	limiter_of(LIMIT_CLOSED, redis);
	quota_ask(&p);
	assert_int_equal(p.probe.err.code, ERR_LIMITER);
	assert_null(p.hold);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(without_a_redis_quotas_are_this_process_own),
		TEST(a_redis_that_refuses_the_script_is_replaced_by_this_process),
		TEST(nonsense_is_no_decision),
		TEST(open_lets_everybody_in_and_holds_nothing),
		TEST(closed_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
