/* SPDX-License-Identifier: MIT */
/*
 * server: the HTTP server of one worker: its configuration and the list of its connections.
 *
 *	http_open --> [accepting] --http_drain--> [draining] --http_stop, http_close--> freed
 */
#include "http/conn_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/bufferevent.h>
#include <event2/buffer.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/wire/tls_server.h"

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
		.keepalive_min_timeout_us = 1000000,
		.tls_handshake_timeout_us = 10000000,
		.write_high_water = 8192,
	};
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
	s->tls = tls_server_take(conf->tls);
	TAILQ_INIT(&s->conns);
	if (network_list_read(&s->proxies, conf->trusted_proxies, err) &&
	    listen_open(&s->listen, s, err))
		return s;
	tls_server_give(s->tls);
	free(s);
	return NULL;
}

bool
http_accept(struct http_server *s, struct err *err)
{
	return !s->conf.is_held || listen_accept(&s->listen, err);
}

void
http_hand_over(struct http_server *s)
{
	listen_abandon(&s->listen);
}

/* Who may speak at this door may have changed: whoever is connected is to show again who it is, at
 * once, or after the response that it waits for. */
static void
conns_ask_again(struct http_server *s)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->x.response != RESPONSE_NO_EXCHANGE)
			c->x.close = true;
		else if (c->state != CONN_FLUSH)
			conn_close(c);
	}
}

void
http_configure(struct http_server *s, const struct http_conf *conf)
{
	struct http_conf opened = s->conf;
	struct tls_server *before = s->tls;

	s->tls = tls_server_take(conf->tls);
	tls_server_give(before);
	s->conf = *conf;
	s->conf.listen_addr = opened.listen_addr;
	s->conf.listen_port = opened.listen_port;
	s->conf.trusted_proxies = opened.trusted_proxies;
	s->conf.proxy_protocol = opened.proxy_protocol;
	s->conf.max_client_conn_per_ip = opened.max_client_conn_per_ip;
	s->conf.shares_port = opened.shares_port;
	s->conf.listening = opened.listening;
	s->conf.listening_count = opened.listening_count;
	s->conf.is_held = opened.is_held;
	if (s->tls != before && s->tls != NULL && tls_server_asks_clients(s->tls))
		conns_ask_again(s);
}

uint16_t
http_port(const struct http_server *s)
{
	return listen_port(&s->listen);
}

unsigned
http_listening(const struct http_server *s, int *fds, unsigned max)
{
	return listen_sockets(&s->listen, fds, max);
}

unsigned
http_open_exchanges(const struct http_server *s)
{
	return s->exchanges;
}

/*
 * A client that is about to send its next request still may: closed at once, that request would
 * meet a reset, and one that is not idempotent is not sent again. What comes in that time is
 * answered, with Connection: close. (conn_deadline() takes 0 for none.)
 */
static void
conn_last_chance(struct conn *c)
{
	uint64_t us = c->server->conf.keepalive_min_timeout_us;

	if (us == 0 && c->state == CONN_TLS)
		conn_close(c);
	else if (us == 0)
		conn_finish(c, END_CLOSE);
	else if (c->deadline == 0 || c->deadline > clock_mono_us() + us)
		conn_deadline(c, us);
}

void
http_drain(struct http_server *s)
{
	struct conn *c, *next;

	if (s->draining)
		return;
	listen_close(&s->listen);
	s->draining = s->says_close = true;
	for (c = TAILQ_FIRST(&s->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->state == CONN_TLS)
			conn_last_chance(c);
		else if ((c->state == CONN_IDLE || c->state == CONN_PROXY) &&
		    evbuffer_get_length(conn_input(c)) == 0)
			conn_last_chance(c);
	}
}

void
http_announce_close(struct http_server *s)
{
	s->says_close = true;
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
	listen_abandon(&s->listen);
	tls_server_give(s->tls);
	free(s);
}
