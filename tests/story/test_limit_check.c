/* SPDX-License-Identifier: MIT */
/*
 * Limit checks over a scripted Redis: the script is loaded once, and each failure mode does what it
 * promises when Redis refuses, hangs, or replies nonsense.
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
#include "../unit/limiter_fixture.h"
#include "tenantgate/base/log.h"

#define TIMEOUT_US 2000000

enum behaviour { GOOD, HANGING, NONSENSE, ERRORS };

struct rate_check {
	struct probe probe;
	struct limit_rule rules[3];
	unsigned count;
	struct limit_verdict verdict;
};

static struct peer peer;
static enum behaviour behaviour;
static unsigned evalshas, evals;

/* ---- a Redis of one key, whose time of arrival (tat) is always the same ---- */

static bool
contains(struct evbuffer *in, const char *word)
{
	return evbuffer_search(in, word, strlen(word), NULL).pos != -1;
}

static void
limit_redis_eval(struct peer_conn *c)
{
	if (behaviour == GOOD)
		peer_send(c, "*4\r\n:1\r\n:1000000000\r\n:0\r\n:1001000000\r\n");
	else if (behaviour == NONSENSE)
		peer_send(c, "*2\r\n:1\r\n$3\r\nnow\r\n");
	else if (behaviour == ERRORS)
		peer_send(c, "-READONLY it is a replica\r\n");
}

static void
limit_redis_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	if (contains(in, "EVALSHA")) {
		evalshas++;
		if (evals == 0 && behaviour == GOOD)
			peer_send(c, "-NOSCRIPT No matching script.\r\n");
		else
			limit_redis_eval(c);
	} else if (contains(in, "EVAL")) {
		evals++;
		limit_redis_eval(c);
	} else if (contains(in, "PING") && behaviour != HANGING) {
		peer_send(c, "+PONG\r\n");
	}
	(void)evbuffer_drain(in, evbuffer_get_length(in));
}

/* ---- checks ---- */

static enum flow_rc
rate_check_step(struct flow *f)
{
	struct rate_check *v = (struct rate_check *)f;

	return limit_check(f, limiter, v->rules, v->count, &v->verdict);
}

static void
rate_check_start(struct rate_check *v)
{
	memset(v, 0, sizeof(*v));
	v->rules[0] = (struct limit_rule){ .key = SLICE_LIT("off"), .count = 0 };
	v->rules[1] =
	    (struct limit_rule){ .key = SLICE_LIT("a"), .count = 10, .period_us = 10000000 };
	v->rules[2] =
	    (struct limit_rule){ .key = SLICE_LIT("b"), .count = 2, .period_us = 2000000 };
	v->count = 3;
	probe_start(&v->probe, worker, rate_check_step, NULL);
}

static void
rate_check_run(struct rate_check *v)
{
	rate_check_start(v);
	turn_until(worker, &v->probe.ended);
}

static int
set_up(void **state)
{
	char url[64];

	(void)state;
	behaviour = GOOD;
	evals = evalshas = 0;
	worker = worker_new(0);
	peer_open(&peer, worker, 0, limit_redis_serve);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", peer.port);
	limiter_up(url, TIMEOUT_US, LIMIT_LOCAL);
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

/* ---- the tests ---- */

static void
the_script_is_loaded_once(void **state)
{
	struct rate_check v;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rate_check_run(&v);
		assert_false(err_is(&v.probe.err));
		assert_true(v.verdict.allowed);
		assert_string_equal(v.verdict.mode, "redis");
		/* b: its tat is a second ahead, so this is the second of two. */
		assert_int_equal(v.verdict.which, 2);
		assert_int_equal(v.verdict.remaining, 0);
		assert_int_equal(v.verdict.reset_s, 2);
	}
	assert_int_equal(evals, 1);
	assert_int_equal(evalshas, 3);
	assert_int_equal(limit_store_count(store), 0);
}

static void
nothing_to_limit_asks_nothing(void **state)
{
	struct rate_check v;

	(void)state;
	rate_check_start(&v);
	v.count = 1;
	turn_until(worker, &v.probe.ended);
	assert_true(v.verdict.allowed);
	assert_int_equal(v.verdict.limit, 0);
	assert_int_equal(evalshas, 0);
}

static void
check_local_mode(void)
{
	struct rate_check v;

	for (int i = 0; i < 2; i++) {
		rate_check_run(&v);
		assert_true(v.verdict.allowed);
		assert_string_equal(v.verdict.mode, "local");
	}
	rate_check_run(&v);
	assert_false(v.verdict.allowed);
	assert_int_equal(v.verdict.which, 2);
	assert_int_equal(v.verdict.retry_after_s, 1);
}

static void
a_redis_that_hangs_is_replaced_by_this_process(void **state)
{
	uint64_t began;

	(void)state;
	behaviour = HANGING;
	began = clock_mono_us();
	check_local_mode(); /* the first check waits for the timeout, the rest do not */
	assert_true(clock_mono_us() - began >= TIMEOUT_US - 5000);
	behaviour = GOOD;
	redis_wait(worker, redis, true);
}

