/* SPDX-License-Identifier: MIT */
/*
 * test_issuer_auth: checks of issuers' tokens wait for their keys together, and no longer than they
 * must; two workers fetch them once; whoever leaves in the middle takes nothing with him.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/issuer_auth.h"
#include "fake_web.h"
#include "issuer_token.h"
#include "tenantgate/base/clock.h"

#define SECOND 1000000ull
#define CHECKS 20

/* What the issuer's server answers. */
static struct {
	int status;
	const char *body;
	bool holds; /* fetches wait until let_go() */
	unsigned fetches;
	struct flow *waiting; /* NULL: none */
	struct web_response *out;
} keys_web;

struct token_flow {
	struct flow flow;
	struct issuer_auth *auth;
	const char *token;
	struct caller caller;
	struct err err;
	unsigned ended;
};

static struct worker *workers[2];
static struct issuer_auth *auths[2];
static struct issuers *issuers;
static struct token_flow checks[CHECKS];
static struct issuer_conf conf;
static struct arena *next_arena; /* of the next flow; NULL: none */

static flow_step_fn token_flow_check;
static flow_end_fn token_flow_end;
static const struct flow_step token_flow_steps[] = { { "check", token_flow_check },
	{ NULL, NULL } };
static const struct flow_kind token_flow_kind = { "token_flow", token_flow_steps, token_flow_end,
	NULL };

static void
keys_web_answer(struct web_response *out)
{
	out->failure = WEB_FINE;
	out->status = keys_web.status;
	buf_init(&out->body, 1u << 20);
	(void)buf_puts(&out->body, keys_web.body);
}

static void
keys_web_cancel(void *arg)
{
	(void)arg;
	keys_web.waiting = NULL;
}

/* A fake_web_fn. */
static enum flow_rc
keys_web_fetch(struct flow *f, const struct web_request *rq, struct web_response *out)
{
	assert_true(rq->response_max > 0 && rq->total_timeout_us > 0);
	keys_web.fetches++;
	if (!keys_web.holds) {
		keys_web_answer(out);
		return FLOW_NEXT;
	}
	assert_null(keys_web.waiting);
	keys_web.waiting = f;
	keys_web.out = out;
	return flow_wait(f, keys_web_cancel, NULL);
}

static void
let_go(void)
{
	struct flow *f = keys_web.waiting;

	assert_non_null(f);
	keys_web.waiting = NULL;
	keys_web_answer(keys_web.out);
	flow_wake(f);
}

static enum flow_rc
token_flow_check(struct flow *f)
{
	struct token_flow *t = FLOW_OF(f, struct token_flow, &token_flow_kind);

	return issuer_auth_check(f, t->auth, slice_str(t->token), &t->caller);
}

static void
token_flow_end(struct flow *f, const struct err *err)
{
	struct token_flow *t = FLOW_OF(f, struct token_flow, &token_flow_kind);

	t->err = *err;
	t->ended++;
}

static void
token_begin(unsigned n, unsigned worker, const char *token)
{
	memset(&checks[n], 0, sizeof(checks[n]));
	checks[n].auth = auths[worker];
	checks[n].token = token;
	flow_start(&checks[n].flow, &token_flow_kind, workers[worker], next_arena);
	worker_turn(workers[worker], 0);
	worker_turn(workers[worker], 0);
}

static void
turns_of(unsigned worker)
{
	for (unsigned i = 0; i < 8; i++)
		worker_turn(workers[worker], 0);
}

/* The token is good, and its sender known. */
static void
assert_let_in(unsigned n)
{
	assert_int_equal(checks[n].ended, 1);
	assert_int_equal(checks[n].err.code, ERR_NONE);
	assert_int_equal(checks[n].caller.kind, CALLER_TOKEN);
	assert_string_equal(checks[n].caller.tenant, "harbour");
	assert_string_equal(checks[n].caller.user, "ann");
	assert_int_equal(checks[n].caller.scopes, SCOPE_BIT(SCOPE_CHAT));
	assert_true(checks[n].caller.has_own_only);
}

