/* SPDX-License-Identifier: MIT */
/*
 * record: what the catalog says of one key id, as loop/lookup keeps it. One worker's thread.
 */
#ifndef AUTH_RECORD_H
#define AUTH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/auth.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/loop/lookup.h"

struct key_record {
	struct lookup_record base; /* negative: not there, or revoked */
	bool found;		   /* there, and not revoked */
	uint8_t secret_sha256[SHA256_SIZE];
	struct caller caller;
};

/* A struct key_record with one reference; NULL without memory. */
struct lookup_record *key_record_new(struct slice key_id);

/* The catalog's row, or none; false when the row is nonsense (then it is as if it were absent). */
bool key_record_fill(struct key_record *, const struct pg_result *);
/* Takes the same time whether the key is known, the secret wrong, or neither. */
bool key_record_matches(const struct key_record *, struct slice secret);

#endif
