/* SPDX-License-Identifier: MIT */
/*
 * limiter_fixture: a worker with a link to a Redis, true or a test's own, and a limiter on it; one
 * reservation of a quota there.
 */
#ifndef TESTS_UNIT_LIMITER_FIXTURE_H
#define TESTS_UNIT_LIMITER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "redis_fixture.h"
#include "tenantgate/limit/quota.h"

static struct worker *worker;
static struct dns *dns;
static struct redis *redis;
static struct limit_store *store;
static struct limiter *limiter;

struct reservation {
	struct probe probe;
	struct quota_request ask;
	struct limit_rule rule;
	struct limit_verdict rates;
	struct quota_verdict verdict;
	struct quota_hold *hold;
};

/* Until the link to the Redis at that URL is up. The worker is there before: a test's own Redis
 * needs it. */
static inline void
limiter_up(const char *url, uint64_t timeout_us, enum limit_failure_mode mode)
{
	struct redis_conf conf = { .url = url, .timeout_us = timeout_us, .pending_max = 1000 };
	struct err err = { 0 };

	dns = dns_open(worker, "127.0.0.1:9", 1000000);
	redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(redis);
	store = limit_store_new(100);
	limiter = limit_open(worker, redis, store, mode);
	redis_wait(worker, redis, true);
}

/* The worker is the caller's to free, after what of the test's own lives on it. */
static inline void
limiter_down(void)
{
	limit_close(limiter);
	limit_store_free(store);
	redis_close(redis);
	dns_close(dns);
}

/* Another one, in that mode; `link` may be NULL. */
static inline void
limiter_of(enum limit_failure_mode mode, struct redis *link)
{
	limit_close(limiter);
	limiter = limit_open(worker, link, store, mode);
	assert_non_null(limiter);
}

/* A rule without a key counts nothing. */
static inline enum flow_rc
reservation_step(struct flow *f)
{
	struct reservation *r = (struct reservation *)f;

	return quota_check(f, limiter, &r->rule, r->rule.key.p != NULL ? 1 : 0, &r->ask, &r->rates,
	    &r->verdict, &r->hold);
}

static inline void
reservation_start(struct reservation *r, const struct quota_request *ask, struct slice rate_key)
{
	memset(r, 0, sizeof(*r));
	r->ask = *ask;
	r->rule.key = rate_key;
	probe_start(&r->probe, worker, reservation_step, NULL);
}

static inline void
reservation_run(struct reservation *r, struct quota quota)
{
	const struct quota_request ask = { .quota = quota,
		.state_key = SLICE_LIT("tg:limit:test:quota:acme"),
		.leases_key = SLICE_LIT("tg:limit:test:leases:acme"),
		.tokens = 10,
		.is_stream = true };

	reservation_start(r, &ask, slice_of(NULL, 0));
	turn_until(worker, &r->probe.ended);
}

#endif
