/* SPDX-License-Identifier: MIT */
/*
 * redis_link: one connection to Redis that keeps itself up.
 *
 *	[down] --backoff--> [lookup] --> [connect] --> [handshake: AUTH, SELECT, PING] --> [up]
 *	   ^                    |            |            |  ^___ [slots, probe] ___^       |
 *	   +--------------------+------------+------------+---- link_fall(why) -------------+
 *
 * link_move() is the one that changes the state, link_fall() the one way down; both log, or their
 * callers do. The PING is there because a stopped Redis still accepts connections (its kernel
 * does): only a reply shows that it is there; the probe, because a Redis that is there may be of no
 * use (redis_probe.c).
 *
 * A reply is at most REPLY_MAX bytes. One that is longer, malformed or late drops the whole link:
 * replies carry no id, so those behind it could not be matched with their commands.
 *
 * One timer serves all states: the backoff in [down], the deadline of [connect] and of [handshake],
 * the age of the oldest command in [up].
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "wire/redis_internal.h"

#define REPLY_MAX  (1024 * 1024)     /* bytes of one reply */
#define UNSENT_MAX (4 * 1024 * 1024) /* bytes that Redis has not taken yet */
#define STEADY_US  (2 * 1000000ull)  /* a link that was up for so long was well */

/* From 50 ms, doubling to 2 s. */
static const struct backoff link_backoff = { 50 * 1000, 2 * 1000000, 200 };

static void
link_move(struct redis_link *l, enum redis_link_state to)
{
	static const char *const names[] = { "down", "lookup", "connect", "handshake", "up" };

	log_event(to == LINK_UP && !l->is_quiet ? LOG_NOTICE : LOG_DEBUG, "redis.link", NULL,
	    "The link for %s goes from %s to %s.", l->ops->name, names[l->state], names[to]);
	l->state = to;
}

/* Everything of one connection goes; what the owner has set stays. Bytes in the reader are lost. */
static void
link_teardown(struct redis_link *l)
{
	if (l->query != NULL)
		dns_query_cancel(l->query);
	l->query = NULL;
	if (l->bev != NULL)
		bufferevent_free(l->bev);
	l->bev = NULL;
	if (l->reader != NULL)
		redisReaderFree(l->reader);
	l->reader = NULL;
	l->unread = 0;
	timer_stop(&l->timer);
}

/* One that is lost as soon as it is up is not dialed again at once, for ever. */
static bool
link_was_steady(const struct redis_link *l)
{
	return l->up_us != 0 && clock_mono_us() - l->up_us >= STEADY_US;
}

/* The owner is called last, when the link is down already, for its flows' next commands must find
 * it so. */
static void
link_fall(struct redis_link *l, enum redis_status why)
{
	bool was_up = l->state == LINK_UP;

	link_teardown(l);
	link_move(l, LINK_DOWN);
	if (link_was_steady(l))
		l->attempts = 0;
	l->up_us = 0;
	l->attempts++;
	timer_start(&l->timer,
	    l->pause_us != 0 ? l->pause_us : backoff_us(&link_backoff, l->attempts, 0));
	l->pause_us = 0;
	if (was_up)
		l->ops->down(l->owner, why);
}

