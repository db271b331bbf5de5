/* SPDX-License-Identifier: MIT */
/*
 * pg_auth: the order in which a server may ask things of a login.
 *
 *	[first] -- password or MD5 --> [password] -- accepted ------------+
 *	   |                                                              v
 *	   +-- SASL --> [sasl] -- continue --> [proof] -- final -------> [over]
 *	   +-- accepted, or an error --------------------------------------^
 *
 * The rounds come in "continue", whose nonce begins with the client's: so it cannot have been sent
 * before the client's first message, and is never hidden behind another message that libpq reads
 * in the same call. Every other order is refused, for the same reason.
 */
#include "wire/pg_auth.h"

#include <arpa/inet.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD	    9	 /* bytes: 'R', the length (without the 'R'), the code */
#define MESSAGE_MAX 2000 /* bytes: libpq's own bound of an authentication message */
#define ROUNDS_TEXT 32	 /* bytes of the number; more are no number that a server means */

enum auth_code {
	AUTH_OK = 0,
	AUTH_CLEARTEXT = 3,
	AUTH_MD5 = 5,
	AUTH_GSS = 7,
	AUTH_GSS_CONTINUE = 8,
	AUTH_SSPI = 9,
	AUTH_SASL = 10,
	AUTH_SASL_CONTINUE = 11,
	AUTH_SASL_FINAL = 12,
};

static enum pg_auth_verdict auth_refuse(struct pg_auth *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static enum pg_auth_verdict
auth_refuse(struct pg_auth *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
	return PG_AUTH_REFUSED;
}

static enum pg_auth_verdict
auth_unexpected(struct pg_auth *a)
{
	return auth_refuse(a, "the server asks for authentication out of order");
}

static uint32_t
number_at(const char *bytes)
{
	uint32_t n;

	memcpy(&n, bytes, sizeof(n));
	return ntohl(n);
}

/* RFC 5802, server-first-message: "r=NONCE,s=SALT,i=ROUNDS". What is malformed is left to libpq,
 * which reads it in the same order and refuses it. */
static enum pg_auth_verdict
auth_rounds(struct pg_auth *a, const char *text, size_t len)
{
	const char *end = text + len, *comma = memchr(text, ',', len);
	char number[ROUNDS_TEXT];
	unsigned long long rounds;
	int digits;

	if (comma != NULL)
		comma = memchr(comma + 1, ',', (size_t)(end - comma - 1));
	if (comma == NULL || end - comma < 4 || comma[1] != 'i' || comma[2] != '=')
		return PG_AUTH_PASS;
	digits = snprintf(number, sizeof(number), "%.*s", (int)(end - comma - 3), comma + 3);
	rounds = strtoull(number, NULL, 10); /* too large, or negative, is a large number here */
	if (digits < ROUNDS_TEXT && rounds <= a->rounds_max)
		return PG_AUTH_PASS;
	return auth_refuse(a,
	    "the server asks for %.20s iterations of SCRAM, and max_scram_iterations is %u", number,
	    a->rounds_max);
}

static enum pg_auth_verdict
auth_move(struct pg_auth *a, enum pg_auth_stage next)
{
	a->stage = next;
	return PG_AUTH_PASS;
}

/* Codes that are not ours to know are passed on: libpq refuses what it does not know, too. */
static enum pg_auth_verdict
auth_first(struct pg_auth *a, uint32_t code)
{
	switch (code) {
	case AUTH_SASL:
		return auth_move(a, PG_AUTH_SASL);
	case AUTH_CLEARTEXT:
	case AUTH_MD5:
		return auth_move(a, PG_AUTH_PASSWORD);
	case AUTH_GSS:
	case AUTH_GSS_CONTINUE:
	case AUTH_SSPI:
		return auth_refuse(a, "the server asks for Kerberos, which is not supported");
	case AUTH_SASL_CONTINUE:
	case AUTH_SASL_FINAL:
		return auth_unexpected(a);
	default:
		return auth_move(a, PG_AUTH_OVER);
	}
}

static enum pg_auth_verdict
auth_request(struct pg_auth *a, uint32_t code, const char *text, size_t len)
{
	switch (a->stage) {
	case PG_AUTH_FIRST:
		return auth_first(a, code);
	case PG_AUTH_PASSWORD:
		return code == AUTH_OK ? auth_move(a, PG_AUTH_OVER) : auth_unexpected(a);
	case PG_AUTH_SASL:
		if (code != AUTH_SASL_CONTINUE)
			return auth_unexpected(a);
		a->stage = PG_AUTH_PROOF;
		return auth_rounds(a, text, len);
	case PG_AUTH_PROOF:
		return code == AUTH_SASL_FINAL ? auth_move(a, PG_AUTH_OVER) : auth_unexpected(a);
	case PG_AUTH_OVER:
		break;
	}
	return PG_AUTH_PASS;
}

/* Anything but a request ends the authentication: an error, or what libpq does not take. But later
 * than libpq 15 it goes on after NegotiateProtocolVersion, which we give no cause for. */
enum pg_auth_verdict
pg_auth_look(struct pg_auth *a, const char *bytes, size_t len)
{
	size_t whole;

	if (a->stage != PG_AUTH_OVER && bytes[0] == 'v')
		return auth_refuse(a, "the server speaks another version of the protocol");
	if (a->stage == PG_AUTH_OVER || bytes[0] != 'R')
		return auth_move(a, PG_AUTH_OVER);
	if (len < HEAD)
		return PG_AUTH_PARTIAL;
	whole = 1 + (size_t)number_at(bytes + 1);
	if (whole < HEAD || whole > MESSAGE_MAX + 1)
		return auth_move(a, PG_AUTH_OVER);
	if (len < whole)
		return PG_AUTH_PARTIAL;
	return auth_request(a, number_at(bytes + 5), bytes + HEAD, whole - HEAD);
}
