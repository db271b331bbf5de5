/* SPDX-License-Identifier: MIT */
/*
 * jwk: public keys of an issuer (RFC 7517), and which of them a token is to be checked with. A key
 * has one algorithm: the one that it names, or else the first of the issuer's list that suits it.
 * A set does not change once it is made, and is shared by reference. Pure; any thread.
 */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include "auth/jwa.h"
#include "auth/jwt_parse.h"
#include "tenantgate/base/public_key.h"
#include "tenantgate/base/refs.h"

#define JWKS_BYTES_MAX (256u << 10) /* of the text of a set */
#define JWKS_KEYS_MAX  64u	    /* that may be used; more: the set is refused */

enum jwk_type { JWK_SECRET, JWK_RSA, JWK_EC, JWK_OKP };

struct jwk {
	enum jwk_type type;
	char *kid;		/* owned; NULL: none */
	const struct jwa *alg;	/* the one it names; NULL: it names none */
	const char *curve;	/* static: JWK_EC, JWK_OKP */
	struct public_key *key; /* owned; NULL: JWK_SECRET */
	char *secret;		/* owned, wiped at the end: JWK_SECRET */
	size_t secret_len;
};

struct jwk_set {
	struct refs refs;
	unsigned count;
	unsigned passed_over; /* keys of the text that are not for checking signatures */
	unsigned given_away;  /* ... of these, with their private parts */
	struct jwk keys[];
};

/* One key of a set. False: it is none that we may use (*why, static). jwk_free() either way.
 * Symmetric keys and those with private parts are refused: who reads the set could sign. */
bool jwk_read(const json_t *, struct jwk *, const char **why);
void jwk_free(struct jwk *); /* idempotent */
/* Whether it has a part that only who signs may have (RFC 7518 section 6). */
bool jwk_is_given_away(const json_t *);

/* With one reference. Keys that cannot be used are passed over. NULL with err set: it is no set, or
 * none of its keys can be used. */
struct jwk_set *jwk_set_read(struct slice text, struct err *);
/* The set of an issuer whose tokens are signed with a shared secret. */
struct jwk_set *jwk_set_of_secret(struct slice secret);

/* Whether its type, its curve, its length and what it says of itself suit the algorithm. */
bool jwk_suits(const struct jwk *, const struct jwa *, const struct jwa_list *allowed);

enum jwk_choice {
	JWK_FOUND,
	JWK_UNKNOWN,   /* no key of that id: the set may be old */
	JWK_UNFIT,     /* the key of that id is not for that algorithm */
	JWK_AMBIGUOUS, /* several keys would do */
};
/* The key is chosen by us: the token's kid is a look-up and no more; without one, or with a shared
 * secret, the one key that suits. *out: borrowed from the set. */
enum jwk_choice jwk_choose(const struct jwk_set *, const struct jwt *,
    const struct jwa_list *allowed, const struct jwk **out);

/* Whether the token was signed with it. The key suits the token's algorithm (jwk_choose()). */
bool jwt_signature_is_good(const struct jwt *, const struct jwk *);

#endif