static void link_drop(struct redis_link *, enum redis_status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* `why` is what commands under way get, the text a sentence for /readyz and the log. */
static void
link_drop(struct redis_link *l, enum redis_status why, const char *fmt, ...)
{
	va_list ap;

	assert(l->state != LINK_DOWN);
	va_start(ap, fmt);
	(void)vsnprintf(l->trouble, sizeof(l->trouble), fmt, ap);
	va_end(ap);
	redis_trouble_log(l, link_was_steady(l) || l->attempts == 0);
	link_fall(l, why);
}

/* Redis is there, and of no use: down like any other, until the probe goes through. */
static void
link_refused(struct redis_link *l)
{
	const struct redis_refusal *why = redis_refusal_of(l->refused);

	redis_refusal_log(l, why, l->refused);
	(void)snprintf(l->trouble, sizeof(l->trouble), "%s", why->sentence);
	l->refused[0] = '\0';
	l->was_elsewhere = l->was_elsewhere || why->is_elsewhere;
	link_fall(l, REDIS_DOWN);
}

/* ---- handshake ---- */

static void
link_handshake(struct redis_link *l)
{
	link_move(l, LINK_HANDSHAKE);
	timer_start(&l->timer, l->timeout_us);
	if (!redis_request_handshake(l))
		link_drop(l, REDIS_DOWN, "There is no memory for the handshake.");
}

static bool
handshake_reply(struct redis_link *l, redisReply *reply)
{
	bool good = redis_handshake_is_good(l, reply);

	freeReplyObject(reply);
	if (!good)
		link_refused(l);
	if (!good || --l->handshake_replies > 0)
		return good;
	if (l->asks_slots) {
		timer_start(&l->timer, l->timeout_us);
		if (!redis_request_probe(l))
			link_drop(l, REDIS_DOWN, "There is no memory for the handshake.");
		return l->state != LINK_DOWN;
	}
	link_move(l, LINK_UP);
	timer_stop(&l->timer);
	l->up_us = clock_mono_us();
	l->trouble[0] = '\0';
	l->ops->up(l->owner);
	return true;
}

/* ---- replies ---- */

static bool
link_dispatch(struct redis_link *l, redisReply *reply)
{
	if (l->state == LINK_HANDSHAKE)
		return handshake_reply(l, reply);
	if (l->ops->reply(l->owner, reply))
		return true;
	if (l->refused[0] != '\0')
		link_refused(l);
	else
		link_drop(l, REDIS_DOWN, "Redis sent a reply that no command was sent for.");
	return false;
}

/* Every reply that the reader holds whole; false when the link was dropped, and with it the
 * reader. */
static bool
link_replies(struct redis_link *l)
{
	for (;;) {
		void *reply = NULL;

		if (redisReaderGetReply(l->reader, &reply) != 0) {
			link_drop(l, REDIS_DOWN, "Redis sent a malformed reply: %.80s.",
			    l->reader->errstr);
			return false;
		}
		if (reply == NULL)
			return true;
		l->unread = l->reader->len - l->reader->pos;
		if (!link_dispatch(l, reply))
			return false;
	}
}

/* By the pieces that the evbuffer has anyhow, so nothing is moved; the ceiling is looked at after
 * each. After a drop the bufferevent and its evbuffer are gone: hence the returns. */
static void
link_readable(struct bufferevent *bev, void *arg)
{
	struct redis_link *l = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n;

	while ((n = evbuffer_get_contiguous_space(in)) > 0) {
		const unsigned char *bytes = evbuffer_pullup(in, (ev_ssize_t)n);

		if (redisReaderFeed(l->reader, (const char *)bytes, n) != 0) {
			link_drop(l, REDIS_DOWN, "There is no memory for a reply.");
			return;
		}
		(void)evbuffer_drain(in, n);
		l->unread += n;
		if (!link_replies(l))
			return;
		if (l->unread > REPLY_MAX) {
			link_drop(l, REDIS_DOWN, "Redis sent a reply of more than %d bytes.",
			    REPLY_MAX);
			return;
		}
	}
}

/* ---- connecting ---- */

/* The socket's error and OpenSSL's are read first: any call in between might change them. */
static void
link_event(struct bufferevent *bev, short what, void *arg)
{
	struct redis_link *l = arg;
	int error = EVUTIL_SOCKET_ERROR();
	unsigned long tls = bufferevent_get_openssl_error(bev);
	char words[REDIS_TROUBLE_SIZE];

	if (what & BEV_EVENT_CONNECTED) {
		redis_dial_connected(bufferevent_getfd(l->bev));
		link_handshake(l);
	} else {
		redis_trouble_ended(l, what, error, tls, words);
		link_drop(l, REDIS_DOWN, "%s", words);
	}
}

/* For TLS, "connected" is the end of TLS' own handshake: the deadline covers both. */
static void
link_connect(struct redis_link *l)
{
	struct sockaddr_storage ss;
	socklen_t len = redis_dial_address(l, &ss);

	link_move(l, LINK_CONNECT);
	timer_start(&l->timer, l->timeout_us);
	l->reader = redis_reader_new(&l->reader_fn);
	l->bev = redis_dial_new(l);
	if (len == 0 || l->reader == NULL || l->bev == NULL) {
		link_drop(l, REDIS_DOWN, "There is no memory for a connection.");
		return;
	}
	bufferevent_setcb(l->bev, link_readable, NULL, link_event, l);
	if (bufferevent_enable(l->bev, EV_READ | EV_WRITE) != 0 ||
	    bufferevent_socket_connect(l->bev, (struct sockaddr *)&ss, (int)len) != 0)
		link_drop(l, REDIS_DOWN, "Connecting failed: %.100s.", strerror(errno));
}

/* dns_done_fn; also called directly when the answer was known at once. */
static void
link_looked_up(void *arg)
{
	struct redis_link *l = arg;

	l->query = NULL;
	if (l->addresses.count == 0)
		link_drop(l, REDIS_DOWN, "%.150s", l->addresses.err.detail);
	else
		link_connect(l);
}

/* A fresh lookup for each attempt (the resolver caches): Redis may have moved. The resolver has a
 * deadline of its own, so no timer runs in this state. */
static void
link_lookup(struct redis_link *l)
{
	link_move(l, LINK_LOOKUP);
	l->query = dns_query(l->dns, l->url->host, &l->addresses, link_looked_up, l);
	if (l->query == NULL)
		link_looked_up(l);
}

void
redis_link_give_up(struct redis_link *l)
{
	link_drop(l, REDIS_TIMEOUT, "Redis sent no reply within %llu ms.",
	    (unsigned long long)(l->timeout_us / 1000));
}

/* The timer was set for a command that may have been answered since: then it is set again, for the
 * one that is the oldest now. So no command needs a timer of its own. */
static void
link_check_oldest(struct redis_link *l)
{
	uint64_t asked = l->ops->oldest(l->owner);
	uint64_t now = clock_mono_us();

	if (asked == 0)
		return;
	if (now < asked + l->timeout_us)
		timer_start(&l->timer, asked + l->timeout_us - now);
	else
		redis_link_give_up(l);
}

static void
link_timer(void *arg)
{
	struct redis_link *l = arg;

	switch (l->state) {
	case LINK_DOWN:
		link_lookup(l);
		return;
	case LINK_LOOKUP:
		return;
	case LINK_CONNECT:
	case LINK_HANDSHAKE:
		link_drop(l, REDIS_TIMEOUT, "Redis %s within %llu ms.", redis_trouble_late(l),
		    (unsigned long long)(l->timeout_us / 1000));
		return;
	case LINK_UP:
		link_check_oldest(l);
		return;
	}
}

/* ---- for the owners ---- */

/* A Redis that reads nothing would have us collect commands without end: past UNSENT_MAX they
 * fail. */
bool
redis_link_send(struct redis_link *l, const struct slice *argv, unsigned argc)
{
	assert(l->state == LINK_UP);
	return evbuffer_get_length(bufferevent_get_output(l->bev)) <= UNSENT_MAX &&
	    redis_request_write(l, argv, argc);
}

void
redis_link_watch(struct redis_link *l)
{
	if (!l->timer.set)
		timer_start(&l->timer, l->timeout_us);
}

void
redis_link_redial(struct redis_link *l)
{
	if (l->state == LINK_DOWN)
		return;
	log_event(LOG_NOTICE, "redis.moved", NULL,
	    "The link for %s is dialed anew, for Redis has moved.", l->ops->name);
	link_fall(l, REDIS_DOWN);
}

bool
redis_link_open(struct redis_link *l)
{
	(void)snprintf(l->trouble, sizeof(l->trouble), "Redis has not been connected to yet.");
	if (!timer_init(&l->timer, l->worker, link_timer, l))
		return false;
	timer_start(&l->timer, 0);
	return true;
}

void
redis_link_close(struct redis_link *l)
{
	link_teardown(l);
	timer_free(&l->timer);
	l->state = LINK_DOWN;
}
