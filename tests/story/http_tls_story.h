/* SPDX-License-Identifier: MIT */
/*
 * http_tls_story: an HTTP server with a certificate, and a client of it that is OpenSSL over two
 * buffers, so that each byte is the test's to send.
 */
#ifndef TESTS_HTTP_TLS_STORY_H
#define TESTS_HTTP_TLS_STORY_H

#include "http_session.h"

#include <sys/socket.h>

#include <openssl/ssl.h>

#include "../unit/fake_tls.h"
#include "tenantgate/loop/meter.h"
#include "tenantgate/loop/offload.h"
#include "tenantgate/wire/tls_server.h"

#define PIECE	     16384
#define HANDSHAKE_US FIXTURE_TIMEOUT_US

struct tls_story {
	struct fake_tls files;
	struct tls_tickets *tickets;
	struct tls_server *server;
	struct offload *helpers; /* NULL: handshakes are computed in place */
	SSL_CTX *ctx;
	SSL *ssl; /* the client, over its BIOs */
};

static struct tls_story story;

/* ---- the client ---- */
static inline void
send_queued(struct http_session *v, size_t piece)
{
	char bytes[PIECE];
	int n;

	while ((n = BIO_read(SSL_get_wbio(story.ssl), bytes,
		    (int)(piece < PIECE ? piece : PIECE))) > 0)
		client_send_bytes(v->fd, bytes, (size_t)n);
}

/* False: the server has closed. */
static inline bool
take_bytes(struct http_session *v)
{
	char bytes[PIECE];
	ssize_t n = recv(v->fd, bytes, sizeof(bytes), 0);

	return n > 0 && BIO_write(SSL_get_rbio(story.ssl), bytes, (int)n) == (int)n;
}

/* In pieces of so many bytes. False: the server has ended it. */
static inline bool
shakes_hands(struct http_session *v, size_t piece)
{
	int rc;

	while ((rc = SSL_do_handshake(story.ssl)) != 1) {
		if (SSL_get_error(story.ssl, rc) != SSL_ERROR_WANT_READ)
			return false;
		send_queued(v, piece);
		if (!take_bytes(v))
			return false;
	}
	send_queued(v, piece);
	return true;
}

static inline void
says(struct http_session *v, const char *text, size_t piece)
{
	assert_int_equal(SSL_write(story.ssl, text, (int)strlen(text)), (int)strlen(text));
	send_queued(v, piece);
}

/* Until `text` was received n times; or until the end, which is SSL_ERROR_ZERO_RETURN where it was
 * said, and SSL_ERROR_WANT_READ where the connection only ended. */
static inline int
hears(struct http_session *v, const char *text, unsigned n)
{
	char bytes[PIECE];

	for (;;) {
		int got = SSL_read(story.ssl, bytes, sizeof(bytes));

		if (got > 0)
			buf_add(&v->received, bytes, (size_t)got);
		if (got > 0 && text != NULL && count_of(&v->received, text) >= n)
			return SSL_ERROR_NONE;
		if (got > 0)
			continue;
		if (SSL_get_error(story.ssl, got) != SSL_ERROR_WANT_READ || !take_bytes(v))
			return SSL_get_error(story.ssl, got);
	}
}

static inline void
client_make(int version)
{
	story.ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(story.ctx, version);
	SSL_CTX_set_max_proto_version(story.ctx, version);
	story.ssl = SSL_new(story.ctx);
	SSL_set_bio(story.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(story.ssl);
}

static inline void
client_free(void)
{
	SSL_free(story.ssl);
	SSL_CTX_free(story.ctx);
}

/* ---- the server ---- */
static inline void
server_make(struct http_conf *conf)
{
	struct tls_server_conf server = { .ciphers = TLS_CIPHERS_DEFAULT,
		.ticket_period_us = 3600000000ull,
		.name = "story" };
	enum tls_setting setting;
	struct err err = { .code = ERR_NONE };

	fake_tls_make(&story.files);
	story.tickets = tls_tickets_new();
	server.certificates = story.files.cert;
	server.keys = story.files.key;
	server.tickets = story.tickets;
	story.server = tls_server_new(&server, &setting, &err);
	assert_non_null(story.server);
	http_fixture_conf(conf);
	conf->tls = story.server;
	conf->tls_helpers = story.helpers;
	conf->tls_handshake_timeout_us = HANDSHAKE_US;
}

static inline int
story_open(void **state, int version, bool has_helpers)
{
	struct offload_conf helpers;
	struct http_conf conf;

	offload_conf_init(&helpers);
	story.helpers = has_helpers ? offload_open(&helpers) : NULL;
	server_make(&conf);
	client_make(version);
	return session_open_with(state, &conf);
}

/* There is one place, which a client that says nothing has. */
static inline int
open_full(void **state)
{
	struct http_conf conf;

	story.helpers = NULL;
	server_make(&conf);
	conf.max_client_conn = 1;
	client_make(TLS1_3_VERSION);
	return session_open_with(state, &conf);
}

static inline int
open_newest(void **state)
{
	return story_open(state, TLS1_3_VERSION, true);
}

static inline int
open_older(void **state)
{
	return story_open(state, TLS1_2_VERSION, true);
}

static inline int
open_in_place(void **state)
{
	return story_open(state, TLS1_3_VERSION, false);
}

static inline int
story_close(void **state)
{
	session_close(state);
	offload_close(story.helpers);
	tls_server_give(story.server);
	tls_tickets_free(story.tickets);
	fake_tls_clear(&story.files);
	client_free();
	return 0;
}

#define STORY(fn, open) cmocka_unit_test_setup_teardown(fn, open, story_close)

#endif
