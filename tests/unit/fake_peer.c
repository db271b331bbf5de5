/* SPDX-License-Identifier: MIT */
/*
 * fake_peer: the listener and its connections.
 */
#include "fake_peer.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <event2/bufferevent_ssl.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "tenantgate/base/clock.h"

#define PATIENCE_US 30000000ull /* only a broken test waits so long */

static void
peer_conn_received(struct bufferevent *bev, void *arg)
{
	struct peer_conn *c = arg;

	(void)bev;
	c->peer->serve(c);
}

static void
peer_conn_free(struct peer_conn *c)
{
	bufferevent_free(c->bev);
	c->bev = NULL;
	c->stage = 0;
}

static void
peer_conn_event(struct bufferevent *bev, short what, void *arg)
{
	struct peer_conn *c = arg;

	(void)bev;
	if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0)
		return;
	c->peer->closed++;
	peer_conn_free(c);
}

static void
peer_conn_drained(struct bufferevent *bev, void *arg)
{
	(void)bev;
	peer_conn_free(arg);
}

static struct bufferevent *
peer_conn_new(const struct peer *p, struct event_base *base, evutil_socket_t fd)
{
	int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;

	if (p->tls == NULL)
		return bufferevent_socket_new(base, fd, options);
	return bufferevent_openssl_socket_new(base, fd, SSL_new(p->tls), BUFFEREVENT_SSL_ACCEPTING,
	    options);
}

static void
peer_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct peer *p = arg;
	struct peer_conn *c = p->conns;

	(void)sa;
	(void)len;
	while (c->bev != NULL)
		assert_true(++c < p->conns + PEER_CONNS_MAX);
	c->peer = p;
	c->bev = peer_conn_new(p, evconnlistener_get_base(l), fd);
	assert_non_null(c->bev);
	bufferevent_setcb(c->bev, peer_conn_received, NULL, peer_conn_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	p->accepted++;
}

void
peer_open(struct peer *p, struct worker *w, uint16_t port, peer_fn *serve)
{
	peer_open_at(p, w, INADDR_LOOPBACK, port, serve);
}

void
peer_open_at(struct peer *p, struct worker *w, uint32_t address, uint16_t port, peer_fn *serve)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	socklen_t len = sizeof(sin);

	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	memset(p, 0, sizeof(*p));
	p->serve = serve;
	sin.sin_addr.s_addr = htonl(address);
	p->listener = evconnlistener_new_bind(worker_base(w), peer_accept, p,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, PEER_CONNS_MAX, (struct sockaddr *)&sin,
	    sizeof(sin));
	assert_non_null(p->listener);
	assert_int_equal(getsockname(evconnlistener_get_fd(p->listener), (struct sockaddr *)&sin,
			     &len),
	    0);
	p->port = ntohs(sin.sin_port);
}

void
peer_open_tls(struct peer *p, struct worker *w, struct ssl_ctx_st *tls, peer_fn *serve)
{
	peer_open(p, w, 0, serve);
	p->tls = tls;
}

void
peer_close(struct peer *p)
{
	for (unsigned i = 0; i < PEER_CONNS_MAX; i++)
		if (p->conns[i].bev != NULL)
			peer_conn_free(&p->conns[i]);
	if (p->listener != NULL)
		evconnlistener_free(p->listener);
	p->listener = NULL;
}

int
peer_port_keep(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

void
peer_send(struct peer_conn *c, const char *text)
{
	assert_int_equal(bufferevent_write(c->bev, text, strlen(text)), 0);
}

void
peer_start_tls(struct peer_conn *c, struct ssl_ctx_st *tls)
{
	struct event_base *base = bufferevent_get_base(c->bev);
	evutil_socket_t fd = bufferevent_getfd(c->bev);

	assert_int_equal(bufferevent_setfd(c->bev, -1), 0);
	bufferevent_free(c->bev);
	c->bev = bufferevent_openssl_socket_new(base, fd, SSL_new(tls), BUFFEREVENT_SSL_ACCEPTING,
	    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	assert_non_null(c->bev);
	bufferevent_setcb(c->bev, peer_conn_received, NULL, peer_conn_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

void
peer_hang_up(struct peer_conn *c)
{
	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0) {
		peer_conn_free(c);
		return;
	}
	bufferevent_disable(c->bev, EV_READ);
	bufferevent_setcb(c->bev, NULL, peer_conn_drained, peer_conn_event, c);
}

static void
probe_end(struct flow *f, const struct err *err)
{
	struct probe *p = (struct probe *)f;

	p->ended = true;
	p->err = *err;
}

void
probe_start(struct probe *p, struct worker *w, flow_step_fn *first, flow_step_fn *second)
{
	p->steps[0] = (struct flow_step){ "first", first };
	p->steps[1] = (struct flow_step){ second != NULL ? "second" : NULL, second };
	p->kind = (struct flow_kind){ .name = "probe", .steps = p->steps, .end = probe_end };
	p->ended = false;
	flow_start(&p->flow, &p->kind, w, NULL);
}

void
turn_until(struct worker *w, const bool *flag)
{
	uint64_t until = clock_mono_us() + PATIENCE_US;

	while (!*flag && clock_mono_us() < until)
		worker_turn(w, 20);
	assert_true(*flag);
}

void
turn_until_count(struct worker *w, const unsigned *count, unsigned n)
{
	uint64_t until = clock_mono_us() + PATIENCE_US;

	while (*count < n && clock_mono_us() < until)
		worker_turn(w, 20);
	assert_true(*count >= n);
}

void
turn_until_so(struct worker *w, bool (*is_so)(void *), void *arg)
{
	uint64_t until = clock_mono_us() + PATIENCE_US;

	while (!is_so(arg) && clock_mono_us() < until)
		worker_turn(w, 20);
	assert_true(is_so(arg));
}

void
turn_for(struct worker *w, unsigned ms)
{
	uint64_t until = clock_mono_us() + ms * 1000ull;

	while (clock_mono_us() < until)
		worker_turn(w, 5);
}
