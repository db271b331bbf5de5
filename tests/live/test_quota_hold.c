/* SPDX-License-Identifier: MIT */
/*
 * What requests hold of quotas, in a true Redis: a thousand that come at once are no more than they
 * may, and whatever ends a check or a request, nothing stays held. Skipped (exit 77) without
 * TEST_REDIS, a host:port.
 */
#include "quota_fixture.h"

static void
the_minute_refuses_and_comes_back(void **state)
{
	const struct quota q = { .tokens_per_minute = 600000 };
	struct reservation r[2];
	uint64_t until = clock_mono_us() + 30000000;

	(void)state;
	assert_true(reserve(&r[0], q, 600000, false));
	assert_false(reserve(&r[1], q, 600000, false));
	assert_int_equal(r[1].verdict.refused, QUOTA_MINUTE);
	assert_in_range(r[1].verdict.retry_after_s, 1, 60);
	quota_settle(&r[0].hold, 2000); /* a fifth of a second's */
	assert_null(r[0].hold);
	while (!reserve(&r[1], q, 600000, false) && clock_mono_us() < until)
		worker_turn(worker, 20);
	assert_non_null(r[1].hold);
	quota_settle(&r[1].hold, 0);
	no_flow_is_left();
	assert_int_equal(counter("used"), 2000);
}

static void
a_thousand_at_once_are_as_many_as_may(void **state)
{
	static struct reservation all[1000];
	const struct quota q = { .streams = 100 };
	unsigned passed = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		reserving(&all[i], q, 5, true);
		if (i % 50 == 49) /* pending_max is 64 */
			for (int k = i - 49; k <= i; k++)
				turn_until(worker, &all[k].probe.ended);
	}
	for (int i = 0; i < 1000; i++)
		passed += all[i].hold != NULL;
	assert_int_equal(passed, 100);
	assert_int_equal(counter("streams"), 100);
	assert_int_equal(counter("held"), 500);
	for (int i = 0; i < 1000; i++) {
		quota_settle(&all[i].hold, 1);
		if (i % 50 == 49)
			no_flow_is_left();
	}
	assert_int_equal(counter("streams"), 0);
	assert_int_equal(counter("held"), 0);
	assert_int_equal(counter("used"), 100);
	assert_int_equal(leases(), 0);
}

/* A client that leaves while the check is under way: the script has been run, or has not. */
static void
an_aborted_check_holds_nothing(void **state)
{
	static struct reservation all[1000];
	const struct quota q = { .streams = 1000, .tokens_per_month = 1000000 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		reserving(&all[i], q, 5, true);
		for (int turns = i % 4; turns > 0; turns--)
			worker_turn(worker, 0);
		if (!all[i].probe.ended)
			flow_abort(&all[i].probe.flow, ERR_CLIENT_GONE, "The client has left.");
		turn_until(worker, &all[i].probe.ended);
		quota_settle(&all[i].hold, 0);
		if (i % 16 == 15)
			no_flow_is_left();
	}
	no_flow_is_left();
	assert_int_equal(counter("streams"), 0);
	assert_int_equal(counter("held"), 0);
	assert_int_equal(leases(), 0);
}

static void
an_adjusted_hold_is_for_what_it_says(void **state)
{
	const struct quota q = { .tokens_per_month = 10000 };
	struct reservation r;

	(void)state;
	assert_true(reserve(&r, q, 100, true));
	quota_adjust(r.hold, 7000);
	quota_adjust(r.hold, 6000);
	assert_int_equal(counter("held"), 6000);
	assert_int_equal(counter("streams"), 1);
	assert_int_equal(leases(), 1);
	quota_settle(&r.hold, 50);
	no_flow_is_left();
	assert_int_equal(counter("held"), 0);
	assert_int_equal(counter("used"), 50);
}

static void
a_script_that_is_flushed_is_loaded_again(void **state)
{
	struct redis_order flush = { .words = { SLICE_LIT("SCRIPT"), SLICE_LIT("FLUSH") },
		.count = 2 };
	const struct quota q = { .streams = 5 };
	struct reservation r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		redis_order_run(&flush);
		redis_clear(&flush.reply);
		assert_true(reserve(&r, q, 5, true));
		redis_order_run(&flush);
		redis_clear(&flush.reply);
		quota_settle(&r.hold, 3);
		no_flow_is_left();
	}
	assert_int_equal(counter("used"), 6);
	assert_int_equal(counter("streams"), 0);
}

