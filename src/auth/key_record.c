/* SPDX-License-Identifier: MIT */
/*
 * record: one key's record, and the comparison that lets its holder in.
 */
#include "auth/key_record.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth_key.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

static void
key_record_free(struct lookup_record *base)
{
	free((struct key_record *)base);
}

struct lookup_record *
key_record_new(struct slice key_id)
{
	struct key_record *r = xcalloc(1, sizeof(*r));

	assert(key_id.len <= KEY_ID_LEN);
	lookup_record_init(&r->base, key_record_free);
	memcpy(r->caller.key_id, key_id.p, key_id.len);
	/* Nobody's secret hashes to this: the dummy that unknown keys are compared with. */
	bytes_random(r->secret_sha256, sizeof(r->secret_sha256));
	return &r->base;
}

static int
nibble(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* The catalog's CHECK says 64 lower-case hex digits. */
static bool
hash_read(uint8_t out[SHA256_SIZE], const char *hex)
{
	size_t i;

	if (strlen(hex) != 2 * SHA256_SIZE || strspn(hex, "0123456789abcdef") != 2 * SHA256_SIZE)
		return false;
	for (i = 0; i < SHA256_SIZE; i++)
		out[i] = (uint8_t)(nibble(hex[2 * i]) * 16 + nibble(hex[2 * i + 1]));
	return true;
}

/* Columns: secret_sha256, kind, tenant_id. */
bool
key_record_fill(struct key_record *r, const struct pg_result *row)
{
	const char *tenant;

	if (pg_rows(row) == 0)
		return true;
	tenant = pg_text(row, 0, 2);
	if (!caller_kind_parse(pg_text(row, 0, 1), &r->caller.kind))
		return false;
	if (r->caller.kind == CALLER_TENANT && !auth_tenant_valid(slice_str(tenant)))
		return false;
	if (!hash_read(r->secret_sha256, pg_text(row, 0, 0)))
		return false;
	if (r->caller.kind == CALLER_TENANT)
		snprintf(r->caller.tenant, sizeof(r->caller.tenant), "%s", tenant);
	r->found = true;
	return true;
}

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
