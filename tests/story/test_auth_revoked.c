/* SPDX-License-Identifier: MIT */
/*
 * test_auth_revoked: two replicas, each with its own records, and a channel between them: a key
 * that one of them revokes is refused by both at its next use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth_fixture.h"
#include "turn_until_idle.h"

struct replicas_of_two {
	struct auth_fixture *w; /* owned: its auth is the first of the two */
	struct lookup_store *keys;
	struct auth *auths[2];	/* the second is owned */
};

static int
two_set_up(void **state)
{
	struct replicas_of_two *two = calloc(1, sizeof(*two));
	struct auth_conf conf;

	if (auth_fixture_set_up((void **)&two->w) != 0)
		return -1;
	auth_conf_init(&conf);
	conf.last_used_us = 0;
	two->keys = lookup_store_new(conf.cache_max);
	two->auths[0] = two->w->auth;
	two->auths[1] =
	    auth_open(two->w->worker, NULL, two->w->tags, two->keys, &two->w->redis, &conf);
	*state = two;
	return 0;
}

static int
two_tear_down(void **state)
{
	struct replicas_of_two *two = *state;
	void *fixture = two->w;

	auth_close(two->auths[1]);
	lookup_store_free(two->keys);
	two->w->auth = two->auths[0];
	free(two);
	return auth_fixture_tear_down(&fixture);
}

static enum err_code
check_on(struct replicas_of_two *two, unsigned n)
{
	two->w->auth = two->auths[n];
	return auth_fixture_check(two->w, GOOD);
}

static void
both_know_the_key(struct replicas_of_two *two)
{
	fake_catalog_returns(auth_fixture_key, 0);
	assert_int_equal(check_on(two, 0), ERR_NONE);
	assert_int_equal(check_on(two, 1), ERR_NONE);
	assert_int_equal(fake_catalog_asked(), 2);
}

static void
a_revoked_key_is_refused_by_both_at_once(void **state)
{
	struct replicas_of_two *two = *state;

	both_know_the_key(two);
	fake_catalog_returns(fake_catalog_empty, 0);
	auth_forget(two->auths[0], ID);
	assert_int_equal(check_on(two, 0), ERR_UNAUTHENTICATED);
	assert_int_equal(check_on(two, 1), ERR_UNAUTHENTICATED);
	assert_string_equal(two->w->redis.channel, "tg:key:drop");
	assert_int_equal(two->w->redis.publishes, 1);
}

/* While the catalog is away: what cannot be looked up is refused, and not served from what was. */
static void
a_dropped_record_is_not_used_stale(void **state)
{
	struct replicas_of_two *two = *state;

	both_know_the_key(two);
	fake_catalog_returns(fake_catalog_lost, 0);
	auth_forget(two->auths[0], ID);
	assert_int_equal(check_on(two, 0), ERR_CATALOG);
	assert_int_equal(check_on(two, 1), ERR_CATALOG);
}

/* A lookup that may have read the row before the revocation is kept by nobody. */
static void
a_lookup_under_way_is_not_kept(void **state)
{
	struct replicas_of_two *two = *state;

	fake_catalog_returns(auth_fixture_key, 5000);
	two->w->auth = two->auths[1];
	auth_fixture_begin(two->w, 1, GOOD);
	worker_turn(two->w->worker, 0);
	worker_turn(two->w->worker, 0);
	auth_forget(two->auths[0], ID);
	turn_until_idle(two->w->worker);
	assert_int_equal(auth_fixture_outcome(two->w, 1), ERR_NONE);
	fake_catalog_returns(fake_catalog_empty, 0);
	assert_int_equal(check_on(two, 1), ERR_UNAUTHENTICATED);
}

static void
messages_that_may_have_been_missed_are_looked_up(void **state)
{
	struct replicas_of_two *two = *state;

	both_know_the_key(two);
	fake_catalog_returns(fake_catalog_empty, 0);
	fake_cache_reconnect(&two->w->redis);
	assert_int_equal(check_on(two, 0), ERR_UNAUTHENTICATED);
	assert_int_equal(check_on(two, 1), ERR_UNAUTHENTICATED);
}

/* Whoever can publish costs a lookup, and takes nobody's key. */
static void
a_message_of_strangers_refuses_nobody(void **state)
{
	static const char *const messages[] = { "stranger:" ID, "stranger?" ID, "stranger:", ":" ID,
		"stranger!" ID, "stranger:abc", "stranger:" ID "x", "" };
	struct replicas_of_two *two = *state;

	both_know_the_key(two);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		redis_publish(&two->w->redis, "tg:key:drop", slice_str(messages[i]));
		assert_int_equal(check_on(two, 0), ERR_NONE);
		assert_int_equal(check_on(two, 1), ERR_NONE);
	}
	assert_int_equal(fake_catalog_asked(), 6);
}

static enum flow_rc
told_step(struct flow *f)
{
	struct check_flow *v = (struct check_flow *)f;

	return auth_told(f, v->auth, &v->told);
}

static const struct flow_step told_steps[] = { { "told", told_step }, { NULL, NULL } };
static const struct flow_kind told_kind = { "told", told_steps, auth_fixture_end, NULL };

static enum redis_status
told_by(struct replicas_of_two *two, struct auth *a)
{
	struct check_flow *v = &two->w->checks[0];

	v->auth = a;
	memset(&v->told, 0, sizeof(v->told));
	flow_start(&v->flow, &told_kind, two->w->worker, NULL);
	turn_until_idle(two->w->worker);
	assert_int_equal(v->err.code, ERR_NONE);
	return v->told.status;
}

static void
it_is_known_whether_the_others_were_told(void **state)
{
	struct replicas_of_two *two = *state;
	struct auth_conf conf;
	struct auth *alone;

	assert_int_equal(told_by(two, two->auths[0]), REDIS_OK);
	two->w->redis.status = REDIS_DOWN;
	assert_int_equal(told_by(two, two->auths[0]), REDIS_DOWN);
	auth_conf_init(&conf);
	alone = auth_open(two->w->worker, NULL, two->w->tags, two->keys, NULL, &conf);
	auth_forget(alone, ID);
	assert_int_equal(told_by(two, alone), REDIS_DOWN);
	auth_close(alone);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, two_set_up, two_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_revoked_key_is_refused_by_both_at_once),
		STORY(a_dropped_record_is_not_used_stale),
		STORY(a_lookup_under_way_is_not_kept),
		STORY(messages_that_may_have_been_missed_are_looked_up),
		STORY(a_message_of_strangers_refuses_nobody),
		STORY(it_is_known_whether_the_others_were_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
