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
#include "auth/key_sql.h"
#include "auth/key_tag.h"
#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_sql.h"

struct key_creation {
	struct flow flow;
	struct catalog *catalog;	  /* borrowed */
	struct key_order order;		  /* its strings are borrowed */
	char scopes[KEY_SCOPES_SIZE + 2]; /* an array as Postgres reads it; "": null */
	char secret[KEY_SECRET_LEN + 1];  /* wiped at the end */
	char hash[SHA256_HEX_SIZE];	    /* of the secret; of nobody's, of a limited key */
	char limited_hash[SHA256_HEX_SIZE]; /* of a limited key's secret; "": null */
	struct pg_result result; /* owned */
	struct key_made *made;	 /* borrowed */
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
	const struct key_order *order = &k->order;
	struct pg_query q = {
		.sql = "INSERT INTO public.api_keys AS k (key_id, secret_sha256, kind, tenant_id,"
		       " note, scopes, expires_at, limited_sha256) VALUES ($1, $2, $3, $4, $5,"
		       " $6::pg_catalog.text[], $7::pg_catalog.text::pg_catalog.timestamptz, $8)"
		       " ON CONFLICT (key_id) DO UPDATE SET note = excluded.note"
		       " WHERE (" KEY_DIGEST PG_EQUALS "coalesce($8, $2))"
		       " RETURNING (SELECT secret FROM public.key_tag_secret), " PG_RFC3339(
			   "k.created_at"),
		.params = { PG_TEXT(k->made->id), PG_TEXT(k->hash),
		    PG_TEXT(caller_kind_name(order->kind)), PG_TEXT(order->tenant),
		    PG_TEXT(order->note), PG_TEXT(text_or_null(k->scopes)),
		    PG_TEXT(text_or_null(k->made->expires_at)),
		    PG_TEXT(text_or_null(k->limited_hash)) },
		.param_count = 8,
	};

	return catalog_run(f, k->catalog, CATALOG_KEYS, slice_str(k->made->id), &q, &k->result);
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
	snprintf(k->made->created_at, sizeof(k->made->created_at), "%s", pg_text(&k->result, 0, 1));
	snprintf(k->made->text, AUTH_KEY_TEXT_SIZE, "tg_%s_%s", k->made->id, k->secret);
	key_tag_make(tag_secret, slice_str(k->made->text), tag);
	memcpy(k->made->text + strlen(k->made->text), tag, sizeof(tag));
	return FLOW_DONE;
}

static void
create_release(struct flow *f)
{
	struct key_creation *k = FLOW_OF(f, struct key_creation, &create_kind);

	pg_clear(&k->result);
	bytes_wipe(k->secret, sizeof(k->secret));
	free(k);
}

/* What is nobody's is the digest of a secret that is thrown away. */
static void
create_hash(struct key_creation *k, bool is_limited)
{
	char nobody[KEY_SECRET_LEN + 1];

	id_random(nobody, KEY_SECRET_LEN);
	sha256_hex(slice_str(is_limited ? nobody : k->secret), k->hash);
	if (is_limited)
		sha256_hex(slice_str(k->secret), k->limited_hash);
	bytes_wipe(nobody, sizeof(nobody));
}

/* Id and secret are drawn independently: the id, which is logged, says nothing about the secret. */
static void
create_fill(struct key_creation *k)
{
	struct key_made *made = k->made;

	memset(made, 0, sizeof(*made));
	id_random(made->id, KEY_ID_LEN);
	id_random(k->secret, KEY_SECRET_LEN);
	key_scopes_print(k->order.scopes, ",", made->scopes);
	if (made->scopes[0] != '\0')
		snprintf(k->scopes, sizeof(k->scopes), "{%s}", made->scopes);
	if (k->order.expires_us != 0)
		clock_iso(k->order.expires_us, made->expires_at);
	create_hash(k, k->order.scopes != 0 || k->order.expires_us != 0);
}

static bool
key_note_is_valid(const char *note, struct err *err)
{
	struct slice s = slice_str(note);

	if (s.len > KEY_NOTE_MAX || !json_utf8_valid(s))
		err_set(err, ERR_INVALID_FIELD, "A key's note is a text of at most %d bytes.",
		    KEY_NOTE_MAX);
	return !err_is(err);
}

bool
key_order_is_valid(const struct key_order *o, struct err *err)
{
	if ((o->kind == CALLER_TENANT) != (o->tenant != NULL))
		err_set(err, ERR_INVALID_TENANT,
		    "A tenant key needs a tenant, and no other key takes one; correct the tenant.");
	else if (o->tenant != NULL && !auth_tenant_valid(slice_str(o->tenant)))
		err_set(err, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct it.",
		    TENANT_ID_MAX);
	else if (o->kind == CALLER_ADMIN && o->scopes != 0)
		err_set(err, ERR_INVALID_FIELD,
		    "Scopes are parts of what tenants use, where no admin key is taken; leave them "
		    "out.");
	else if (o->expires_us != 0 && o->expires_us <= clock_wall_us())
		err_set(err, ERR_INVALID_FIELD, "A key must expire at a time to come; correct it.");
	return !err_is(err) && (o->note == NULL || key_note_is_valid(o->note, err));
}

enum flow_rc
key_create(struct flow *f, struct catalog *c, const struct key_order *order, struct key_made *made)
{
	struct key_creation *k;
	struct err err = { 0 };

	if (!key_order_is_valid(order, &err))
		return flow_fail_err(f, &err);
	k = xcalloc(1, sizeof(*k));
	k->catalog = c;
	k->order = *order;
	k->made = made;
	create_fill(k);
	return flow_call(f, &k->flow, &create_kind);
}
