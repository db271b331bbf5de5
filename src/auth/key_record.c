/* SPDX-License-Identifier: MIT */
/*
 * key_record: one key's record, and the comparison by which its holder is authenticated.
 */
#include "auth/key_record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth_key.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

static void
key_record_free(struct lookup_record *base)
{
	free((struct key_record *)base);
}

struct slice
key_asked(struct slice key_id, struct slice network, char out[KEY_ASKED_MAX])
{
	assert(key_id.len == KEY_ID_LEN && network.len > 0 && network.len <= AUTH_NETWORK_MAX);
	memcpy(out, key_id.p, key_id.len);
	memcpy(out + key_id.len, network.p, network.len);
	return slice_of(out, key_id.len + network.len);
}

/* Negative until a row says otherwise (found is false). */
struct lookup_record *
key_record_new(struct slice asked)
{
	struct key_record *r = xcalloc(1, sizeof(*r));

	assert(asked.len >= KEY_ID_LEN && asked.len <= KEY_ASKED_MAX);
	lookup_record_init(&r->base, key_record_free);
	memcpy(r->caller.key_id, asked.p, KEY_ID_LEN);
	r->network_len = asked.len - KEY_ID_LEN;
	memcpy(r->network, asked.p + KEY_ID_LEN, r->network_len);
	/* Until a row fills it: random, no secret's hash, to compare unknown keys with. */
	bytes_random(r->secret_sha256, sizeof(r->secret_sha256));
	return &r->base;
}

/* The catalog's CHECK says 64 lower-case hex digits; a row could have been written around it. */
static bool
hash_parse(uint8_t out[SHA256_SIZE], const char *hex)
{
	size_t i;

	if (strlen(hex) != 2 * SHA256_SIZE || strspn(hex, "0123456789abcdef") != 2 * SHA256_SIZE)
		return false;
	for (i = 0; i < SHA256_SIZE; i++)
		out[i] = (uint8_t)(hex_value(hex[2 * i]) * 16 + hex_value(hex[2 * i + 1]));
	return true;
}

/* Digits alone, as the statement makes them. */
static uint64_t
expiry_parse(const char *us)
{
	return strtoull(us, NULL, 10);
}

/* Columns: secret_sha256, kind, tenant_id, scopes (null: all), expires_at in microseconds (null:
 * never). `found` is set last: a row that fails a check leaves the record negative. */
bool
key_record_fill(struct key_record *r, const struct pg_result *row)
{
	struct slice scopes;
	const char *tenant;

	if (pg_rows(row) == 0)
		return true;
	tenant = pg_text(row, 0, 2);
	if (!caller_kind_parse(pg_text(row, 0, 1), &r->caller.kind))
		return false;
	if (r->caller.kind == CALLER_TENANT && !auth_tenant_valid(slice_str(tenant)))
		return false;
	if (!hash_parse(r->secret_sha256, pg_text(row, 0, 0)))
		return false;
	if (r->caller.kind == CALLER_TENANT)
		snprintf(r->caller.tenant, sizeof(r->caller.tenant), "%s",
		    mutated(MUTATION_KEY_TENANT, tenant));
	scopes = pg_value(row, 0, 3);
	r->caller.scopes = scopes.p == NULL ? SCOPES_UNLIMITED : key_scopes_known(scopes);
	r->expires_us = expiry_parse(pg_text(row, 0, 4));
	r->found = true;
	return true;
}

/*
 * Hashes and compares whatever the record is, in constant time (CRYPTO_memcmp), and looks at
 * `found` last: the time of a refusal does not say how many bytes of the hash were right, nor
 * whether the key id exists.
 */
bool
key_record_matches(const struct key_record *r, struct slice secret)
{
	uint8_t hash[SHA256_SIZE];
	bool same;

	sha256(secret, hash);
	same = bytes_equal_ct(hash, r->secret_sha256, sizeof(hash));
	bytes_wipe(hash, sizeof(hash));
	return same && r->found;
}

bool
key_record_is_over(const struct key_record *r)
{
	return r->expires_us != 0 && clock_wall_us() >= r->expires_us;
}
