/* SPDX-License-Identifier: MIT */
/*
 * fake_redis: the table, and a reader of commands.
 */
#include "fake_redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hiredis/hiredis.h>

struct fake_redis fake_redis;

static const struct {
	const char *word;
	const char *reply;
} replies[] = {
	{ "AUTH", "+OK\r\n" },
	{ "SELECT", "+OK\r\n" },
	{ "PING", "+PONG\r\n" },
	{ "GET", "$5\r\nvalue\r\n" },
	{ "NONE", "$-1\r\n" },
	{ "INCR", ":42\r\n" },
	{ "BAD", "-ERR no such thing\r\n" },
	{ "LIST", "*3\r\n:1\r\n$3\r\ntwo\r\n$-1\r\n" },
	{ "RUBBISH", "?what\r\n" },
	{ "HUGE", "*2000000000\r\n" },
	{ "TWICE", "+one\r\n+two\r\n" },
	{ "PUBLISH", ":0\r\n" },
};

static void
reply_to(struct peer_conn *c, const char *word)
{
	if (strcmp(word, "LEAVE") == 0) {
		peer_hang_up(c);
		return;
	}
	if (strcmp(word, "HANG") == 0)
		fake_redis.hung = true;
	if (strcmp(word, "SUBSCRIBE") == 0) {
		fake_redis.subscriber = c;
		peer_send(c, "*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n");
	}
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		if (!fake_redis.hung && strcmp(word, replies[i].word) == 0)
			peer_send(c, replies[i].reply);
}

static void
received_add(const char *word)
{
	size_t n = strlen(fake_redis.received);

	(void)snprintf(fake_redis.received + n, sizeof(fake_redis.received) - n, "%s ", word);
}

void
fake_redis_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	redisReader *reader = redisReaderCreate();
	size_t n = evbuffer_get_length(in);
	void *reply = NULL;

	assert_int_equal(redisReaderFeed(reader, (char *)evbuffer_pullup(in, -1), n), 0);
	(void)evbuffer_drain(in, n);
	while (c->bev != NULL && redisReaderGetReply(reader, &reply) == 0 && reply != NULL) {
		redisReply *r = reply;

		for (size_t i = 0; i < r->elements; i++) {
			received_add(r->element[i]->str);
		}
		reply_to(c, r->element[0]->str);
		freeReplyObject(reply);
	}
	redisReaderFree(reader);
}