static void
assert_kept_out(unsigned n, const char *cause)
{
	assert_int_equal(checks[n].ended, 1);
	assert_int_equal(checks[n].err.code, ERR_NONE);
	assert_int_equal(checks[n].caller.kind, CALLER_NONE);
	assert_non_null(strstr(checks[n].caller.cause, cause));
}

static int
issuer_auth_set_up(void **state)
{
	(void)state;
	conf = issuer_one;
	clock_test_freeze(true);
	memset(&keys_web, 0, sizeof(keys_web));
	keys_web.status = 200;
	keys_web.body = KEYS;
	fake_web_plays = keys_web_fetch;
	issuers = issuers_new(&conf, 1, NULL);
	for (unsigned i = 0; i < 2; i++) {
		workers[i] = worker_new(i);
		auths[i] = issuer_auth_open(workers[i], NULL);
		issuer_auth_set(auths[i], issuers);
	}
	return 0;
}

static int
issuer_auth_tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		flow_abort_all(workers[i], ERR_SHUTDOWN, "The server is shutting down.");
		turns_of(i);
		assert_int_equal(flow_count(workers[i]), 0);
		issuer_auth_close(auths[i]);
		worker_free(workers[i]);
	}
	issuers_give(issuers);
	clock_test_freeze(false);
	return 0;
}

static void
all_wait_for_one_fetch(void **state)
{
	(void)state;
	keys_web.holds = true;
	for (unsigned n = 0; n < CHECKS; n++)
		token_begin(n, 0, GOOD_TOKEN);
	assert_int_equal(keys_web.fetches, 1);
	assert_int_equal(checks[0].ended, 0);
	let_go();
	turns_of(0);
	for (unsigned n = 0; n < CHECKS; n++)
		assert_let_in(n);
	token_begin(0, 0, GOOD_TOKEN); /* no wait any more */
	assert_let_in(0);
	assert_int_equal(keys_web.fetches, 1);
}

static void
another_worker_waits_for_it_too(void **state)
{
	(void)state;
	keys_web.holds = true;
	token_begin(0, 0, GOOD_TOKEN);
	token_begin(1, 1, GOOD_TOKEN);
	assert_int_equal(checks[1].ended, 0);
	let_go();
	turns_of(0);
	assert_let_in(0);
	assert_int_equal(checks[1].ended, 0);
	clock_test_freeze(false); /* it looks again in a moment */
	while (checks[1].ended == 0)
		worker_turn(workers[1], 5);
	assert_let_in(1);
	assert_int_equal(keys_web.fetches, 1);
}

static void
an_unknown_key_is_asked_for_once_a_cool_down(void **state)
{
	(void)state;
	token_begin(0, 0, GOOD_TOKEN);
	turns_of(0);
	assert_let_in(0);
	for (unsigned i = 0; i < 3; i++) {
		clock_test_advance(31 * SECOND);
		for (unsigned n = 0; n < CHECKS; n++) {
			token_begin(n, n % 2, UNKNOWN_KEY_TOKEN);
			turns_of(n % 2);
			assert_kept_out(n, "no such key");
		}
		assert_int_equal(keys_web.fetches, 2 + i);
	}
}

static void
keys_are_fetched_behind_whoever_asks(void **state)
{
	(void)state;
	token_begin(0, 0, GOOD_TOKEN);
	turns_of(0);
	clock_test_advance(301 * SECOND);
	keys_web.holds = true;
	token_begin(1, 0, GOOD_TOKEN);
	assert_let_in(1);
	turns_of(0);
	assert_int_equal(keys_web.fetches, 2);
	token_begin(2, 0, GOOD_TOKEN);
	assert_let_in(2);
	let_go();
	turns_of(0);
	assert_int_equal(keys_web.fetches, 2);
}

