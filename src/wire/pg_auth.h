/* SPDX-License-Identifier: MIT */
/*
 * pg_auth: what a server asks of a login, looked at before libpq acts on it (PostgreSQL's manual,
 * "Message Formats", Authentication...; RFC 5802 for SCRAM). libpq 15 has no bound on the rounds of
 * hashing that a server may ask for, and would wait for a Kerberos server. Pure: bytes in, a
 * verdict out; any thread. Private to wire/.
 */
#ifndef TENANTGATE_WIRE_PG_AUTH_H
#define TENANTGATE_WIRE_PG_AUTH_H

#include <stddef.h>

#define PG_AUTH_WHY_SIZE 160

enum pg_auth_stage {
	PG_AUTH_FIRST,	  /* nothing was asked yet */
	PG_AUTH_PASSWORD, /* the password, or its MD5, was sent */
	PG_AUTH_SASL,	  /* SCRAM has begun; the server's nonce and rounds come next */
	PG_AUTH_PROOF,	  /* the proof was sent; the server's own comes next */
	PG_AUTH_OVER,	  /* nothing that may cost anything comes any more */
};

enum pg_auth_verdict {
	PG_AUTH_PASS,	 /* libpq may read it */
	PG_AUTH_PARTIAL, /* the message is not whole yet */
	PG_AUTH_REFUSED, /* why is set; the login is over */
};

struct pg_auth {
	enum pg_auth_stage stage;
	unsigned rounds_max;
	char why[PG_AUTH_WHY_SIZE]; /* as struct pg_failure has it: no stop */
};

/* bytes: what libpq has not read yet, from the beginning of a message; len > 0. After
 * PG_AUTH_PASS the message counts as read. */
enum pg_auth_verdict pg_auth_look(struct pg_auth *, const char *bytes, size_t len);

#endif
