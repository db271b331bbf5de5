/* SPDX-License-Identifier: MIT */
/*
 * seal: secrets at rest (a database's password in the catalog, a record in Redis), encrypted and
 * authenticated by OpenSSL.
 *
 * A sealed text is AES-256-GCM: "tgs1." + base64url(key id 4 bytes | nonce 12 | ciphertext |
 * tag 16). `context` (the tenant's id, the table) is authenticated with it but not stored: a sealed
 * text that someone copies to another tenant's row does not decrypt there. A key's id is the first
 * 4 bytes of its SHA-256, so older keys may stay for reading while the first one encrypts, and a
 * key can be replaced. A struct seal does not change after seal_new(): any thread.
 */
#ifndef TENANTGATE_BASE_SEAL_H
#define TENANTGATE_BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define SEAL_KEY_SIZE	32
#define SEAL_KEYS_MAX	8

struct seal;

/* keys: 64 hex digits each, SEAL_KEYS_MAX keys at most, separated by commas; the first one
 * encrypts. NULL when malformed, or when hex_keys is NULL. */
struct seal	*seal_new(const char *hex_keys);
void		 seal_free(struct seal *);		/* wipes the keys */
/* Encrypts, and appends the sealed text. False at the buf's ceiling, without memory, or when
 * `plain` has more than a megabyte; then nothing in the buf may be used. */
bool		 seal_encrypt(const struct seal *, struct slice plain, struct slice context,
		    struct buf *out);
/* Decrypts, and appends the plain text, which the caller wipes (buf_wipe). False, and nothing
 * appended, when the text is not ours, was changed, or was sealed with another context or key. */
bool		 seal_decrypt(const struct seal *, struct slice sealed, struct slice context,
		    struct buf *out);

/* A key for another purpose, made of the first key: HMAC-SHA256 of the purpose's name. It changes
 * when the first key does. */
void		 seal_derive(const struct seal *, const char *purpose,
		    uint8_t out[SEAL_KEY_SIZE]);

/* The same of the n-th key, from 0; false when there are not so many. */
bool		 seal_derive_of(const struct seal *, size_t n, const char *purpose,
		    uint8_t out[SEAL_KEY_SIZE]);

/* How a text begins whose key is this seal's first: the same for all of them, and but for one in
 * 2^30 for no other key's. So one can ask a table which of its texts are not sealed with it. */
#define SEAL_PREFIX_LEN	10
void		 seal_prefix(const struct seal *, char out[SEAL_PREFIX_LEN + 1]);
/* Of the n-th key, from 0; false when there are not so many. */
bool		 seal_prefix_of(const struct seal *, size_t n, char out[SEAL_PREFIX_LEN + 1]);
/* True when one of the keys is the one that the text names. Whether it opens is another matter: it
 * may have been changed, or be sealed with another context. */
bool		 seal_knows(const struct seal *, struct slice sealed);

#endif
