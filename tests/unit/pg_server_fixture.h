/* SPDX-License-Identifier: MIT */
/*
 * pg_server_fixture: a Postgres that only logs in, and refuses in the end: in the clear or under
 * TLS, as the script says. For one program.
 */
#ifndef TENANTGATE_TESTS_PG_SERVER_FIXTURE_H
#define TENANTGATE_TESTS_PG_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/socket.h>

#include <event2/bufferevent_ssl.h>

#include "fake_peer.h"
#include "fake_tls.h"

#define REFUSAL		"password authentication failed"
#define SSL_REQUEST_LEN 8 /* SSLRequest: length and code */

static struct worker *worker;
static struct fake_tls tls;

/* What the server does, and what it has seen. Its stages: an SSLRequest or a startup message; the
 * client's first message; its proof. */
static struct {
	char answer;		   /* to SSLRequest; 'X' is 'S', and then no TLS at all;
				    * 'H' is 'S', and then the end; 'E': the end at once */
	const char *refused_first; /* the SQLSTATE of the first startup message's refusal */
	unsigned rounds;
	bool split; /* the rounds come in two pieces */
	char rest[256];
	size_t rest_len;
	bool kerberos;
	unsigned in_clear, in_tls; /* startup messages */
	unsigned proofs;
	char startup[2048]; /* the last one's parameters, a line each */
} script;

static struct peer server;

/* ---- the server ---- */

static void
server_says(struct peer_conn *c, char type, const char *body, size_t len)
{
	unsigned n = (unsigned)len + 4;
	char head[5] = { type, (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n };

	bufferevent_write(c->bev, head, sizeof(head));
	bufferevent_write(c->bev, body, len);
}

static void
server_refuses(struct peer_conn *c, const char *sqlstate)
{
	char body[200];
	int n = snprintf(body, sizeof(body), "SFATAL%cVFATAL%cC%s%cM" REFUSAL "%c", 0, 0, sqlstate,
	    0, 0);

	server_says(c, 'E', body, (size_t)n + 1);
	peer_hang_up(c);
}

static void
server_asks(struct peer_conn *c, char code, const char *text, size_t len)
{
	char body[256] = { 0, 0, 0, code };

	memcpy(body + 4, text, len);
	server_says(c, 'R', body, len + 4);
}

/* The rest of a message, some turns later. */
static void
server_sends_rest(evutil_socket_t fd, short what, void *arg)
{
	struct peer_conn *c = arg;

	(void)fd;
	(void)what;
	if (c->bev != NULL)
		bufferevent_write(c->bev, script.rest, script.rest_len);
}

static void
server_splits(struct peer_conn *c, const char *message, size_t len)
{
	struct timeval later = { .tv_usec = 30000 };

	bufferevent_write(c->bev, message, len / 2);
	script.rest_len = len - len / 2;
	memcpy(script.rest, message + len / 2, script.rest_len);
	event_base_once(worker_base(worker), -1, EV_TIMEOUT, server_sends_rest, c, &later);
}

/* RFC 5802: the client's nonce comes back, with ours behind it. */
static void
server_asks_rounds(struct peer_conn *c, const char *first, size_t len)
{
	const char *end = first + len, *r = first;
	char text[160], framed[200];
	int n;

	while (r < end && strncmp(r, "r=", 2) != 0)
		r++;
	n = snprintf(text, sizeof(text), "%.*sxyz,s=c2FsdHNhbHQ=,i=%u", (int)(end - r), r,
	    script.rounds);
	if (!script.split) {
		server_asks(c, 11, text, (size_t)n);
		return;
	}
	memcpy(framed, "R\0\0\0\0\0\0\0\x0b", 9);
	framed[4] = (char)(n + 8);
	memcpy(framed + 9, text, (size_t)n);
	server_splits(c, framed, (size_t)n + 9);
}

static void
startup_read(struct peer_conn *c, const char *bytes, size_t len)
{
	size_t i;

	(*(bufferevent_openssl_get_ssl(c->bev) != NULL ? &script.in_tls : &script.in_clear))++;
	memset(script.startup, 0, sizeof(script.startup));
	for (i = 8; i < len && i - 8 < sizeof(script.startup) - 1; i++)
		script.startup[i - 8] = bytes[i] != '\0' ? bytes[i] : '\n';
	if (script.refused_first != NULL && script.in_clear + script.in_tls == 1)
		server_refuses(c, script.refused_first);
	else if (script.kerberos)
		server_asks(c, 7, "", 0);
	else if (script.rounds > 0)
		server_asks(c, 10, "SCRAM-SHA-256\0", 15);
	else
		server_refuses(c, "28P01");
}

static bool
server_speaks_no_tls(void)
{
	return script.answer == 'X' || script.answer == 'H';
}

static void
server_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in);
	const char *bytes = (const char *)evbuffer_pullup(in, -1);
	bool is_ssl = len == SSL_REQUEST_LEN && bytes[4] == 4;

	if (is_ssl) {
		evbuffer_drain(in, len);
		if (script.answer == 'E') {
			peer_hang_up(c);
			return;
		}
		assert_int_equal(send(bufferevent_getfd(c->bev),
				     server_speaks_no_tls() ? "S" : &script.answer, 1, 0),
		    1);
		if (script.answer == 'S')
			peer_start_tls(c, tls.server);
		return;
	}
	if (server_speaks_no_tls()) { /* a ClientHello */
		if (script.answer == 'X')
			bufferevent_write(c->bev, "HTTP/1.1 400 no\r\n\r\n", 19);
		peer_hang_up(c);
		return;
	}
	if (c->stage == 0)
		startup_read(c, bytes, len);
	else if (c->stage == 1)
		server_asks_rounds(c, bytes, len);
	else
		script.proofs++, server_refuses(c, "28P01");
	if (c->bev != NULL) {
		c->stage++;
		evbuffer_drain(bufferevent_get_input(c->bev), len);
	}
}

#endif
