/* SPDX-License-Identifier: MIT */
/*
 * public_key: whether bytes were signed with the private half of a key, or with a shared secret. By
 * OpenSSL. Lengths are exact, so a signature has one spelling. A key does not change; any thread.
 * A check costs some 20 us with RSA of 2048 bits, 50 with P-256, 60 with Ed25519, and up to a
 * millisecond with what is slow: P-384, P-521, RSA of 8192 bits.
 */
#ifndef TENANTGATE_BASE_PUBLIC_KEY_H
#define TENANTGATE_BASE_PUBLIC_KEY_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"

struct public_key;

#define RSA_BYTES_MIN	(2048 / 8)	/* of a modulus */
#define RSA_BYTES_MAX	(8192 / 8)
#define RSA_EXPONENT_MAX 4		/* bytes: a longer one makes checks slow */
#define ED25519_KEY_SIZE 32

/* Owned by the caller. NULL: it is no key, or its length is not as above; big-endian numbers. */
struct public_key	*public_key_rsa(struct slice modulus, struct slice exponent);
/* curve: "P-256", "P-384" or "P-521"; each coordinate of just its length. The point is on it. */
struct public_key	*public_key_ec(const char *curve, struct slice x, struct slice y);
struct public_key	*public_key_ed25519(struct slice);
void			 public_key_free(struct public_key *);	/* NULL is fine */
/* Whether a check takes longer than a tenth of a millisecond or so. */
bool			 public_key_is_slow(const struct public_key *);
/* Bytes of a coordinate; 0: there is no such curve. */
size_t			 curve_bytes(const char *curve);

enum signature_form {
	SIGNATURE_PKCS1,	/* RSASSA-PKCS1-v1_5 */
	SIGNATURE_PSS,		/* RSASSA-PSS, its salt as long as the digest, MGF1 with the same */
	SIGNATURE_ECDSA,	/* r and s, one after the other, each as long as a coordinate */
	SIGNATURE_ED25519,
};
/* The form is one of the key's type. digest: "SHA256", "SHA384" or "SHA512"; NULL: Ed25519's. */
bool	public_key_verifies(const struct public_key *, enum signature_form, const char *digest,
	    struct slice text, struct slice signature);
/* HMAC (RFC 2104) of that digest, compared in constant time. */
bool	secret_verifies(struct slice secret, const char *digest, struct slice text,
	    struct slice mac);

#endif
