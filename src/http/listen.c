/* SPDX-License-Identifier: MIT */
/*
 * listen: binds, takes over, accepts.
 *
 * Every worker has a socket of its own on the same port (SO_REUSEPORT), and the kernel spreads
 * connections over them. Whether another process may have one there, too, is so_reuseport's to say:
 * where it may not, the first socket is bound without the option, which fails beside any other, and
 * has it set only then, for those of our other workers. (The kernel looks at the option of each
 * socket of the port whenever one is bound: inet_csk_bind_conflict() in Linux'
 * net/ipv4/inet_connection_sock.c.)
 */
#define _GNU_SOURCE /* accept4 */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/listener.h>

#include "http/conn_state.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"

#define BACKLOG 1024 /* connections the kernel holds for accept(2), a socket */

/* 50 to 100 ms, by chance: all workers of the process run out of descriptors at the same time, and
 * should not come back at the same time. */
static const struct backoff accept_backoff = { 100 * 1000, 100 * 1000, 100 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* ---- accepting ---- */
static void
accept_enable(struct listen *l)
{
	for (unsigned i = 0; i < l->count; i++)
		evconnlistener_enable(l->listeners[i]);
}

/* The sockets may have been closed meanwhile. */
static void
accept_resume(void *arg)
{
	accept_enable(arg);
}

static void
accept_failed(struct evconnlistener *listener, void *arg)
{
	struct listen *l = arg;

	log_event(LOG_WARNING, "http.accept_failed", NULL,
	    "A connection could not be accepted (%s); accepting goes on in a moment, but if this "
	    "repeats, raise the limit of open files.",
	    strerror(errno));
	evconnlistener_disable(listener);
	timer_start(&l->pause, backoff_us(&accept_backoff, 1, 0));
}

static void
conn_accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa, int n,
    void *arg)
{
	struct listen *l = arg;

	(void)listener;
	(void)n;
	if (!conn_open(l->server, fd, sa))
		close(fd);
}

/* ---- binding ---- */
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
set_option(int fd, int option)
{
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, option, &on, sizeof(on)) == 0;
}

static void
close_keeping_errno(int fd)
{
	int failure = errno;

	close(fd);
	errno = failure;
}

/* A bound socket that has SO_REUSEPORT, or -1 with errno. `shares`: it may join others. */
static int
bind_socket(const struct sockaddr *sa, socklen_t size, bool shares)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	if (set_option(fd, SO_REUSEADDR) && (!shares || set_option(fd, SO_REUSEPORT)) &&
	    bind(fd, sa, size) == 0 && set_option(fd, SO_REUSEPORT))
		return fd;
	close_keeping_errno(fd);
	return -1;
}

/* "*" is all addresses of both families on one socket (IPV6_V6ONLY is off on Linux); where there is
 * no IPv6, 0.0.0.0. */
static int
bind_address(const struct http_conf *conf, bool shares, struct err *err)
{
	struct sockaddr_in6 dual = { .sin6_family = AF_INET6,
		.sin6_port = htons(conf->listen_port) };
	union address a;
	int size, fd = -1;

	if (!address_parse(conf, &a, &size)) {
		refuse_address(conf, err);
		return -1;
	}
	if (strcmp(conf->listen_addr, "*") == 0)
		fd = bind_socket((const struct sockaddr *)&dual, sizeof(dual), shares);
	if (fd == -1)
		fd = bind_socket(&a.sa, (socklen_t)size, shares);
	if (fd == -1)
		refuse_port(conf, err);
	return fd;
}

/* It never listens, so no connection comes. */
bool
http_can_listen(const struct http_conf *conf, struct err *err)
{
	int fd = bind_address(conf, true, err);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

/* ---- opening ---- */
/* Takes the descriptor over. A backlog of 0 leaves the socket as it is. */
static bool
listen_add(struct listen *l, int fd, int backlog, struct err *err)
{
	const struct http_conf *conf = &l->server->conf;
	unsigned flags =
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | (conf->is_held ? LEV_OPT_DISABLED : 0);
	struct evconnlistener *listener;

	listener = fd == -1 ? NULL
			    : evconnlistener_new(worker_base(l->server->worker), conn_accepted, l,
				  flags, backlog, fd);
	if (listener == NULL) {
		refuse_port(conf, err);
		if (fd != -1)
			close(fd);
		return false;
	}
	evconnlistener_set_error_cb(listener, accept_failed);
	l->listeners[l->count++] = listener;
	return true;
}

static bool
take_over(struct listen *l, struct err *err)
{
	const struct http_conf *conf = &l->server->conf;

	for (unsigned i = 0; i < conf->listening_count; i++)
		if (!listen_add(l, fcntl(conf->listening[i], F_DUPFD_CLOEXEC, 0), 0, err))
			return false;
	return true;
}

static bool
bind_own(struct listen *l, struct err *err)
{
	const struct http_conf *conf = &l->server->conf;
	int fd = bind_address(conf, conf->shares_port, err);

	return fd != -1 && listen_add(l, fd, conf->is_held ? 0 : BACKLOG, err);
}

bool
listen_open(struct listen *l, struct http_server *s, struct err *err)
{
	unsigned max = s->conf.listening_count > 0 ? s->conf.listening_count : 1;

	l->server = s;
	if (!timer_init(&l->pause, s->worker, accept_resume, l)) {
		err_set(err, ERR_INTERNAL,
		    "There is no memory for the HTTP server's timer; the process cannot start.");
		return false;
	}
	l->listeners = xcalloc(max, sizeof(struct evconnlistener *));
	if (s->conf.listening_count > 0 ? take_over(l, err) : bind_own(l, err))
		return true;
	listen_abandon(l);
	return false;
}

/* Between bind(2) and listen(2) another process may have begun to listen there. */
bool
listen_accept(struct listen *l, struct err *err)
{
	for (unsigned i = 0; i < l->count; i++) {
		int fd = evconnlistener_get_fd(l->listeners[i]);

		if (l->server->conf.listening_count == 0 && listen(fd, BACKLOG) != 0)
			return refuse_port(&l->server->conf, err);
	}
	accept_enable(l);
	return true;
}

/* ---- the sockets, and their end ---- */
unsigned
listen_sockets(const struct listen *l, int *fds, unsigned max)
{
	unsigned n = 0;

	for (; n < l->count && n < max; n++)
		fds[n] = evconnlistener_get_fd(l->listeners[n]);
	return n;
}

/* What the kernel chose, where the configured port is 0. */
uint16_t
listen_port(const struct listen *l)
{
	union address a;
	socklen_t size = sizeof(a);
	int fd;

	if (listen_sockets(l, &fd, 1) == 0 || getsockname(fd, &a.sa, &size) != 0)
		return 0;
	return ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
}

/* What the kernel has completed and nobody has accepted is reset when the last descriptor of the
 * socket is closed: it is accepted first, and gets one response each. */
static void
accept_backlog(struct listen *l, int listening)
{
	for (int i = 0; i < BACKLOG; i++) {
		union address a;
		socklen_t size = sizeof(a);
		int fd = accept4(listening, &a.sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		conn_accepted(NULL, fd, &a.sa, (int)size, l);
	}
}

void
listen_abandon(struct listen *l)
{
	for (unsigned i = 0; i < l->count; i++)
		evconnlistener_free(l->listeners[i]);
	free(l->listeners);
	l->listeners = NULL;
	l->count = 0;
	timer_free(&l->pause);
}

void
listen_close(struct listen *l)
{
	for (unsigned i = 0; i < l->count; i++)
		accept_backlog(l, evconnlistener_get_fd(l->listeners[i]));
	listen_abandon(l);
}
