/* SPDX-License-Identifier: MIT */
/*
 * redis_link: one connection to Redis that keeps itself up.
 *
 *	[down] --back-off--> [lookup] --> [connect] --> [greet: AUTH, SELECT, PING] --> [up]
 *	   ^                     |            |            |                             |
 *	   +---------------------+------------+------------+---- link_drop(why) ---------+
 *
 * link_move() is the one that changes the state, link_drop() the one way down. The PING is there
 * because a stopped Redis still accepts connections (its kernel does): only a reply proves it.
 * A reply is at most REPLY_MAX bytes; what is longer, malformed or late drops the link, for the
 * replies behind it could not be told apart.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
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

#include <openssl/err.h>

#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "wire/redis_internal.h"

#define REPLY_MAX  (1024 * 1024)
#define UNSENT_MAX (4 * 1024 * 1024)

static const struct backoff link_backoff = { 50 * 1000, 2 * 1000000, 200 };

static void
link_move(struct redis_link *l, enum redis_link_state to)
{
	static const char *const names[] = { "down", "lookup", "connect", "greet", "up" };

	log_event(to == LINK_UP ? LOG_NOTICE : LOG_DEBUG, "redis.link", NULL, "%s: %s -> %s",
	    l->ops->name, names[l->state], names[to]);
	l->state = to;
}

static void
link_tear(struct redis_link *l)
{
	if (l->ask != NULL)
		dns_forget(l->ask);
	l->ask = NULL;
	if (l->bev != NULL)
		bufferevent_free(l->bev);
	l->bev = NULL;
	if (l->reader != NULL)
		redisReaderFree(l->reader);
	l->reader = NULL;
	l->unread = 0;
	timer_stop(&l->timer);
}

static void link_drop(struct redis_link *, enum redis_status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
link_drop(struct redis_link *l, enum redis_status why, const char *fmt, ...)
{
	bool was_up = l->state == LINK_UP;
	va_list ap;

	assert(l->state != LINK_DOWN);
	va_start(ap, fmt);
	(void)vsnprintf(l->trouble, sizeof(l->trouble), fmt, ap);
	va_end(ap);
	log_event(was_up || l->attempts == 0 ? LOG_WARNING : LOG_DEBUG, "redis.down", NULL,
	    "%s link to %s:%u: %s", l->ops->name, l->url->host, l->url->port, l->trouble);
	link_tear(l);
	link_move(l, LINK_DOWN);
	l->attempts++;
	timer_start(&l->timer, backoff_us(&link_backoff, l->attempts, 0));
	if (was_up)
		l->ops->down(l->owner, why);
}

/* ---- greeting ---- */

static bool
link_write(struct redis_link *l, const struct slice *argv, unsigned argc)
{
	const char *words[REDIS_ARGS_MAX];
	size_t lengths[REDIS_ARGS_MAX];
	char *command = NULL;
	int len;
	int rc;

	assert(argc > 0 && argc <= REDIS_ARGS_MAX);
	for (unsigned i = 0; i < argc; i++) {
		words[i] = argv[i].len == 0 ? "" : argv[i].p;
		lengths[i] = argv[i].len;
	}
	len = redisFormatCommandArgv(&command, (int)argc, words, lengths);
	if (len < 0)
		return false;
	rc = bufferevent_write(l->bev, command, (size_t)len);
	redisFreeCommand(command);
	return rc == 0;
}

static bool
handshake_auth(struct redis_link *l)
{
	struct slice words[3] = { SLICE_LIT("AUTH") };
	unsigned n = 1;

	if (l->url->password[0] == '\0')
		return true;
	if (l->url->user[0] != '\0')
		words[n++] = slice_str(l->url->user);
	words[n++] = slice_str(l->url->password);
	l->greetings++;
	return link_write(l, words, n);
}

static bool
handshake_select(struct redis_link *l)
{
	char db[16];
	struct slice words[2] = { SLICE_LIT("SELECT"), { db, 0 } };

	if (l->url->db == 0)
		return true;
	words[1].len = (size_t)snprintf(db, sizeof(db), "%u", l->url->db);
	l->greetings++;
	return link_write(l, words, 2);
}

static bool
handshake_ping(struct redis_link *l)
{
	struct slice word = SLICE_LIT("PING");

	l->greetings++;
	return link_write(l, &word, 1);
}

static void
link_handshake(struct redis_link *l)
{
	link_move(l, LINK_HANDSHAKE);
	timer_start(&l->timer, l->timeout_us);
	l->greetings = 0;
	if (!handshake_auth(l) || !handshake_select(l) || !handshake_ping(l))
		link_drop(l, REDIS_DOWN, "no memory for the greeting");
}

/* False: it is not for us (wrong password, still loading, a cluster's redirect...). */
static bool
handshake_reply(struct redis_link *l, redisReply *reply)
{
	bool good = reply->type == REDIS_REPLY_STATUS;

	if (!good)
		link_drop(l, REDIS_DOWN, "greeting refused: %.100s",
		    reply->type == REDIS_REPLY_ERROR ? reply->str : "not a status");
	freeReplyObject(reply);
	if (!good || --l->greetings > 0)
		return good;
	link_move(l, LINK_UP);
	timer_stop(&l->timer);
	l->attempts = 0;
	l->trouble[0] = '\0';
	l->ops->up(l->owner);
	return true;
}

