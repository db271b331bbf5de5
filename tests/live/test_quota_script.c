/* SPDX-License-Identifier: MIT */
/*
 * The quotas' script in a true Redis: it decides as the arithmetic in C does, a settlement counts
 * once, and a lease that is over gives back. Skipped (exit 77) without TEST_REDIS, a host:port.
 */
#include "quota_fixture.h"

#define ROUNDS 1500

static struct redis_order
order_of(struct quota_call *call, enum quota_act act, struct quota quota, const char *lease,
    uint64_t tokens, uint64_t lease_us)
{
	const struct quota_order order = { .act = act,
		.state_key = slice_str(state_key),
		.leases_key = slice_str(leases_key),
		.quota = quota,
		.tokens = tokens,
		.lease = lease,
		.new_lease = "",
		.is_stream = lease[0] != '\0' && lease[strlen(lease) - 1] == '1',
		.lease_us = lease_us };
	struct redis_order o = { 0 };

	quota_call_make(call, LIMIT_EVAL, &order, NULL, 0);
	memcpy(o.words, call->words, call->count * sizeof(o.words[0]));
	o.count = call->count;
	return o;
}

/* What the script says against the arithmetic in C, of orders at random. The minute is left out:
 * its bucket empties by Redis's clock while the test computes. */
static const struct quota quota = { .tokens_per_month = 20000, .streams = 3 };
static struct quota_state state_in_c;
static char held[ROUNDS][QUOTA_LEASE_SIZE];
static uint64_t tokens[ROUNDS];
static unsigned held_count, decided[4];

static void
both_take(int round, uint64_t n, bool is_stream)
{
	const struct quota_order order = { .quota = quota, .tokens = n };
	enum quota_kind kind = quota_refuses(&quota, &state_in_c, n, is_stream);
	struct quota_verdict got, want;
	struct limit_verdict rates;
	struct quota_call call;
	struct redis_order o;

	(void)snprintf(held[held_count], QUOTA_LEASE_SIZE, "%d:%llu:%d", round,
	    (unsigned long long)n, is_stream);
	o = order_of(&call, QUOTA_TAKE, quota, held[held_count], n, 3600 * 1000000ull);
	redis_order_run(&o);
	assert_true(quota_call_read(&o.reply, &order, NULL, 0, &rates, &got));
	redis_clear(&o.reply);
	if (kind == QUOTA_NONE) {
		quota_take(&state_in_c, n, is_stream);
		tokens[held_count++] = n;
	}
	quota_tell(&quota, &state_in_c, n, clock_wall_us() / 1000000, kind, &want);
	assert_int_equal(got.refused, want.refused);
	assert_int_equal(got.month_left, want.month_left);
	assert_int_equal(got.is_new, want.is_new);
	decided[kind]++;
}

/* Twice, as after a lost answer. */
static void
both_settle(unsigned k, uint64_t used)
{
	bool was_stream = held[k][strlen(held[k]) - 1] == '1';
	struct quota_call call;
	struct redis_order o = order_of(&call, QUOTA_SETTLE, quota, held[k], used, 0);

	for (int twice = 0; twice < 2; twice++) {
		redis_order_run(&o);
		assert_true(quota_call_is_run(&o.reply));
		redis_clear(&o.reply);
	}
	quota_give_back(&state_in_c, tokens[k], was_stream, used);
	held_count--;
	memmove(held[k], held[held_count], QUOTA_LEASE_SIZE);
	tokens[k] = tokens[held_count];
}

static void
it_decides_as_the_arithmetic_does(void **state)
{
	(void)state;
	srandom(7);
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 500 == 0) { /* the month would be used up for good */
			quota_keys_delete();
			state_in_c = (struct quota_state){ 0 };
			held_count = 0;
		}
		quota_pass(&state_in_c, &quota, 1, clock_wall_us() / 1000000);
		if (held_count == 0 || random() % 3)
			both_take(i, (uint64_t)(random() % (i % 500 < 200 ? 2000 : 9000)),
			    random() % 2);
		else
			both_settle((unsigned)random() % held_count, (uint64_t)(random() % 30));
		assert_int_equal(counter("held"), state_in_c.held);
		assert_int_equal(counter("streams"), state_in_c.streams);
		assert_int_equal(counter("used"), state_in_c.used);
		assert_int_equal(leases(), held_count);
	}
	print_message("%u taken, %u of the month, %u of streams\n", decided[QUOTA_NONE],
	    decided[QUOTA_MONTH], decided[QUOTA_STREAMS]);
	assert_true(
	    decided[QUOTA_NONE] > 50 && decided[QUOTA_MONTH] > 50 && decided[QUOTA_STREAMS] > 50);
}

