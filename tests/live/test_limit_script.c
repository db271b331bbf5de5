/* SPDX-License-Identifier: MIT */
/*
 * The limiter's script in a true Redis against the same arithmetic in C: random keys, limits and
 * arrivals must give the same verdict, to the last header. Skipped (exit 77) without TEST_REDIS,
 * a host:port whose database 9 is emptied of keys beginning "tg:test:".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/fake_peer.h"
#include "limit/limit_internal.h"
#include "../unit/redis_fixture.h"

#define ROUNDS 2000
#define KEYS   6

struct redis_call {
	struct probe probe;
	struct slice words[LIMIT_WORDS_MAX];
	unsigned count;
	struct redis_reply reply;
};

struct script_check {
	struct probe probe;
	struct limit_rule rule;
	struct limit_verdict verdict;
};

static struct worker *worker;
static struct dns *dns;
static struct redis *redis;
static struct limit_store *store;
static struct limiter *limiter;
static char keys[KEYS][64];

static enum flow_rc
redis_call_step(struct flow *f)
{
	struct redis_call *c = (struct redis_call *)f;

	return redis_command(f, redis, c->words, c->count, &c->reply);
}

static void
redis_call_run(struct redis_call *c)
{
	probe_start(&c->probe, worker, redis_call_step, NULL);
	turn_until(worker, &c->probe.ended);
}

static void
keys_make(const char *test)
{
	for (int i = 0; i < KEYS; i++)
		(void)snprintf(keys[i], sizeof(keys[i]), "tg:test:%d:%s:%d", (int)getpid(), test,
		    i);
}

/* Keys expire by themselves, but not always before the next run. */
static void
keys_delete(void)
{
	struct redis_call c = { .count = 1 + KEYS };

	c.words[0] = SLICE_LIT("DEL");
	for (int i = 0; i < KEYS; i++)
		c.words[1 + i] = slice_str(keys[i]);
	redis_call_run(&c);
	redis_clear(&c.reply);
}

static int
set_up(void **state)
{
	char url[128];
	struct redis_conf conf = { .url = url, .timeout_us = 30000000, .pending_max = 64 };
	struct err err = { 0 };

	(void)state;
	(void)snprintf(url, sizeof(url), "redis://%s/9", getenv("TEST_REDIS"));
	worker = worker_new(0);
	dns = dns_open(worker, NULL, 1000000);
	redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(redis);
	store = limit_store_new(100);
	limiter = limit_open(worker, redis, store, LIMIT_CLOSED);
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
	worker_free(worker);
	return 0;
}

/* So tight that a few calls change the verdict: of four of them, however long they take here. */
static unsigned
rules_draw(struct limit_rule *rules, uint64_t call_us)
{
	unsigned n = 1 + (unsigned)random() % LIMIT_RULES_MAX;
	unsigned first = (unsigned)random() % KEYS;

	for (unsigned i = 0; i < n; i++) {
		unsigned k = (first + i) % KEYS;

		rules[i] = (struct limit_rule){
			.key = slice_str(keys[k]),
			.count = 3 + k,
			.period_us = (1 + k) * 4 * (call_us > 1000 ? call_us : 1000),
			.burst = k % 2 ? 2 + k : 0,
		};
	}
	return n;
}

static void
same_verdict(const struct limit_verdict *a, const struct limit_verdict *b)
{
	assert_int_equal(a->allowed, b->allowed);
	assert_int_equal(a->limit, b->limit);
	assert_int_equal(a->remaining, b->remaining);
	assert_int_equal(a->reset_s, b->reset_s);
	assert_int_equal(a->retry_after_s, b->retry_after_s);
	assert_int_equal(a->which, b->which);
}

static void
script_and_process_give_the_same_verdicts(void **state)
{
	uint64_t began = clock_mono_us();
	unsigned refused = 0;

	(void)state;
	srandom(7);
	keys_make("same");
	for (int i = 0; i < ROUNDS; i++) {
		struct limit_rule rules[LIMIT_RULES_MAX];
		unsigned n = rules_draw(rules, (clock_mono_us() - began) / (i + 1));
		struct limit_call script;
		struct redis_call c = { 0 };
		struct limit_verdict in_redis, in_c;
		uint64_t now_us;

		limit_call_make(&script, LIMIT_EVAL, rules, n);
		memcpy(c.words, script.words, sizeof(c.words));
		c.count = script.count;
		redis_call_run(&c);
		assert_true(limit_call_read(&c.reply, rules, n, &in_redis, &now_us));
		redis_clear(&c.reply);
		limit_store_decide(store, rules, n, now_us, &in_c);
		same_verdict(&in_redis, &in_c);
		refused += !in_c.allowed;
		if (random() % 4 == 0)
			usleep((useconds_t)(random() % 3000)); /* arrivals at random times */
	}
	print_message("%u of %d refused\n", refused, ROUNDS);
	assert_in_range(refused, ROUNDS / 20, ROUNDS * 19 / 20);
	keys_delete();
}

static enum flow_rc
script_check_step(struct flow *f)
{
	struct script_check *v = (struct script_check *)f;

	return limit_check(f, limiter, &v->rule, 1, &v->verdict);
}

/* Two hundred at once, a hundred allowed: exactly a hundred pass; and the key has a TTL. */
static void
the_limit_is_exact_when_all_come_at_once(void **state)
{
	static struct script_check checks[200];
	struct redis_call ttl = { .words = { SLICE_LIT("PTTL") }, .count = 2 };
	unsigned passed = 0;

	(void)state;
	keys_make("once");
	for (int i = 0; i < 200; i++) {
		memset(&checks[i], 0, sizeof(checks[i]));
		checks[i].rule = (struct limit_rule){ .key = slice_str(keys[0]),
			.count = 100,
			.period_us = 100000000 };
		probe_start(&checks[i].probe, worker, script_check_step, NULL);
		if (i % 50 == 49) /* pending_max is 64 */
			for (int k = i - 49; k <= i; k++)
				turn_until(worker, &checks[k].probe.ended);
	}
	for (int i = 0; i < 200; i++) {
		assert_false(err_is(&checks[i].probe.err));
		assert_string_equal(checks[i].verdict.mode, "redis");
		passed += checks[i].verdict.allowed;
	}
	assert_int_equal(passed, 100);
	ttl.words[1] = slice_str(keys[0]);
	redis_call_run(&ttl);
	assert_in_range(ttl.reply.number, 1000, 100000);
	redis_clear(&ttl.reply);
	keys_delete();
}

static void
a_flushed_script_is_loaded_again(void **state)
{
	struct script_check v;
	struct redis_call flush = { .words = { SLICE_LIT("SCRIPT"), SLICE_LIT("FLUSH") },
		.count = 2 };

	(void)state;
	keys_make("flush");
	for (int i = 0; i < 3; i++) {
		redis_call_run(&flush);
		redis_clear(&flush.reply);
		memset(&v, 0, sizeof(v));
		v.rule = (struct limit_rule){ .key = slice_str(keys[0]),
			.count = 10,
			.period_us = 1000000000 };
		probe_start(&v.probe, worker, script_check_step, NULL);
		turn_until(worker, &v.probe.ended);
		assert_true(v.verdict.allowed);
		assert_int_equal(v.verdict.remaining, 9 - i);
	}
	keys_delete();
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(script_and_process_give_the_same_verdicts),
		TEST(the_limit_is_exact_when_all_come_at_once),
		TEST(a_flushed_script_is_loaded_again),
	};

	if (getenv("TEST_REDIS") == NULL) {
		(void)printf("skipped: TEST_REDIS=host:port is not set\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
