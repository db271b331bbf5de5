/* SPDX-License-Identifier: MIT */
/*
 * jwt_parse: the compact form of a signed token (RFC 7515 section 7.1), taken apart. Nothing of it
 * is believed: what is here is what its sender has written. Pure; any thread.
 */
#ifndef AUTH_JWT_PARSE_H
#define AUTH_JWT_PARSE_H

#include <jansson.h>
#include <stdbool.h>

#include "auth/jwa.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define JWT_MAX	    8192u /* bytes of a token */
#define JWT_KID_MAX 256u  /* of its key's id */

struct jwt {
	struct slice signed_part; /* borrowed from the text: all before the second dot */
	struct buf signature;	  /* owned, as the next three */
	struct buf payload;	  /* what is between the dots */
	json_t *header;
	json_t *claims;	       /* NULL until jwt_read_claims() */
	const struct jwa *alg; /* what the header says; one that is known */
	struct slice kid;      /* borrowed from the header; p NULL: none */
	struct slice typ;      /* the same, without "application/" */
};

/* Whether a credential has the form of a token: three parts and no more. */
bool jwt_looks_like(struct slice);
/* An Authorization value: the scheme Bearer in any case, then what jwt_looks_like() a token. */
bool jwt_from_header(struct slice authorization, struct slice *token);
/* False: *why says what is wrong, for operators (static). jwt_free() either way. */
bool jwt_parse(struct slice text, struct jwt *, const char **why);
/* The same of its claims. After the first, and once. */
bool jwt_read_claims(struct jwt *, const char **why);
void jwt_free(struct jwt *); /* idempotent */

#endif