/* At its adjustment, too, and at the renewal of its lease. */
static void
a_flushed_script_loses_no_adjustment(void **state)
{
	struct redis_order flush = { .words = { SLICE_LIT("SCRIPT"), SLICE_LIT("FLUSH") },
		.count = 2 };
	const struct quota q = { .tokens_per_month = 10000, .streams = 5 };
	struct reservation r;

	(void)state;
	assert_true(reserve(&r, q, 100, true));
	redis_order_run(&flush);
	redis_clear(&flush.reply);
	quota_adjust(r.hold, 7000);
	no_flow_is_left();
	assert_int_equal(counter("held"), 7000);
	assert_int_equal(leases(), 1);
	quota_settle(&r.hold, 50);
	no_flow_is_left();
	assert_int_equal(counter("held"), 0);
	assert_int_equal(counter("streams"), 0);
	assert_int_equal(counter("used"), 50);
	assert_int_equal(leases(), 0);
}

/* Of the link's connection; -1: it is down. */
static long long
link_id(void)
{
	struct redis_order o = { .words = { SLICE_LIT("CLIENT"), SLICE_LIT("ID") }, .count = 2 };
	long long id;

	redis_order_run(&o);
	id = o.reply.status == REDIS_OK ? o.reply.number : -1;
	redis_clear(&o.reply);
	return id;
}

static bool
link_is_another(void *before)
{
	long long id = link_id();

	return id != -1 && id != *(long long *)before;
}

/* The link goes while an adjustment or a settlement is on its way: what comes behind the kill is
 * not run, and nobody can tell. */
static void
a_link_that_goes_loses_and_doubles_nothing(void **state)
{
	const struct quota q = { .tokens_per_month = 1000000, .streams = 50 };
	long long id;
	char number[24];
	struct slice kill[] = { SLICE_LIT("CLIENT"), SLICE_LIT("KILL"), SLICE_LIT("ID"),
		{ NULL, 0 }, SLICE_LIT("SKIPME"), SLICE_LIT("no") };
	struct reservation r;

	(void)state;
	for (int i = 0; i < 8; i++) {
		assert_true(reserve(&r, q, 100, true));
		id = link_id();
		(void)snprintf(number, sizeof(number), "%lld", id);
		kill[3] = slice_str(number);
		if (i % 2 == 0)
			quota_adjust(r.hold, 5000);
		if (i >= 4)
			worker_turn(worker, 0);
		redis_send(redis, kill, 6);
		if (i % 2 == 1)
			quota_adjust(r.hold, 6000);
		for (int turns = i % 3; turns > 0; turns--)
			worker_turn(worker, 0);
		quota_settle(&r.hold, 10);
		no_flow_is_left();
		turn_until_so(worker, link_is_another, &id);
	}
	assert_int_equal(counter("held"), 0);
	assert_int_equal(counter("streams"), 0);
	assert_int_equal(counter("used"), 80);
	assert_int_equal(leases(), 0);
}

static void
what_is_spent_counts_after_its_lease_was_lost(void **state)
{
	const struct quota q = { .tokens_per_month = 10000, .streams = 5 };
	struct reservation r;

	(void)state;
	assert_true(reserve(&r, q, 100, true));
	quota_keys_delete(); /* as a Redis that was restarted */
	quota_settle(&r.hold, 50);
	no_flow_is_left();
	assert_int_equal(counter("used"), 50);
	assert_int_equal(counter("held"), 0);
}

struct looking {
	struct probe probe;
	struct limit_rule rule;
	struct quota_request ask;
	struct limit_use rate;
	struct quota_use quota;
};

static enum flow_rc
looking_step(struct flow *f)
{
	struct looking *l = (struct looking *)f;

	return quota_look(f, limiter, &l->rule, &l->ask, &l->rate, &l->quota);
}

static void
looking_run(struct looking *l, struct quota quota)
{
	*l = (struct looking){ .rule = { slice_str(rate_key), 10, 3600 * 1000000ull, 0 },
		.ask = { .quota = quota,
		    .state_key = slice_str(state_key),
		    .leases_key = slice_str(leases_key) } };
	probe_start(&l->probe, worker, looking_step, NULL);
	turn_until(worker, &l->probe.ended);
	assert_true(l->quota.is_known);
	assert_true(l->rate.is_known);
	assert_string_equal(l->quota.source, "redis");
}

