/* SPDX-License-Identifier: MIT */
/*
 * quota_peer: a limiter with a Redis that is the test's: it notes the orders that it is given of
 * quotas, and answers all but those that the test has other plans for.
 */
#ifndef TESTS_STORY_QUOTA_PEER_H
#define TESTS_STORY_QUOTA_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/fake_peer.h"
#include "limit/quota_hold.h"
#include "../unit/limiter_fixture.h"

/* After ours: hiredis defines REDIS_OK as a macro, of the same value. */
#include <hiredis/hiredis.h>

#define ORDERS_SEEN_MAX 600

/* Words of a script's command with two keys. */
enum { WORD_COMMAND, WORD_ACT = 5, WORD_TOKENS = 9, WORD_LEASE = 11, WORD_OTHER = 13 };

enum peer_habit { ANSWERS, SAYS_NO_LEASE, SAYS_NOSCRIPT, REFUSES, HANGS_UP, IS_SILENT };

struct order_seen {
	char act[16], lease[QUOTA_LEASE_SIZE], other[QUOTA_LEASE_SIZE];
	uint64_t tokens;
	bool has_script;
};

static struct peer peer;
static struct peer_conn *conn; /* the last one that gave an order */
static redisReader *readers[PEER_CONNS_MAX];
static struct order_seen seen[ORDERS_SEEN_MAX];
static unsigned seen_count, habit_left;
static const char *habit_act; /* the habit is of orders that act so */
static enum peer_habit habit;

/* ---- the peer ---- */

/* Of the next n orders that act so; all others are answered. */
static inline void
peer_will(enum peer_habit h, const char *act, unsigned n)
{
	habit = h;
	habit_act = act;
	habit_left = n;
}

static inline void
order_note(const redisReply *r)
{
	struct order_seen *s = &seen[seen_count++];

	assert_in_range(seen_count, 1, sizeof(seen) / sizeof(seen[0]));
	assert_true(r->elements > WORD_OTHER);
	*s = (struct order_seen){ .has_script = strcmp(r->element[WORD_COMMAND]->str, "EVAL") == 0,
		.tokens = strtoull(r->element[WORD_TOKENS]->str, NULL, 10) };
	(void)snprintf(s->act, sizeof(s->act), "%s", r->element[WORD_ACT]->str);
	(void)snprintf(s->lease, sizeof(s->lease), "%s", r->element[WORD_LEASE]->str);
	(void)snprintf(s->other, sizeof(s->other), "%s", r->element[WORD_OTHER]->str);
}

static inline void
order_reply(struct peer_conn *c, const struct order_seen *s)
{
	static const char *const replies[] = {
		[ANSWERS] = "*8\r\n:1\r\n:1000000000\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n",
		[SAYS_NO_LEASE] = "*8\r\n:0\r\n:1000000000\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n:0\r\n",
		[SAYS_NOSCRIPT] = "-NOSCRIPT No matching script.\r\n",
		[REFUSES] = "-OOM it is full\r\n",
	};
	enum peer_habit h = ANSWERS;

	if (habit_left > 0 && strcmp(s->act, habit_act) == 0) {
		habit_left--;
		h = habit;
	}
	conn = c;
	if (h == HANGS_UP)
		peer_hang_up(c);
	else if (h != IS_SILENT)
		peer_send(c, replies[h]);
}

static inline void
orders_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	redisReader **reader = &readers[c - c->peer->conns];
	size_t n = evbuffer_get_length(in);
	void *reply = NULL;

	if (*reader == NULL)
		*reader = redisReaderCreate();
	assert_int_equal(redisReaderFeed(*reader, (char *)evbuffer_pullup(in, -1), n), 0);
	(void)evbuffer_drain(in, n);
	while (c->bev != NULL && redisReaderGetReply(*reader, &reply) == 0 && reply != NULL) {
		const redisReply *r = reply;

		if (strncmp(r->element[WORD_COMMAND]->str, "EVAL", 4) == 0) {
			order_note(r);
			order_reply(c, &seen[seen_count - 1]);
		} else {
			peer_send(c, "+PONG\r\n");
		}
		freeReplyObject(reply);
	}
}

/* ---- the limiter ---- */

static inline int
set_up(void **state)
{
	char url[64];

	(void)state;
	seen_count = habit_left = 0;
	worker = worker_new(0);
	peer_open(&peer, worker, 0, orders_serve);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", peer.port);
	limiter_up(url, 30000000, LIMIT_LOCAL);
	return 0;
}

static inline bool
is_idle(void *arg)
{
	(void)arg;
	return flow_count(worker) == 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	turn_until_so(worker, is_idle, NULL);
	limiter_down();
	peer_close(&peer);
	worker_free(worker);
	for (unsigned i = 0; i < PEER_CONNS_MAX; i++) {
		if (readers[i] != NULL)
			redisReaderFree(readers[i]);
		readers[i] = NULL;
	}
	return 0;
}

static inline struct quota_hold *
hold_of_ten(const char *mode)
{
	struct reservation r;

	reservation_run(&r, (struct quota){ .streams = 1000, .tokens_per_month = 1000000 });
	assert_false(err_is(&r.probe.err));
	assert_string_equal(r.rates.mode, mode);
	assert_non_null(r.hold);
	return r.hold;
}

/* ---- what is seen ---- */

static inline void
seen_until(unsigned n)
{
	turn_until_count(worker, &seen_count, n);
}

static inline void
check_seen(unsigned i, const char *act, uint64_t tokens, const char *lease, const char *other)
{
	assert_in_range(i, 0, seen_count - 1);
	assert_string_equal(seen[i].act, act);
	assert_int_equal(seen[i].tokens, tokens);
	assert_string_equal(seen[i].lease, lease);
	assert_string_equal(seen[i].other, other);
}

#endif
