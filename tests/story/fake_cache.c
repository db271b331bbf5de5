/* SPDX-License-Identifier: MIT */
/*
 * fake_cache: GET is answered two milliseconds later; SET of a record is kept as the text of the
 * next reply, when there is no mark; a mark is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_cache.h"

static struct timer redis_delay;

static void
redis_late(void *arg)
{
	timer_free(&redis_delay);
	flow_wake(arg);
}

static void
redis_left(void *arg)
{
	(void)arg;
	timer_free(&redis_delay);
}

enum flow_rc
redis_command(struct flow *f, struct redis *r, const struct slice *argv, unsigned argc,
    struct redis_reply *out)
{
	if (argc == 1 && slice_is(argv[0], "PING")) {
		out->status = r->status == REDIS_NIL ? REDIS_OK : r->status;
		return FLOW_NEXT;
	}
	if (slice_is(argv[0], "SET")) {
		assert_int_equal(argc, 5);
		r->marks++;
		out->status = r->is_away ? REDIS_DOWN : r->refuses ? REDIS_ERROR : REDIS_OK;
		return FLOW_NEXT;
	}
	assert_int_equal(argc, 2);
	assert_true(slice_is(argv[0], "GET"));
	if (slice_starts(argv[1],
		"tg:tenant:test:many-")) { /* as many as there are: unknown here */
		out->status = REDIS_NIL;
		return FLOW_NEXT;
	}
	assert_true(slice_is(argv[1], "tg:tenant:test:acme"));
	r->gets++;
	out->status = r->status;
	out->text = slice_str(r->text);
	assert_true(timer_init(&redis_delay, f->worker, redis_late, f));
	timer_start(&redis_delay, 2000);
	return flow_wait(f, redis_left, NULL);
}

void
redis_send(struct redis *r, const struct slice *argv, unsigned argc)
{
	if (!slice_is(argv[0], "SET"))
		return;
	assert_true(slice_is(argv[3], "PX"));
	if (argc == 5) {
		assert_true(slice_is(argv[2], "-"));
		r->marks++;
		return;
	}
	r->sets++;
	assert_int_equal(argc, 6);
	assert_true(slice_is(argv[5], "NX"));
	assert_true(slice_starts(argv[2], "tgs1."));
	snprintf(r->text, sizeof(r->text), "%.*s", SLICE_ARG(argv[2]));
}

void
redis_publish(struct redis *r, const char *channel, struct slice payload)
{
	assert_string_equal(channel, r->channel);
	r->publishes++;
	for (unsigned i = 0; i < r->ends; i++)
		r->heard[i](payload, r->heard_args[i]);
}

bool
redis_is_cluster(const struct redis *r)
{
	return r != NULL && r->is_cluster;
}

bool
redis_subscribe(struct redis *r, const char *channel, redis_message_fn *fn, void *arg)
{
	assert_true(r->channel == NULL || strcmp(r->channel, channel) == 0);
	assert_true(r->ends < CACHE_ENDS);
	r->channel = channel;
	r->message = r->heard[r->ends] = fn;
	r->message_arg = r->heard_args[r->ends++] = arg;
	return true;
}

void
fake_cache_reconnect(struct redis *r)
{
	for (unsigned i = 0; i < r->ends; i++)
		r->heard[i](slice_of(NULL, 0), r->heard_args[i]);
}

void
redis_clear(struct redis_reply *a)
{
	memset(a, 0, sizeof(*a));
}

unsigned pools_forgotten;

void
pool_forget(struct pools *ps, struct slice key)
{
	(void)ps;
	assert_true(slice_is(key, "tenant:acme"));
	pools_forgotten++;
}

unsigned
replicas_live(const struct replicas *rs)
{
	(void)rs;
	return 1;
}