/* Of a tenant that Redis does not know nothing is written either. */
static void
a_look_shows_what_is_used_and_changes_nothing(void **state)
{
	const struct quota q = { 600000, 1000000, 5 };
	struct quota_request ask = { .quota = q,
		.state_key = slice_str(state_key),
		.leases_key = slice_str(leases_key) };
	struct redis_order exists = { .words = { SLICE_LIT("EXISTS"), slice_str(state_key),
					  slice_str(leases_key) },
		.count = 3 };
	struct reservation r;
	struct looking l;

	(void)state;
	looking_run(&l, q);
	assert_int_equal(l.quota.minute + l.quota.month + l.quota.streams + l.rate.used, 0);
	assert_false(l.quota.month_is_known);
	redis_order_run(&exists);
	assert_int_equal(exists.reply.number, 0);
	redis_clear(&exists.reply);
	assert_true(reserve(&r, q, 100000, true));
	quota_seed(limiter, &ask, 30);
	looking_run(&l, q);
	assert_true(l.quota.month_is_known);
	assert_int_equal(l.quota.month, 100030);
	assert_in_range(l.quota.minute, 1, 100000);
	assert_int_equal(l.quota.streams, 1);
	quota_settle(&r.hold, 70);
	no_flow_is_left();
	looking_run(&l, q);
	assert_int_equal(l.quota.month, 100);
	assert_int_equal(l.quota.streams, 0);
	assert_int_equal(counter("used"), 70);
}

/* The rates of a request, by the keys that builds without quotas count by. */
static struct limit_rule shared_rules[3];

static enum flow_rc
shared_with_quota(struct flow *f)
{
	struct reservation *r = (struct reservation *)f;

	return quota_check(f, limiter, shared_rules, 3, &r->ask, &r->rates, &r->verdict, &r->hold);
}

static enum flow_rc
shared_without(struct flow *f)
{
	struct reservation *r = (struct reservation *)f;

	return limit_check(f, limiter, shared_rules, 3, &r->rates);
}

static void
shared_run(struct reservation *r, enum flow_rc (*step)(struct flow *))
{
	memset(r, 0, sizeof(*r));
	r->ask = (struct quota_request){ .quota = { .streams = 9 },
		.state_key = slice_str(state_key),
		.leases_key = slice_str(leases_key),
		.is_stream = true };
	probe_start(&r->probe, worker, step, NULL);
	turn_until(worker, &r->probe.ended);
	assert_false(err_is(&r->probe.err));
	assert_string_equal(r->rates.mode, "redis");
}

static void
rates_are_one_count_with_and_without_quotas(void **state)
{
	static const unsigned counts[] = { 50, 3, 9 };
	struct reservation r;
	char keys[3][80];

	(void)state;
	for (int i = 0; i < 3; i++) {
		(void)snprintf(keys[i], sizeof(keys[i]), "%s:%d", rate_key, i);
		shared_rules[i] = (struct limit_rule){ .key = slice_str(keys[i]),
			.count = counts[i],
			.period_us = 3600 * 1000000ull };
	}
	for (unsigned left = 2; left > 0; left--) {
		shared_run(&r, shared_with_quota);
		assert_int_equal(r.rates.which, 1);
		assert_int_equal(r.rates.remaining, left);
		quota_settle(&r.hold, 0);
	}
	shared_run(&r, shared_without);
	assert_int_equal(r.rates.remaining, 0);
	shared_run(&r, shared_without);
	assert_false(r.rates.allowed);
	shared_run(&r, shared_with_quota);
	assert_false(r.rates.allowed);
	assert_null(r.hold);
	assert_int_equal(r.verdict.refused, QUOTA_NONE);
	no_flow_is_left();
	assert_int_equal(counter("streams"), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_minute_refuses_and_comes_back),
		TEST(a_thousand_at_once_are_as_many_as_may),
		TEST(an_aborted_check_holds_nothing),
		TEST(an_adjusted_hold_is_for_what_it_says),
		TEST(a_script_that_is_flushed_is_loaded_again),
		TEST(a_flushed_script_loses_no_adjustment),
		TEST(a_link_that_goes_loses_and_doubles_nothing),
		TEST(what_is_spent_counts_after_its_lease_was_lost),
		TEST(a_look_shows_what_is_used_and_changes_nothing),
		TEST(rates_are_one_count_with_and_without_quotas),
	};

	if (getenv("TEST_REDIS") == NULL) {
		(void)printf("skipped: TEST_REDIS=host:port is not set\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