/* What a killed process has held: of its name in Redis alone. */
static void
a_lease_that_is_over_gives_back(void **state)
{
	const struct quota q = { .streams = 1 };
	uint64_t until = clock_mono_us() + 30000000;
	struct quota_call call;
	struct redis_order o = order_of(&call, QUOTA_TAKE, q, "dead:70:1", 70, 300000);
	struct reservation r;

	(void)state;
	redis_order_run(&o);
	redis_clear(&o.reply);
	assert_int_equal(counter("held"), 70);
	while (!reserve(&r, q, 5, true) && clock_mono_us() < until)
		worker_turn(worker, 20);
	assert_non_null(r.hold);
	assert_int_equal(counter("held"), 5);
	assert_int_equal(counter("streams"), 1);
	/* It was not dead: its settlement counts for nothing, and its renewal brings it back. */
	o = order_of(&call, QUOTA_SETTLE, q, "dead:70:1", 40, 300000);
	redis_order_run(&o);
	redis_clear(&o.reply);
	assert_int_equal(counter("used"), 0);
	o = order_of(&call, QUOTA_RENEW, q, "dead:70:1", 0, 3600 * 1000000ull);
	redis_order_run(&o);
	redis_clear(&o.reply);
	assert_int_equal(counter("streams"), 2);
	assert_int_equal(counter("held"), 75);
	quota_settle(&r.hold, 0);
	no_flow_is_left();
}

/* An order about a lease that may have another name by now. */
static void
order_run(enum quota_act act, const char *lease, const char *other, uint64_t n)
{
	const struct quota_order order = { .act = act,
		.state_key = slice_str(state_key),
		.leases_key = slice_str(leases_key),
		.quota = quota,
		.tokens = n,
		.lease = lease,
		.new_lease = other,
		.is_stream = true,
		.lease_us = 3600 * 1000000ull };
	struct quota_call call;
	struct redis_order o = { 0 };

	quota_call_make(&call, LIMIT_EVAL, &order, NULL, 0);
	memcpy(o.words, call.words, call.count * sizeof(o.words[0]));
	o.count = call.count;
	redis_order_run(&o);
	assert_true(quota_call_is_run(&o.reply));
	redis_clear(&o.reply);
}

static void
check_counters(long long held_tokens, long long used, long long lease_count)
{
	assert_int_equal(counter("held"), held_tokens);
	assert_int_equal(counter("used"), used);
	assert_int_equal(counter("streams"), lease_count);
	assert_int_equal(leases(), lease_count);
}

/* Whether it was adjusted or not: each order about both names does what it says, however often. */
static void
a_lease_of_two_names_is_one(void **state)
{
	long long used = 0;

	(void)state;
	for (int is_adjusted = 0; is_adjusted < 2; is_adjusted++) {
		order_run(QUOTA_TAKE, "a:100:1", "", 100);
		if (is_adjusted)
			order_run(QUOTA_ADJUST, "a:100:1", "b:250:1", 250);
		order_run(QUOTA_RENEW, "a:100:1", "b:250:1", 0);
		check_counters(is_adjusted ? 250 : 100, used, 1);
		order_run(QUOTA_SETTLE, "a:100:1", "b:250:1", 7);
		check_counters(0, used += 7, 0);
		order_run(QUOTA_SETTLE, "a:100:1", "b:250:1", 7);
		check_counters(0, used, 0);
	}
	order_run(QUOTA_TAKE, "a:100:1", "", 100);
	for (int twice = 0; twice < 2; twice++) {
		order_run(QUOTA_ADJUST, "a:100:1", "b:250:1", 250);
		check_counters(250, used, 1);
	}
	order_run(QUOTA_SETTLE, "b:250:1", "", 1);
	check_counters(0, used + 1, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(it_decides_as_the_arithmetic_does),
		TEST(a_lease_that_is_over_gives_back),
		TEST(a_lease_of_two_names_is_one),
	};

	if (getenv("TEST_REDIS") == NULL) {
		(void)printf("skipped: TEST_REDIS=host:port is not set\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
