/* SPDX-License-Identifier: MIT */
/*
 * key_record: what the catalog holds of one key id, as loop/lookup caches it: read by any worker
 * once its lookup is over.
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
	struct caller caller;		    /* key_id always; the rest when found */
	uint64_t expires_us;		    /* wall clock; 0: never */
	size_t network_len;		    /* 0 for a tagged key's */
	char network[AUTH_NETWORK_MAX];	    /* who asked for an unverified key */
};

/* What an unverified key's record is looked up by: its id and the network that asks. With the id
 * alone a network that floods could make another one's lookup wait in its own line. */
#define KEY_ASKED_MAX (KEY_ID_LEN + AUTH_NETWORK_MAX)
struct slice key_asked(struct slice key_id, struct slice network, char out[KEY_ASKED_MAX]);

/* A struct key_record with one reference, of a key id or of key_asked(). */
struct lookup_record *key_record_new(struct slice);

/* Takes over the catalog's row, or that there is none. False when the row is not valid, and then
 * the key counts as absent. */
bool key_record_fill(struct key_record *, const struct pg_result *);
/* Whether the key may be used and this is its secret. Takes the same time whether the key is
 * unknown, the secret wrong, or neither. */
bool key_record_matches(const struct key_record *, struct slice secret);
/* Of one that was found. By this machine's clock, to the microsecond, however old the record is. */
bool key_record_is_over(const struct key_record *);

#endif
