/* SPDX-License-Identifier: MIT */
/*
 * share_fixture: a budget, and takers that say their letter when they are granted what they want,
 * and hold it until they are told to leave.
 */
#ifndef TENANTGATE_TESTS_SHARE_FIXTURE_H
#define TENANTGATE_TESTS_SHARE_FIXTURE_H

#include "flow_fixture.h"

#include "tenantgate/loop/share.h"

#define FAR_US	(60u * 1000000u)
#define TAKERS	64

struct share_taker {
	struct flow flow;
	const char *holder;
	char letter[2];
	unsigned weight;
	uint64_t units;
	struct share_grant grant;
	struct timer timer;
	struct err outcome;
};

static struct share_budget *budget;
static struct share_taker takers[TAKERS];
static unsigned taken;

static inline enum flow_rc
share_taker_take(struct flow *f)
{
	struct share_taker *t = (struct share_taker *)f;

	flow_defer(f, share_give_later, &t->grant);
	return share_take(f, budget, slice_str(t->holder), t->weight, t->units, &t->grant);
}

static inline enum flow_rc
share_taker_hold(struct flow *f)
{
	struct share_taker *t = (struct share_taker *)f;

	trace(t->letter);
	return flow_sleep(f, &t->timer, FAR_US);
}

static inline void
share_taker_end(struct flow *f, const struct err *err)
{
	((struct share_taker *)f)->outcome = *err;
}

static const struct flow_step share_taker_steps[] = {
	{ "take", share_taker_take },
	{ "hold", share_taker_hold },
	{ NULL, NULL },
};
static const struct flow_kind share_taker_kind = { "taker", share_taker_steps, share_taker_end,
	NULL };

static inline struct share_taker *
take_weighted(const char *holder, char letter, unsigned weight, uint64_t units)
{
	struct share_taker *t = &takers[taken++];

	assert_true(taken <= TAKERS);
	*t = (struct share_taker){ .holder = holder, .weight = weight, .units = units };
	t->letter[0] = letter;
	flow_start(&t->flow, &share_taker_kind, worker, NULL);
	flow_fixture_turns(2);
	return t;
}

static inline struct share_taker *
take(const char *holder, char letter)
{
	return take_weighted(holder, letter, 1, 1);
}

static inline void
share_taker_leaves(struct share_taker *t)
{
	flow_abort(&t->flow, ERR_CLIENT_GONE, "left");
	flow_fixture_turns(3);
}

static inline void
open_budget(uint64_t capacity, uint64_t ceiling, bool has_headroom)
{
	struct share_conf conf = {
		.noun = "model streams",
		.setting = "max_model_streams",
		.capacity = capacity,
		.ceiling = ceiling,
		.has_headroom = has_headroom,
		.waiting_max = 3,
		.wait_timeout_us = FAR_US,
	};

	budget = share_open(&conf);
}

static inline struct share_stats
stats_now(void)
{
	struct share_stats stats;

	share_stats(budget, &stats);
	return stats;
}

static inline int
share_fixture_set_up(void **state)
{
	taken = 0;
	return flow_fixture_set_up(state);
}

/* Nothing is held by anybody when all flows have ended, and no holder is remembered. */
static inline int
share_fixture_tear_down(void **state)
{
	flow_abort_all(worker, ERR_SHUTDOWN, "stopping");
	turn_until_idle(worker);
	flow_fixture_turns(2);
	assert_int_equal(stats_now().held, 0);
	assert_int_equal(stats_now().holders, 0);
	share_close(budget);
	return flow_fixture_tear_down(state);
}

#define SHARE_TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, share_fixture_set_up, share_fixture_tear_down)

#endif
