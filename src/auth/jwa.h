/* SPDX-License-Identifier: MIT */
/*
 * jwa: the signature algorithms of tokens that we know (RFC 7518 section 3, RFC 8037, RFC 9864).
 * "none" is not one of them. Pure; any thread.
 */
#ifndef AUTH_JWA_H
#define AUTH_JWA_H

#include <stdbool.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

enum jwa_family { JWA_HMAC, JWA_RSA_PKCS1, JWA_RSA_PSS, JWA_ECDSA, JWA_EDDSA };

struct jwa {
	const char *name;
	enum jwa_family family;
	const char *digest;    /* OpenSSL's name; NULL: the algorithm has its own */
	unsigned digest_bytes; /* the least that an HMAC's secret must have, too */
	const char *curve;     /* of a JWK (crv); NULL: none */
};

#define JWA_COUNT 14u /* known */

/* Byte for byte; NULL: it is none that we know. Static. */
const struct jwa *jwa_find(struct slice name);
/* EdDSA and Ed25519 are two names of one (RFC 9864). */
bool jwa_is_same(const struct jwa *, const struct jwa *);

/* Those that an issuer may use, in its operator's order. */
struct jwa_list {
	const struct jwa *items[JWA_COUNT];
	unsigned count;
};
/* Names, by blanks or commas. False with ERR_INVALID_FIELD for one that is not known or is there
 * twice, and for none at all. */
bool jwa_list_read(struct jwa_list *, const char *text, struct err *);
bool jwa_list_has(const struct jwa_list *, const struct jwa *);

#endif