static void
without_a_redis_this_process_counts(void **state)
{
	struct redis *kept = redis;

	(void)state;
	redis = NULL;
	limiter_of(LIMIT_CLOSED, redis);
	redis = kept;
	check_local_mode();
}

static void
open_lets_everybody_through(void **state)
{
	struct rate_check v;

	(void)state;
	limiter_of(LIMIT_OPEN, redis);
	peer_close(&peer);
	redis_wait(worker, redis, false);
	for (int i = 0; i < 10; i++) {
		rate_check_run(&v);
		assert_true(v.verdict.allowed);
		assert_int_equal(v.verdict.limit, 0);
		assert_string_equal(v.verdict.mode, "open");
	}
}

static void
closed_refuses_everybody(void **state)
{
	struct rate_check v;

	(void)state;
	limiter_of(LIMIT_CLOSED, redis);
	behaviour = HANGING;
	for (int i = 0; i < 3; i++) {
		rate_check_run(&v);
		assert_int_equal(v.probe.err.code, ERR_LIMITER);
		assert_int_equal(v.probe.err.retry_after, 1);
	}
}

static void
a_nonsense_reply_counts_as_no_redis(void **state)
{
	(void)state;
	behaviour = NONSENSE;
	check_local_mode();
	limit_store_free(store);
	store = limit_store_new(100);
	limiter_of(LIMIT_LOCAL, redis);
	behaviour = ERRORS;
	check_local_mode();
}

static const char *
limiter_reason(void)
{
	static struct condition c;

	memset(&c, 0, sizeof(c));
	limiter_condition(limiter, &c);
	return c.reason;
}

static void
what_decides_in_place_of_redis_is_told(void **state)
{
	static const char *const effects[] = { "Each process counts", "No limits are in force",
		"are refused" };
	struct rate_check v;

	(void)state;
	rate_check_run(&v);
	assert_string_equal(limiter_reason(), "");
	for (enum limit_failure_mode mode = LIMIT_LOCAL; mode <= LIMIT_CLOSED; mode++) {
		limiter_of(mode, redis);
		behaviour = ERRORS;
		rate_check_run(&v);
		assert_non_null(strstr(limiter_reason(), effects[mode]));
		assert_non_null(strstr(limiter_reason(), "READONLY it is a replica"));
		behaviour = GOOD;
		rate_check_run(&v);
		assert_string_equal(limiter_reason(), "");
	}
	peer_close(&peer);
	redis_wait(worker, redis, false);
	assert_non_null(strstr(limiter_reason(), redis_trouble(redis)));
}

/* Nobody asks again: whether Redis would refuse still, nobody knows. */
static void
an_old_refusal_is_no_condition(void **state)
{
	struct rate_check v;

	(void)state;
	behaviour = ERRORS;
	rate_check_run(&v);
	assert_string_not_equal(limiter_reason(), "");
	clock_test_advance(10000000);
	assert_string_equal(limiter_reason(), "");
}

static unsigned
limit_lines_count(const char *path, const char *what)
{
	FILE *file = fopen(path, "r");
	char line[4096];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, what) != NULL;
	assert_int_equal(fclose(file), 0);
	return n;
}

static void
refused_scripts_are_a_line_a_minute(void **state)
{
	char path[] = "/tmp/tenantgate-test-limit.XXXXXX";
	int fd = mkstemp(path);
	struct rate_check v;

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0 && log_open(path));
	behaviour = ERRORS;
	for (int minute = 1; minute <= 2; minute++) {
		clock_test_advance(LOG_MINUTE);
		for (int i = 0; i < 10; i++)
			rate_check_run(&v);
		assert_int_equal(limit_lines_count(path, "limit.script"), minute);
	}
	assert_true(log_open(NULL));
	assert_int_equal(unlink(path), 0);
}

static void
an_aborted_check_leaves_nothing(void **state)
{
	struct rate_check v;

	(void)state;
	behaviour = HANGING;
	rate_check_start(&v);
	turn_for(worker, 20);
	flow_abort(&v.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &v.probe.ended);
	assert_int_equal(v.probe.err.code, ERR_CLIENT_GONE);
	assert_int_equal(flow_count(worker), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_script_is_loaded_once),
		TEST(nothing_to_limit_asks_nothing),
		TEST(a_redis_that_hangs_is_replaced_by_this_process),
		TEST(without_a_redis_this_process_counts),
		TEST(open_lets_everybody_through),
		TEST(closed_refuses_everybody),
		TEST(a_nonsense_reply_counts_as_no_redis),
		TEST(what_decides_in_place_of_redis_is_told),
		TEST(an_old_refusal_is_no_condition),
		TEST(refused_scripts_are_a_line_a_minute),
		TEST(an_aborted_check_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
