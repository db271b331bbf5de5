/* SPDX-License-Identifier: MIT */
/* quota_fixture: a true Redis (TEST_REDIS, a host:port), a limiter, reservations of one tenant. */
#ifndef TESTS_LIVE_QUOTA_FIXTURE_H
#define TESTS_LIVE_QUOTA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/fake_peer.h"
#include "limit/quota_hold.h"
#include "../unit/limiter_fixture.h"
#include "tenantgate/base/clock.h"

struct redis_order {
	struct probe probe;
	struct slice words[REDIS_ARGS_MAX];
	unsigned count;
	struct redis_reply reply;
};

static char state_key[64], leases_key[64], rate_key[64];

static inline enum flow_rc
redis_order_step(struct flow *f)
{
	struct redis_order *o = (struct redis_order *)f;

	return redis_command(f, redis, o->words, o->count, &o->reply);
}

static inline void
redis_order_run(struct redis_order *o)
{
	probe_start(&o->probe, worker, redis_order_step, NULL);
	turn_until(worker, &o->probe.ended);
}

static inline long long
counter(const char *name)
{
	struct redis_order o = { .words = { SLICE_LIT("HGET"), slice_str(state_key),
				     slice_str(name) },
		.count = 3 };
	long long n;

	redis_order_run(&o);
	assert_int_equal(o.reply.status, REDIS_OK);
	n = strtoll(o.reply.text.p, NULL, 10);
	redis_clear(&o.reply);
	return n;
}

static inline long long
leases(void)
{
	struct redis_order o = { .words = { SLICE_LIT("ZCARD"), slice_str(leases_key) },
		.count = 2 };
	long long n;

	redis_order_run(&o);
	n = o.reply.number;
	redis_clear(&o.reply);
	return n;
}

static inline void
quota_keys_delete(void)
{
	struct redis_order o = { .words = { SLICE_LIT("DEL"), slice_str(state_key),
				     slice_str(leases_key), slice_str(rate_key) },
		.count = 4 };

	redis_order_run(&o);
	redis_clear(&o.reply);
}

static inline int
set_up(void **state)
{
	static unsigned serial;
	char url[128];

	(void)state;
	(void)snprintf(url, sizeof(url), "redis://%s/9", getenv("TEST_REDIS"));
	serial++;
	(void)snprintf(state_key, sizeof(state_key), "tg:test:%d:%u:quota", (int)getpid(), serial);
	(void)snprintf(leases_key, sizeof(leases_key), "tg:test:%d:%u:leases", (int)getpid(),
	    serial);
	(void)snprintf(rate_key, sizeof(rate_key), "tg:test:%d:%u:rate", (int)getpid(), serial);
	worker = worker_new(0);
	limiter_up(url, 30000000, LIMIT_CLOSED);
	return 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	quota_keys_delete();
	limiter_down();
	worker_free(worker);
	return 0;
}

static inline void
reserving(struct reservation *r, struct quota quota, uint64_t tokens, bool is_stream)
{
	const struct quota_request ask = { .quota = quota,
		.state_key = slice_str(state_key),
		.leases_key = slice_str(leases_key),
		.tokens = tokens,
		.is_stream = is_stream };

	reservation_start(r, &ask, slice_str(rate_key));
}

static inline bool
reserve(struct reservation *r, struct quota quota, uint64_t tokens, bool is_stream)
{
	reserving(r, quota, tokens, is_stream);
	turn_until(worker, &r->probe.ended);
	assert_false(err_is(&r->probe.err));
	assert_string_equal(r->rates.mode, "redis");
	assert_true((r->hold != NULL) == (r->verdict.refused == QUOTA_NONE));
	return r->hold != NULL;
}

static inline void
no_flow_is_left(void)
{
	uint64_t until = clock_mono_us() + 30000000;

	while (flow_count(worker) > 0 && clock_mono_us() < until)
		worker_turn(worker, 5);
	assert_int_equal(flow_count(worker), 0);
}

#endif
