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
	{ "XREVRANGE", "*0\r\n" },
};

/* EVAL or EVALSHA, script, number of keys. */
static void
script_reply(struct peer_conn *c, const redisReply *words)
{
	bool has_keys = words->elements > 4;

	if (has_keys)
		peer_send(c, fake_redis.is_cluster ? "-CROSSSLOT Keys in request\r\n" : ":1\r\n");
	else
		peer_send(c, fake_redis.refusal != NULL ? fake_redis.refusal : "+OK\r\n");
}

static void
stream_reply(struct peer_conn *c)
{
	fake_redis.reads++;
	peer_send(c, fake_redis.entries != NULL ? fake_redis.entries : "*-1\r\n");
	fake_redis.entries = NULL;
}

static void
reply_to(struct peer_conn *c, const char *word)
{
	if (strcmp(word, "LEAVE") == 0) {
		peer_hang_up(c);
		return;
	}
	if (strcmp(word, "HANG") == 0)
		fake_redis.hung = true;
	if (strcmp(word, "XREAD") == 0)
		stream_reply(c);
	if (strcmp(word, "SUBSCRIBE") == 0 && fake_redis.sub_refusal != NULL) {
		peer_send(c, fake_redis.sub_refusal);
	} else if (strcmp(word, "SUBSCRIBE") == 0) {
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
		if (strncmp(r->element[0]->str, "EVAL", 4) == 0 && !fake_redis.hung)
			script_reply(c, r);
		else
			reply_to(c, r->element[0]->str);
		freeReplyObject(reply);
	}
	redisReaderFree(reader);
}
