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

#include "fake_peer.h"
#include "redis_fixture.h"
#include "tenantgate/limit/quota.h"
#include "turn_until_idle.h"

struct quota_probe {
	struct probe probe;
	struct quota_request ask;
	struct limit_verdict rates;
	struct quota_verdict verdict;
	struct quota_hold *hold;
};

static struct worker *worker;
static struct dns *dns;
static struct redis *redis;
static struct limit_store *store;
static struct limiter *limiter;
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

static enum flow_rc
quota_probe_step(struct flow *f)
{
	struct quota_probe *p = (struct quota_probe *)f;

	return quota_check(f, limiter, NULL, 0, &p->ask, &p->rates, &p->verdict, &p->hold);
}

static void
quota_probe_run(struct quota_probe *p)
{
	memset(p, 0, sizeof(*p));
	p->ask = (struct quota_request){ .quota = { .streams = 1, .tokens_per_month = 1000 },
		.state_key = SLICE_LIT("tg:limit:test:quota:acme"),
		.leases_key = SLICE_LIT("tg:limit:test:leases:acme"),
		.tokens = 10,
		.is_stream = true };
	probe_start(&p->probe, worker, quota_probe_step, NULL);
	turn_until(worker, &p->probe.ended);
}

static void
limiter_of(enum limit_failure_mode mode, struct redis *link)
{
	limit_close(limiter);
	limiter = limit_open(worker, link, store, mode);
}

static int
set_up(void **state)
{
	char url[64];
	struct redis_conf conf = { .url = url, .timeout_us = 30000000, .pending_max = 64 };
	struct err err = { 0 };

	(void)state;
	is_nonsense = false;
	worker = worker_new(0);
	dns = dns_open(worker, "127.0.0.1:9", 1000000);
	peer_open(&peer, worker, 0, quota_redis_serve);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", peer.port);
	redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(redis);
	store = limit_store_new(100);
	limiter = NULL;
	limiter_of(LIMIT_LOCAL, redis);
	redis_wait(worker, redis, true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	limit_close(limiter);
	limit_store_free(store);
	redis_close(redis);
	dns_close(dns);
	peer_close(&peer);
	worker_free(worker);
	return 0;
}

static void
check_counted_here(void)
{
	struct quota_probe first, second;

	quota_probe_run(&first);
	assert_false(err_is(&first.probe.err));
	assert_string_equal(first.rates.mode, "local");
	assert_true(first.rates.allowed);
	assert_non_null(first.hold);
	quota_probe_run(&second);
	assert_null(second.hold);
	assert_int_equal(second.verdict.refused, QUOTA_STREAMS);
	quota_adjust(first.hold, 20);
	quota_settle(&first.hold, 7);
	assert_null(first.hold);
	quota_probe_run(&second);
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
	struct quota_probe p;

	(void)state;
	limiter_of(LIMIT_OPEN, redis);
	for (int i = 0; i < 3; i++) {
		quota_probe_run(&p);
		assert_true(p.rates.allowed);
		assert_int_equal(p.verdict.refused, QUOTA_NONE);
		assert_null(p.hold);
		assert_string_equal(p.rates.mode, "open");
	}
}

static void
closed_refuses(void **state)
{
	struct quota_probe p;

	(void)state;
	limiter_of(LIMIT_CLOSED, redis);
	quota_probe_run(&p);
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
