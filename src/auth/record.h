/* SPDX-License-Identifier: MIT */
/*
 * record: what the catalog says of one key id, shared by the caches, the lookup that fills it and
 * the visits that wait for it. Counted by hand; one worker's thread.
 */
#ifndef AUTH_RECORD_H
#define AUTH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/auth.h"
#include "tenantgate/base/digest.h"

struct key_record {
	unsigned refs;
	bool found;	     /* there, and not revoked */
	uint64_t expires_us; /* monotonic */
	uint8_t secret_sha256[SHA256_SIZE];
	struct caller caller;
};

struct key_record *key_record_new(struct slice key_id);
struct key_record *key_record_ref(struct key_record *);
void key_record_unref(void *); /* a map_drop_fn */

/* The catalog's row, or none; false when the row is nonsense (then it is as if it were absent). */
bool key_record_fill(struct key_record *, const struct pg_result *);
/* Takes the same time whether the key is known, the secret wrong, or neither. */
bool record_opens(const struct key_record *, struct slice secret);

#endif
