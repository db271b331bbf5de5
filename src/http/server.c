/* SPDX-License-Identifier: MIT */
/*
 * server: the listener of one worker and the list of its connections.
 *
 *	http_open --> [accepting] --http_drain--> [draining] --http_stop, http_close--> freed
 *
 * Every worker listens on the same port with SO_REUSEPORT, and the kernel spreads connections over
 * them. Out of descriptors a worker stops accepting for a moment: the pending connection would keep
 * the listener readable, and the loop would spin on it.
 */
#define _GNU_SOURCE /* accept4 */
#include "http/conn_state.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/bufferevent.h>
#include <event2/buffer.h>
#include <event2/listener.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"

#define BACKLOG 1024 /* connections the kernel holds for accept(2), a worker */

/* 50 to 100 ms, by chance: all workers of the process run out of descriptors at the same time, and
 * should not come back at the same time. */
static const struct backoff accept_backoff = { 100 * 1000, 100 * 1000, 100 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

void
http_conf_init(struct http_conf *conf)
{
	*conf = (struct http_conf){
		.listen_addr = "127.0.0.1",
		.max_client_conn = 10000,
		.header_bytes_max = 32768,
		.header_count_max = 100,
		.target_max = 8192,
		.header_timeout_us = 60000000,
		.body_timeout_us = 60000000,
		.body_rate_min = 500,
		.send_timeout_us = 60000000,
		.keepalive_timeout_us = 75000000,
		.write_high_water = 8192,
	};
}

/* The server may have begun to drain meanwhile. */
static void
accept_resume(void *arg)
{
	struct http_server *s = arg;

	if (s->listener != NULL)
		evconnlistener_enable(s->listener);
}

static void
accept_failed(struct evconnlistener *listener, void *arg)
{
	struct http_server *s = arg;

	log_event(LOG_WARNING, "http.accept_failed", NULL,
	    "A connection could not be accepted (%s); accepting goes on in a moment, but if this "
	    "repeats, raise the limit of open files.",
	    strerror(errno));
	evconnlistener_disable(listener);
	timer_start(&s->accept_pause, backoff_us(&accept_backoff, 1, 0));
}

static void
conn_accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa, int n,
    void *arg)
{
	(void)listener;
	(void)n;
	if (!conn_open(arg, fd, sa))
		close(fd);
}

/* Numeric only: a name would have to be resolved, which blocks. */
static bool
address_parse(const struct http_conf *conf, union address *a, int *size)
{
	bool any = strcmp(conf->listen_addr, "*") == 0;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, any ? "0.0.0.0" : conf->listen_addr, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(conf->listen_port);
		*size = sizeof(a->in);
		return true;
	}
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons(conf->listen_port);
	*size = sizeof(a->in6);
	return inet_pton(AF_INET6, conf->listen_addr, &a->in6.sin6_addr) == 1;
}

/* All addresses of both families on one socket (IPV6_V6ONLY is off on Linux). NULL where there is
 * no IPv6: then 0.0.0.0 is bound. */
static struct evconnlistener *
listen_dual(struct http_server *s, unsigned flags)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(s->conf.listen_port) };

	return evconnlistener_new_bind(worker_base(s->worker), conn_accepted, s, flags, BACKLOG,
	    (struct sockaddr *)&in6, sizeof(in6));
}

static bool
refuse_address(const struct http_conf *conf, struct err *err)
{
	const char *prefix = conf->prefix == NULL ? "" : conf->prefix;

	err_set(err, ERR_INTERNAL,
	    "The %slisten_addr %s is not a numeric address; set an IPv4 or IPv6 address, or * for "
	    "all.",
	    prefix, conf->listen_addr);
	return false;
}

/* With errno. */
static bool
refuse_port(const struct http_conf *conf, struct err *err)
{
	const char *prefix = conf->prefix == NULL ? "" : conf->prefix;

	err_set(err, ERR_INTERNAL,
	    "Cannot listen on %s port %u (%s); check %slisten_addr and %slisten_port, and whether "
	    "another program listens there.",
	    conf->listen_addr, (unsigned)conf->listen_port, strerror(errno), prefix, prefix);
	return false;
}

static bool
server_listen(struct http_server *s, struct err *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
	    LEV_OPT_REUSEABLE_PORT;
	union address a;
	int size;

	if (!address_parse(&s->conf, &a, &size))
		return refuse_address(&s->conf, err);
	if (strcmp(s->conf.listen_addr, "*") == 0)
		s->listener = listen_dual(s, flags);
	if (s->listener == NULL)
		s->listener = evconnlistener_new_bind(worker_base(s->worker), conn_accepted, s,
		    flags, BACKLOG, &a.sa, size);
	if (s->listener == NULL)
		return refuse_port(&s->conf, err);
	evconnlistener_set_error_cb(s->listener, accept_failed);
	return true;
}

