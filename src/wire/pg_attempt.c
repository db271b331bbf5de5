/* SPDX-License-Identifier: MIT */
/*
 * pg_attempt: libpq's connection steps, each looked at before and after.
 *
 *  - In the clear: with sslmode=prefer libpq goes on without TLS when TLS fails, be it for a
 *    certificate, and when the server refuses the login under TLS. Here the server's answer to
 *    SSLRequest is seen first: who has offered TLS is never spoken to without. libpq shows that it
 *    wants to by a new socket, on which nothing has been sent yet.
 *  - Rounds of SCRAM: the server's request is seen before libpq computes (pg_auth.c); under TLS by
 *    SSL_peek() on libpq's own session. That shows one record of TLS at a time: a message in two
 *    is not seen whole, and the login fails. Servers send what they have to say in one.
 *
 * So libpq reads only after the bytes were seen here: when there are none it is not called at all.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "wire/peer_tls.h"
#include "wire/pg_conn.h"
#include "wire/pg_login.h"

#define PEEK_MAX 4096 /* bytes: twice the longest message that libpq takes */

enum peek { PEEK_NOTHING, PEEK_BYTES, PEEK_ENDED };

static enum peek
peek_socket(const struct pg_attempt *a, char *bytes, size_t *len)
{
	ssize_t n = recv(PQsocket(a->pq), bytes, *len, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0) {
		*len = (size_t)n;
		return PEEK_BYTES;
	}
	return n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? PEEK_NOTHING
										      : PEEK_ENDED;
}

static enum peek
peek_tls(SSL *ssl, char *bytes, size_t *len)
{
	int n, why;

	ERR_clear_error();
	n = SSL_peek(ssl, bytes, (int)*len);
	why = SSL_get_error(ssl, n);
	ERR_clear_error();
	if (n > 0) {
		*len = (size_t)n;
		return PEEK_BYTES;
	}
	return why == SSL_ERROR_WANT_READ ? PEEK_NOTHING : PEEK_ENDED;
}

static enum peek
peek_plain(const struct pg_attempt *a, char *bytes, size_t *len)
{
	if (PQsslInUse(a->pq))
		return peek_tls(PQsslStruct(a->pq, "OpenSSL"), bytes, len);
	return peek_socket(a, bytes, len);
}

/* The one byte that answers SSLRequest: 'S', or 'N' (or an error of an ancient server). */
static enum peek
look_tls(struct pg_attempt *a)
{
	char answer = 0;
	size_t len = 1;
	enum peek peek = peek_socket(a, &answer, &len);

	a->tls_offered = peek == PEEK_BYTES && answer == 'S';
	return peek;
}

static enum peek
look_again(struct pg_attempt *a)
{
	if (++a->partial < PG_PARTIAL_LOOKS)
		return PEEK_NOTHING;
	snprintf(a->auth.why, sizeof(a->auth.why), "the server sent a part of a message only");
	return PEEK_BYTES;
}

static enum peek
look_auth(struct pg_attempt *a)
{
	char bytes[PEEK_MAX];
	size_t len = sizeof(bytes);
	enum peek peek = peek_plain(a, bytes, &len);

	if (peek != PEEK_BYTES)
		return peek;
	if (pg_auth_look(&a->auth, bytes, len) == PG_AUTH_PARTIAL)
		return look_again(a);
	a->partial = 0;
	return PEEK_BYTES;
}

/* False: there is nothing for libpq to read yet. */
static bool
attempt_look(struct pg_attempt *a)
{
	switch (PQstatus(a->pq)) {
	case CONNECTION_SSL_STARTUP:
		return a->tls_offered || look_tls(a) != PEEK_NOTHING;
	case CONNECTION_AWAITING_RESPONSE:
		return look_auth(a) != PEEK_NOTHING;
	default:
		return true;
	}
}

void
pg_attempt_poll(void *arg)
{
	struct pg_attempt *a = arg;
	bool in_tls = PQstatus(a->pq) == CONNECTION_SSL_STARTUP, falls_back;

	a->status = PGRES_POLLING_READING;
	if (!attempt_look(a))
		return;
	if (a->auth.why[0] != '\0') {
		a->status = PGRES_POLLING_FAILED;
		return;
	}
	pg_certificate_poll(a);
	falls_back = a->tls_offered && a->status != PGRES_POLLING_FAILED && !PQsslInUse(a->pq);
	if (falls_back || (in_tls && !pg_certificate_is_good(a)))
		a->status = PGRES_POLLING_FAILED;
	a->tls_failed = in_tls && a->status == PGRES_POLLING_FAILED;
}

/* All but TLS and the rounds of SCRAM is a few microseconds, less than to hand it to a helper. The
 * rounds come in one message, which cannot be there before its stage (pg_auth.c). */
bool
pg_attempt_may_compute(const struct pg_attempt *a)
{
	ConnStatusType status = PQstatus(a->pq);

	return status == CONNECTION_SSL_STARTUP ||
	    (status == CONNECTION_AWAITING_RESPONSE && a->auth.stage == PG_AUTH_SASL);
}

/* The connection ended in the midst of it, as when the server restarts: no word about its TLS. */
static bool
is_cut(const char *message)
{
	static const char *const words[] = { "closed the connection", "SSL SYSCALL error", "EOF",
		"eof", "reset by peer", "Broken pipe" };
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(message, words[i]) != NULL)
			return true;
	return false;
}

void
pg_attempt_failure(const struct pg_attempt *a, struct pg_failure *failure)
{
	char words[sizeof(failure->message)];

	if (a->bad_certificate != X509_V_OK) {
		peer_tls_describe(words, sizeof(words), PQhost(a->pq), a->bad_certificate,
		    a->ca_file);
		pg_failure_text(failure, "", words);
		failure->is_tls = true;
		return;
	}
	if (a->auth.why[0] != '\0')
		pg_failure_text(failure, "", a->auth.why);
	else
		pg_failure_login(failure, PQerrorMessage(a->pq));
	failure->is_tls = a->tls_failed && !is_cut(failure->message);
}

/* (PQfinish() of NULL is harmless.) */
void
pg_attempt_free(void *arg)
{
	struct pg_attempt *a = arg;

	if (a == NULL)
		return;
	PQfinish(a->pq);
	free(a->ca_file);
	free(a);
}
