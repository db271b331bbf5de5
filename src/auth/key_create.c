/* SPDX-License-Identifier: MIT */
/*
 * key_create: makes a key. The secret exists here and in the caller's buffer only; the catalog gets
 * its hash, so a copy of the catalog lets nobody in.
 *
 * A plain SHA-256 is enough for a random secret: 247 bits cannot be found by trying, with or
 * without a slow hash or a salt, which are for passwords; and a slow hash would let callers burn
 * our CPU.
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth_key.h"
#include "auth/key_tag.h"
#include "tenantgate/auth.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_sql.h"

struct key_creation {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	enum caller_kind kind;
	char tenant[TENANT_ID_MAX + 1];
	char *note; /* owned; NULL for none */
	char id[KEY_ID_LEN + 1];
	char secret[KEY_SECRET_LEN + 1]; /* wiped at the end */
	char hash[SHA256_HEX_SIZE];
	struct pg_result result; /* owned */
	char *text;		 /* borrowed: AUTH_KEY_TEXT_SIZE bytes */
};

static flow_step_fn create_insert, create_finish;
static flow_release_fn create_release;

static const struct flow_step create_steps[] = {
	{ "insert", create_insert },
	{ "finish", create_finish },
	{ NULL, NULL },
};

static const struct flow_kind create_kind = { "key_create", create_steps, NULL, create_release };

/* May be run twice, as catalog_run() does after a lost connection: the same key is one row. An id
 * that exists with another secret is left alone, and no row is changed. What the tag is made with
 * comes back from the same statement. */
static enum flow_rc
create_insert(struct flow *f)
{
	struct key_creation *k = FLOW_OF(f, struct key_creation, &create_kind);
	struct pg_query q = {
		.sql = "INSERT INTO public.api_keys (key_id, secret_sha256, kind, tenant_id, note) "
		       "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id) DO UPDATE "
		       "SET note = excluded.note "
		       "WHERE api_keys.secret_sha256" PG_EQUALS "excluded.secret_sha256 "
		       "RETURNING (SELECT secret FROM public.key_tag_secret)",
		.params = { PG_TEXT(k->id), PG_TEXT(k->hash), PG_TEXT(caller_kind_name(k->kind)),
		    PG_TEXT(k->kind == CALLER_TENANT ? k->tenant : NULL), PG_TEXT(k->note) },
		.param_count = 5,
	};

	return catalog_run(f, k->catalog, CATALOG_KEYS, slice_str(k->id), &q, &k->result);
}

/* The text is handed out only once the row is there: a key that is shown works. */
static enum flow_rc
create_finish(struct flow *f)
{
	struct key_creation *k = FLOW_OF(f, struct key_creation, &create_kind);
	enum flow_rc rc = catalog_check(f, &k->result, "key creation");
	struct slice tag_secret;
	char tag[KEY_TAG_LEN + 1];

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&k->result) != 1)
		return flow_fail(f, ERR_CONFLICT,
		    "The key id that was drawn is in use already; try again.");
	tag_secret = pg_value(&k->result, 0, 0);
	if (!key_tag_secret_valid(tag_secret))
		return flow_fail(f, ERR_CATALOG,
		    "The catalog's table key_tag_secret has no valid row; restore it from a "
		    "backup.");
	snprintf(k->text, AUTH_KEY_TEXT_SIZE, "tg_%s_%s", k->id, k->secret);
	key_tag_make(tag_secret, slice_str(k->text), tag);
	memcpy(k->text + strlen(k->text), tag, sizeof(tag));
	return FLOW_DONE;
}

static void
create_release(struct flow *f)
{
	struct key_creation *k = FLOW_OF(f, struct key_creation, &create_kind);

	pg_clear(&k->result);
	bytes_wipe(k->secret, sizeof(k->secret));
	free(k->note);
	free(k);
}

/* Id and secret are drawn independently: the id, which is logged, says nothing about the secret. */
static void
create_fill(struct key_creation *k, const char *tenant, const char *note)
{
	if (tenant != NULL)
		snprintf(k->tenant, sizeof(k->tenant), "%s", tenant);
	if (note != NULL)
		k->note = xstrdup(note);
	id_random(k->id, KEY_ID_LEN);
	id_random(k->secret, KEY_SECRET_LEN);
	sha256_hex(slice_str(k->secret), k->hash);
}

enum flow_rc
auth_key_create(struct flow *f, struct catalog *c, enum caller_kind kind, const char *tenant,
    const char *note, char *text)
{
	struct key_creation *k;

	if ((kind == CALLER_TENANT) != (tenant != NULL))
		return flow_fail(f, ERR_INVALID_TENANT,
		    "A tenant key needs a tenant, and no other key takes one; correct the tenant.");
	if (tenant != NULL && !auth_tenant_valid(slice_str(tenant)))
		return flow_fail(f, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct it.",
		    TENANT_ID_MAX);
	k = xcalloc(1, sizeof(*k));
	k->catalog = c;
	k->kind = kind;
	k->text = text;
	create_fill(k, tenant, note);
	return flow_call(f, &k->flow, &create_kind);
}
