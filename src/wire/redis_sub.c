/* SPDX-License-Identifier: MIT */
/*
 * redis_sub: messages of channels, on a link of their own. Redis keeps no message for a subscriber
 * that is away: after each (re)connection every channel's function is called with a NULL payload,
 * once its subscription is confirmed, for whatever was published before that is lost. Confirmed
 * first, or a message published between the call and the subscription would be lost unnoticed.
 *
 * A link that only listens would never notice that its peer has vanished: a PING goes out every
 * PING_EVERY_US, and no reply to it in time drops the link.
 *
 * Redis may refuse the subscription: its ACL gives a new user no channel (acl-pubsub-default, from
 * Redis 7 on). Then messages are polled, which is said once, and it is asked again every
 * RESUBSCRIBE_US:
 *
 *	[subscribed] --refused--> [polled: link quiet, mostly down] --confirmed--> [subscribed]
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "wire/redis_internal.h"

#define CHANNELS_MAX   8
#define CHANNEL_SIZE   128
#define PING_EVERY_US  (10 * 1000000ull)
#define POLL_EVERY_US  (1 * 1000000ull)
#define RESUBSCRIBE_US (10 * 1000000ull)

struct redis_channel {
	char name[CHANNEL_SIZE];
	struct redis_poll poll; /* its function too, however a message comes */
};

struct redis_sub {
	struct redis_link link;
	struct redis *commands; /* borrowed: what is polled by */
	struct timer ping;	/* set while the link is up */
	struct timer poll;	/* set while polled */
	uint64_t sent_us;	/* monotonic: when the request without a reply was sent; 0: none */
	unsigned count;
	struct redis_channel channels[CHANNELS_MAX];
};

/* Of several requests the first one's time counts; the first reply ends the watch for all: enough
 * to find out whether Redis is there. */
static void
sub_request(struct redis_sub *s, const struct slice *argv, unsigned argc)
{
	if (s->sent_us == 0)
		s->sent_us = clock_mono_us();
	(void)redis_link_send(&s->link, argv, argc); /* if not: its reply will not come */
	redis_link_watch(&s->link);
}

static void
channel_request(struct redis_sub *s, const struct redis_channel *c)
{
	struct slice words[2] = { SLICE_LIT("SUBSCRIBE"), slice_str(c->name) };

	sub_request(s, words, 2);
}

static void
sub_up(void *owner)
{
	struct redis_sub *s = owner;

	for (unsigned i = 0; i < s->count; i++)
		channel_request(s, &s->channels[i]);
	timer_start(&s->ping, PING_EVERY_US);
}

static void
sub_down(void *owner, enum redis_status why)
{
	struct redis_sub *s = owner;

	(void)why;
	s->sent_us = 0;
	timer_stop(&s->ping);
}

static void
sub_ping(void *arg)
{
	struct redis_sub *s = arg;
	struct slice word = SLICE_LIT("PING");

	sub_request(s, &word, 1);
	timer_start(&s->ping, PING_EVERY_US);
}

static const struct redis_channel *
channel_of(const struct redis_sub *s, struct slice name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (slice_is(name, s->channels[i].name))
			return &s->channels[i];
	return NULL;
}

/* ---- polling ---- */

/* Of the process: its workers are refused alike. */
static atomic_bool is_polling_said;

static void
sub_poll(void *arg)
{
	struct redis_sub *s = arg;

	for (unsigned i = 0; i < s->count; i++)
		redis_poll_look(&s->channels[i].poll);
	timer_start(&s->poll, POLL_EVERY_US);
}

static void
sub_poll_begin(struct redis_sub *s)
{
	s->link.is_quiet = true;
	s->link.pause_us = RESUBSCRIBE_US;
	if (!atomic_exchange(&is_polling_said, true))
		log_event(LOG_WARNING, "redis.polled", NULL,
		    "Redis refuses our subscriptions (%.120s); their messages are asked for once a "
		    "second until it allows them. Give our user the channels (ACL: &tg:*).",
		    s->link.refused);
	if (!s->poll.set)
		timer_start(&s->poll, 0);
}

void
redis_sub_poll_anew(struct redis_sub *s)
{
	for (unsigned i = 0; i < s->count; i++)
		s->channels[i].poll.last[0] = '\0';
}