/* ---- replies ---- */

static bool
link_take(struct redis_link *l, redisReply *reply)
{
	if (l->state == LINK_HANDSHAKE)
		return handshake_reply(l, reply);
	if (l->ops->reply(l->owner, reply))
		return true;
	link_drop(l, REDIS_DOWN, "a reply to nothing that was asked");
	return false;
}

/* What the reader holds; false when the link was dropped. */
static bool
link_replies(struct redis_link *l)
{
	for (;;) {
		void *reply = NULL;

		if (redisReaderGetReply(l->reader, &reply) != 0) {
			link_drop(l, REDIS_DOWN, "malformed reply: %.80s", l->reader->errstr);
			return false;
		}
		if (reply == NULL)
			return true;
		l->unread = l->reader->len - l->reader->pos;
		if (!link_take(l, reply))
			return false;
	}
}

static void
link_readable(struct bufferevent *bev, void *arg)
{
	struct redis_link *l = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n;

	while ((n = evbuffer_get_contiguous_space(in)) > 0) {
		const unsigned char *bytes = evbuffer_pullup(in, (ev_ssize_t)n);

		if (redisReaderFeed(l->reader, (const char *)bytes, n) != 0) {
			link_drop(l, REDIS_DOWN, "no memory for a reply");
			return;
		}
		(void)evbuffer_drain(in, n);
		l->unread += n;
		if (!link_replies(l))
			return;
		if (l->unread > REPLY_MAX) {
			link_drop(l, REDIS_DOWN, "a reply of more than %d bytes", REPLY_MAX);
			return;
		}
	}
}

/* ---- connecting ---- */

static void
link_connected(struct redis_link *l)
{
	int fd = bufferevent_getfd(l->bev);
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	link_handshake(l);
}

static void
link_event(struct bufferevent *bev, short what, void *arg)
{
	struct redis_link *l = arg;
	int error = EVUTIL_SOCKET_ERROR();
	unsigned long tls = bufferevent_get_openssl_error(bev);

	if (what & BEV_EVENT_CONNECTED)
		link_connected(l);
	else if (what & BEV_EVENT_EOF)
		link_drop(l, REDIS_DOWN, "closed by Redis");
	else if (tls != 0)
		link_drop(l, REDIS_DOWN, "TLS: %.100s", ERR_reason_error_string(tls));
	else
		link_drop(l, REDIS_DOWN, "%s", evutil_socket_error_to_string(error));
}

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
		link_drop(l, REDIS_DOWN, "no memory for a connection");
		return;
	}
	bufferevent_setcb(l->bev, link_readable, NULL, link_event, l);
	if (bufferevent_enable(l->bev, EV_READ | EV_WRITE) != 0 ||
	    bufferevent_socket_connect(l->bev, (struct sockaddr *)&ss, (int)len) != 0)
		link_drop(l, REDIS_DOWN, "connect: %s", strerror(errno));
}

static void
link_looked_up(void *arg)
{
	struct redis_link *l = arg;

	l->ask = NULL;
	if (l->addresses.count == 0)
		link_drop(l, REDIS_DOWN, "%.150s", l->addresses.err.detail);
	else
		link_connect(l);
}

/* The resolver has a deadline of its own. */
static void
link_lookup(struct redis_link *l)
{
	link_move(l, LINK_LOOKUP);
	l->ask = dns_query(l->dns, l->url->host, &l->addresses, link_looked_up, l);
	if (l->ask == NULL)
		link_looked_up(l);
}

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
		link_drop(l, REDIS_TIMEOUT, "no reply in %llu ms",
		    (unsigned long long)(l->timeout_us / 1000));
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
		link_drop(l, REDIS_TIMEOUT, "no %s in %llu ms",
		    l->state == LINK_HANDSHAKE ? "greeting" : "connection",
		    (unsigned long long)(l->timeout_us / 1000));
		return;
	case LINK_UP:
		link_check_oldest(l);
		return;
	}
}

/* ---- for the owners ---- */

bool
redis_link_send(struct redis_link *l, const struct slice *argv, unsigned argc)
{
	assert(l->state == LINK_UP);
	return evbuffer_get_length(bufferevent_get_output(l->bev)) <= UNSENT_MAX &&
	    link_write(l, argv, argc);
}

void
redis_link_watch(struct redis_link *l)
{
	if (!l->timer.set)
		timer_start(&l->timer, l->timeout_us);
}

bool
redis_link_open(struct redis_link *l)
{
	(void)snprintf(l->trouble, sizeof(l->trouble), "not connected yet");
	if (!timer_init(&l->timer, l->worker, link_timer, l))
		return false;
	timer_start(&l->timer, 0);
	return true;
}

void
redis_link_close(struct redis_link *l)
{
	link_tear(l);
	timer_free(&l->timer);
	l->state = LINK_DOWN;
}