static void
keys_that_are_old_are_waited_for_and_kept_while_that_fails(void **state)
{
	(void)state;
	token_begin(0, 0, GOOD_TOKEN);
	turns_of(0);
	clock_test_advance(601 * SECOND);
	keys_web.holds = true;
	keys_web.status = 500;
	token_begin(1, 0, GOOD_TOKEN);
	turns_of(0);
	assert_int_equal(checks[1].ended, 0);
	let_go();
	turns_of(0);
	assert_let_in(1);
	/* It is known to fail: nobody waits again, though another fetch begins. */
	clock_test_advance(31 * SECOND);
	token_begin(2, 0, GOOD_TOKEN);
	assert_let_in(2);
	turns_of(0);
	assert_int_equal(keys_web.fetches, 3);
	let_go();
	turns_of(0);
	/* Longer than jwks_stale_ttl: none. */
	clock_test_advance(86400 * SECOND);
	keys_web.holds = false;
	token_begin(3, 0, GOOD_TOKEN);
	turns_of(0);
	assert_int_equal(checks[3].err.code, ERR_ISSUER);
	assert_true(checks[3].err.retry_after >= 1 && checks[3].err.retry_after <= 31);
}

/* Keys that were taken back are not good once a fetch has said so. */
static void
what_a_fetch_leaves_out_is_gone(void **state)
{
	(void)state;
	token_begin(0, 0, GOOD_TOKEN);
	turns_of(0);
	clock_test_advance(601 * SECOND);
	keys_web.body = OTHER_KEYS;
	token_begin(1, 0, GOOD_TOKEN);
	turns_of(0);
	assert_kept_out(1, "no such key");
}

static void
who_leaves_takes_nothing_with_him(void **state)
{
	(void)state;
	keys_web.holds = true;
	token_begin(0, 0, GOOD_TOKEN);
	token_begin(1, 0, GOOD_TOKEN);
	flow_abort(&checks[0].flow, ERR_CLIENT_GONE, "The client left.");
	turns_of(0);
	assert_int_equal(checks[0].ended, 1);
	assert_int_equal(checks[1].ended, 0);
	/* Nor does a reload, by which the issuer is gone: what is under way ends as it began. */
	issuers_give(issuers);
	issuers = issuers_new(&conf, 0, NULL);
	issuer_auth_set(auths[0], issuers);
	issuer_auth_set(auths[1], issuers);
	let_go();
	turns_of(0);
	assert_let_in(1);
	token_begin(2, 0, GOOD_TOKEN);
	assert_kept_out(2, "no section");
}

/* Else a newcomer would pass by the rate, which is in it. The second finds the keys there. */
static void
without_memory_for_its_profile_nobody_is_let_in(void **state)
{
	(void)state;
	next_arena = arena_new(sizeof(struct caller_profile) / 2);
	for (unsigned n = 0; n < 2; n++) {
		token_begin(n, 0, GOOD_TOKEN);
		assert_int_equal(checks[n].err.code, ERR_OVERLOADED);
	}
	arena_free(next_arena);
	next_arena = NULL;
}

/* A fetch that a shutdown ends gives its turn back; the tear-down aborts it. */
static void
a_shutdown_ends_a_fetch(void **state)
{
	(void)state;
	keys_web.holds = true;
	token_begin(0, 0, GOOD_TOKEN);
	flow_abort_all(workers[0], ERR_SHUTDOWN, "The server is shutting down.");
	turns_of(0);
	assert_int_equal(checks[0].err.code, ERR_SHUTDOWN);
	assert_null(keys_web.waiting);
	clock_test_advance(31 * SECOND);
	keys_web.holds = false;
	token_begin(1, 1, GOOD_TOKEN);
	turns_of(1);
	assert_let_in(1);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, issuer_auth_set_up, issuer_auth_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(all_wait_for_one_fetch),
		STORY(another_worker_waits_for_it_too),
		STORY(an_unknown_key_is_asked_for_once_a_cool_down),
		STORY(keys_are_fetched_behind_whoever_asks),
		STORY(keys_that_are_old_are_waited_for_and_kept_while_that_fails),
		STORY(what_a_fetch_leaves_out_is_gone),
		STORY(who_leaves_takes_nothing_with_him),
		STORY(without_memory_for_its_profile_nobody_is_let_in),
		STORY(a_shutdown_ends_a_fetch),
	};

	return cmocka_run_group_tests_name("issuer_auth", tests, NULL, NULL);
}