/* Bound as libevent would, and closed again; it never listens. False with errno. */
static bool
can_bind(const struct sockaddr *sa, socklen_t size)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, failure = 0;

	if (fd == -1)
		return false;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
	    bind(fd, sa, size) != 0)
		failure = errno;
	close(fd);
	errno = failure;
	return failure == 0;
}

bool
http_can_listen(const struct http_conf *conf, struct err *err)
{
	struct sockaddr_in6 dual = { .sin6_family = AF_INET6,
		.sin6_port = htons(conf->listen_port) };
	union address a;
	int size;

	if (!address_parse(conf, &a, &size))
		return refuse_address(conf, err);
	if (strcmp(conf->listen_addr, "*") == 0 &&
	    can_bind((const struct sockaddr *)&dual, sizeof(dual)))
		return true;
	return can_bind(&a.sa, (socklen_t)size) || refuse_port(conf, err);
}

bool
http_proxies_are_valid(const char *text, struct err *err)
{
	struct network_list unused;

	return network_list_read(&unused, text, err);
}

struct http_server *
http_open(struct worker *w, const struct http_conf *conf, struct http_shared *shared,
    http_handler_fn *handler, http_refused_fn *refused, void *arg, struct err *err)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	s->worker = w;
	s->conf = *conf;
	s->shared = shared;
	s->handler = handler;
	s->refused = refused;
	s->arg = arg;
	s->date_second = -1;
	TAILQ_INIT(&s->conns);
	if (!timer_init(&s->accept_pause, w, accept_resume, s))
		err_set(err, ERR_INTERNAL,
		    "There is no memory for the HTTP server's timer; the process cannot start.");
	else if (network_list_read(&s->proxies, conf->trusted_proxies, err) &&
	    server_listen(s, err))
		return s;
	timer_free(&s->accept_pause);
	free(s);
	return NULL;
}

void
http_configure(struct http_server *s, const struct http_conf *conf)
{
	struct http_conf opened = s->conf;

	s->conf = *conf;
	s->conf.listen_addr = opened.listen_addr;
	s->conf.listen_port = opened.listen_port;
	s->conf.trusted_proxies = opened.trusted_proxies;
	s->conf.proxy_protocol = opened.proxy_protocol;
	s->conf.max_client_conn_per_ip = opened.max_client_conn_per_ip;
}

/* What the kernel chose, where the configured port is 0; 0 once draining. */
uint16_t
http_port(const struct http_server *s)
{
	union address a;
	socklen_t size = sizeof(a);

	if (s->listener == NULL ||
	    getsockname(evconnlistener_get_fd(s->listener), &a.sa, &size) != 0)
		return 0;
	return ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

unsigned
http_open_exchanges(const struct http_server *s)
{
	return s->exchanges;
}

/* Connections that the kernel has completed and nobody has accepted are reset when the listener is
 * closed: they are accepted first, and get one response each. */
static void
accept_backlog(struct http_server *s)
{
	for (int i = 0; i < BACKLOG; i++) {
		union address a;
		socklen_t size = sizeof(a);
		int fd = accept4(evconnlistener_get_fd(s->listener), &a.sa, &size,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		conn_accepted(s->listener, fd, &a.sa, (int)size, s);
	}
}

/* Connections that have answered and hold no further request are closed at once. Those without any
 * request yet, and those with a request under way, are answered, with Connection: close. */
void
http_drain(struct http_server *s)
{
	struct conn *c, *next;

	if (s->draining)
		return;
	accept_backlog(s);
	s->draining = true;
	evconnlistener_free(s->listener);
	s->listener = NULL;
	timer_stop(&s->accept_pause);
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == CONN_IDLE && c->x.status != 0 &&
		    evbuffer_get_length(conn_input(c)) == 0)
			conn_finish(c, END_CLOSE);
	}
}

void
http_stop(struct http_server *s)
{
	struct conn *c, *next;

	s->stopped = true;
	http_drain(s);
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->x.response == RESPONSE_NO_EXCHANGE && c->state != CONN_FLUSH)
			conn_close(c);
	}
}

/* conn_close() takes a connection off the list; its memory goes at the loop's safe point, which
 * does not need the server. */
void
http_close(struct http_server *s)
{
	struct conn *c;

	if (s == NULL)
		return;
	while ((c = TAILQ_FIRST(&s->conns)) != NULL) {
		assert(c->x.response == RESPONSE_NO_EXCHANGE);
		conn_close(c);
	}
	assert(s->exchanges == 0);
	if (s->listener != NULL)
		evconnlistener_free(s->listener);
	timer_free(&s->accept_pause);
	free(s);
}
