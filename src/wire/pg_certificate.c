/* SPDX-License-Identifier: MIT */
/*
 * pg_certificate: what libpq 15 does not do about a server's certificate. It accepts one without a
 * subjectAltName by its subject's common name, which RFC 9525 ended: the name is looked for once
 * more when the handshake is over, and nothing is sent before. And of one that does not verify it
 * says no more than "certificate verify failed".
 *
 * The verdict is in its session of TLS, which it makes and, when the handshake fails, frees within
 * one call. So it is read when OpenSSL says that a session is being freed (CRYPTO_get_ex_new_index:
 * free_func), by the thread that is in the call.
 */
#include <pthread.h>
#include <string.h>

#include "wire/peer_tls.h"
#include "wire/pg_login.h"

static _Thread_local long freed_verdict;

static void
session_freed(void *ssl, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)ptr;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	freed_verdict = SSL_get_verify_result(ssl);
}

static void
sessions_watch(void)
{
	(void)SSL_get_ex_new_index(0, NULL, NULL, NULL, session_freed);
}

/* The words are libpq's own check of the name, which frees the session too. */
static long
verdict_of_failure(const struct pg_attempt *a)
{
	const char *text = PQerrorMessage(a->pq);

	if (freed_verdict != X509_V_OK)
		return freed_verdict;
	if (strstr(text, "does not match host name") != NULL ||
	    strstr(text, "get server's host name") != NULL)
		return peer_tls_other_name(PQhost(a->pq));
	return X509_V_OK;
}

void
pg_certificate_poll(struct pg_attempt *a)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	SSL *ssl;

	pthread_once(&once, sessions_watch);
	freed_verdict = X509_V_OK;
	a->status = PQconnectPoll(a->pq);
	if (a->ca_file == NULL)
		return;
	ssl = PQsslInUse(a->pq) ? PQsslStruct(a->pq, "OpenSSL") : NULL;
	if (a->status == PGRES_POLLING_FAILED)
		a->bad_certificate = verdict_of_failure(a);
	else if (ssl != NULL)
		a->bad_certificate = peer_tls_verdict(ssl, a->checks_name ? PQhost(a->pq) : NULL);
}

bool
pg_certificate_is_good(const struct pg_attempt *a)
{
	return a->bad_certificate == X509_V_OK;
}
