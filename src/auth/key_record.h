/* SPDX-License-Identifier: MIT */
/*
 * key_record: what the catalog holds of one key id, as loop/lookup caches it. One worker's thread.
 */
#ifndef AUTH_RECORD_H
#define AUTH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/auth.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/loop/lookup.h"

struct key_record {
	struct lookup_record base;	    /* first; negative: not there, or revoked */
	bool found;			    /* there, and not revoked */
	uint8_t secret_sha256[SHA256_SIZE]; /* random bytes while not found */
	struct caller caller;		    /* key_id always; kind and tenant when found */
};

/* A struct key_record with one reference. */
struct lookup_record *key_record_new(struct slice key_id);

/* Takes over the catalog's row, or that there is none. False when the row is not valid, and then
 * the key counts as absent. */
bool key_record_fill(struct key_record *, const struct pg_result *);
/* Whether the key may be used and this is its secret. Takes the same time whether the key is
 * unknown, the secret wrong, or neither. */
bool key_record_matches(const struct key_record *, struct slice secret);

#endif
