/* SPDX-License-Identifier: MIT */
/*
 * pg_login: libpq's side of a login: its parameters, its connection steps, and what is looked at
 * before and after each of them. pg_connect.c drives it. Private to wire/.
 */
#ifndef TENANTGATE_WIRE_PG_LOGIN_H
#define TENANTGATE_WIRE_PG_LOGIN_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "tenantgate/wire/dns.h"
#include "tenantgate/wire/pg.h"
#include "wire/pg_auth.h"

/* How long the rest of a message may take, and how often it is looked for. */
#define PG_PARTIAL_PAUSE_US 5000
#define PG_PARTIAL_LOOKS    600

/* On one thread at a time. */
struct pg_attempt {
	PGconn *pq; /* owned; NULL once it is a connection */
	PostgresPollingStatusType status;
	struct pg_auth auth;
	bool tls_offered; /* the server has answered SSLRequest with 'S' */
	bool tls_failed;  /* TLS, or the certificate, was not as sslmode wants it */
	unsigned partial; /* looks in turn at a message that is not whole: look again soon */
	/* See pg_certificate.c. */
	char *ca_file;	      /* owned; NULL: the certificate is not looked at */
	bool checks_name;     /* verify-full */
	long bad_certificate; /* X509_V_ERR_...; X509_V_OK: none is known to be bad */
};

/* pg_params.c: begins a login (PQconnectStartParams). addresses: of the host, none where it is one
 * itself. bare: without settings for the session, which poolers refuse. NULL: no memory. Texts are
 * copied. */
struct pg_attempt *pg_attempt_new(const struct pg_target *, const struct dns_answer *addresses,
    bool bare);

/* pg_guard.c: whether a login may go where the host's name leads now; and then with which TLS: the
 * target's sslmode is the one for there. Once for a login. False with a sentence's part in why. */
bool pg_guard_admits(struct pg_target *, const struct dns_answer *addresses, char *why,
    size_t size);

/* pg_attempt.c: libpq's next step; what to wait for is then in ->status. May compute for long while
 * pg_attempt_may_compute(). */
void pg_attempt_poll(void *);
bool pg_attempt_may_compute(const struct pg_attempt *);
/* Why ->status is PGRES_POLLING_FAILED. */
void pg_attempt_failure(const struct pg_attempt *, struct pg_failure *);
void pg_attempt_free(void *);

/* pg_certificate.c: PQconnectPoll(); and whether the server's certificate, as far as it has come,
 * is as sslmode wants it. False: nothing may be sent; ->bad_certificate says why. */
void pg_certificate_poll(struct pg_attempt *);
bool pg_certificate_is_good(const struct pg_attempt *);

#endif