static void
sub_poll_end(struct redis_sub *s)
{
	s->link.is_quiet = false;
	timer_stop(&s->poll);
	redis_sub_poll_anew(s);
	if (atomic_exchange(&is_polling_said, false))
		log_event(LOG_NOTICE, "redis.subscribed", NULL,
		    "Redis allows our subscriptions; messages are not polled any more.");
}

/* A server that is not the one to ask is left for another, like any other link's. */
static void
sub_refused(struct redis_sub *s, const redisReply *reply)
{
	redis_link_refuse(&s->link, reply);
	if (!redis_refusal_of(reply->str)->is_elsewhere)
		sub_poll_begin(s);
}

/* ---- what comes in ---- */

static struct slice
reply_text(const redisReply *reply, size_t i)
{
	if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements ||
	    reply->element[i]->type != REDIS_REPLY_STRING)
		return slice_of(NULL, 0);
	return slice_of(reply->element[i]->str, reply->element[i]->len);
}

/* What comes to a subscriber (RESP2): ["subscribe", channel, count], ["message", channel, payload],
 * ["pong", ""]. False for anything else: the link is dropped. */
static bool
sub_dispatch(struct redis_sub *s, const redisReply *reply)
{
	struct slice kind = reply_text(reply, 0);
	const struct redis_channel *c = channel_of(s, reply_text(reply, 1));

	if (reply->type == REDIS_REPLY_ERROR)
		sub_refused(s, reply);
	if (slice_is(kind, "pong") || slice_is(kind, "subscribe")) {
		s->sent_us = 0;
		timer_stop(&s->link.timer);
	} else if (!slice_is(kind, "message"))
		return false;
	if (slice_is(kind, "subscribe") && s->link.is_quiet)
		sub_poll_end(s);
	if (c != NULL)
		c->poll.fn(slice_is(kind, "message") ? reply_text(reply, 2) : slice_of(NULL, 0),
		    c->poll.arg);
	return true;
}

static bool
sub_reply(void *owner, redisReply *reply)
{
	bool good = sub_dispatch(owner, reply);

	freeReplyObject(reply);
	return good;
}

static uint64_t
sub_oldest(const void *owner)
{
	return ((const struct redis_sub *)owner)->sent_us;
}

static const struct redis_link_ops sub_ops = {
	.name = "messages",
	.up = sub_up,
	.down = sub_down,
	.reply = sub_reply,
	.oldest = sub_oldest,
};

struct redis_sub *
redis_sub_open(const struct redis_link *like, struct redis *commands)
{
	struct redis_sub *s = xcalloc(1, sizeof(*s));

	s->commands = commands;
	s->link = (struct redis_link){
		.worker = like->worker,
		.dns = like->dns,
		.url = like->url,
		.tls = like->tls,
		.ca_file = like->ca_file,
		.timeout_us = like->timeout_us,
		.ops = &sub_ops,
		.owner = s,
	};
	if (timer_init(&s->ping, like->worker, sub_ping, s) &&
	    timer_init(&s->poll, like->worker, sub_poll, s) && redis_link_open(&s->link))
		return s;
	redis_sub_close(s);
	return NULL;
}

void
redis_sub_close(struct redis_sub *s)
{
	if (s == NULL)
		return;
	redis_link_close(&s->link);
	timer_free(&s->ping);
	timer_free(&s->poll);
	free(s);
}

/* Polled, it has no link that could be at the wrong place for long. */
void
redis_sub_redial(struct redis_sub *s)
{
	if (!s->link.is_quiet)
		redis_link_redial(&s->link);
}

/* There is no way to leave a channel: they are subscribed to for the worker's life. */
bool
redis_sub_add(struct redis_sub *s, const char *channel, redis_message_fn *fn, void *arg)
{
	struct redis_channel *c = &s->channels[s->count];

	if (s->count == CHANNELS_MAX || strlen(channel) >= CHANNEL_SIZE)
		return false;
	memcpy(c->name, channel, strlen(channel) + 1);
	c->poll = (struct redis_poll){
		.redis = s->commands,
		.channel = c->name,
		.fn = fn,
		.arg = arg,
	};
	s->count++;
	if (s->link.state == LINK_UP)
		channel_request(s, c);
	return true;
}
