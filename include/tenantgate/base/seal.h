/* SPDX-License-Identifier: MIT */
/*
 * seal: secrets at rest. OpenSSL underneath.
 *
 * A sealed text is AES-256-GCM: "tgs1." + base64url(key id 4 bytes | nonce 12 | ciphertext |
 * tag 16). `context` is authenticated with it (the tenant id, the table): a sealed text copied to
 * another tenant's row does not open. Key ids are the first 4 bytes of SHA-256(key), so a second,
 * older key may stay for reading while the first one seals. A struct seal is immutable after
 * seal_new(): any thread.
 */
#ifndef TENANTGATE_BASE_SEAL_H
#define TENANTGATE_BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define SEAL_KEY_SIZE	32

struct seal;

/* keys: 64 hex digits each, comma-separated, the first one seals. NULL when malformed. */
struct seal	*seal_new(const char *hex_keys);
void		 seal_free(struct seal *);		/* wipes the keys */
bool		 seal_close(const struct seal *, struct slice plain, struct slice context,
		    struct buf *out);			/* appends */
/* False when it is not ours, was tampered with, or its context differs. Appends. */
bool		 seal_open(const struct seal *, struct slice sealed, struct slice context,
		    struct buf *out);

#endif
