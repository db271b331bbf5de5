/* SPDX-License-Identifier: MIT */
/*
 * keys_create: POST /admin/keys and POST /admin/tenants/{tenant}/keys. The response is the only
 * place where a key's text is ever seen.
 */
#include "admin/admin_route.h"
#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/secret.h"

#define LIFE_MAX_S (100ll * 366 * 86400)

struct keys_creation {
	struct admin_request req; /* first */
	struct key_order order;	  /* its strings are the body's */
	struct key_made made;	  /* has the key's text: wiped at the end */
};

static flow_step_fn creation_read, creation_make, creation_respond;
static flow_end_fn creation_end;

static const struct flow_step creation_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "read", creation_read },
	{ "make", creation_make },
	{ "respond", creation_respond },
	{ NULL, NULL },
};

static const struct flow_kind creation_kind = { "admin_keys_create", creation_steps, creation_end,
	admin_release };

static struct keys_creation *
creation_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct keys_creation, req.flow, &creation_kind);
}

/* Under a tenant's path it is a key of that tenant, whatever else could be said. */
static bool
creation_kind_read(struct keys_creation *k, struct err *err)
{
	const char *tenant = k->req.tenant_id;
	struct slice kind = slice_str(tenant[0] != '\0' ? "tenant" : NULL), named = { NULL, 0 };

	if (!json_opt_string(k->req.json, "kind", &kind, err) ||
	    !json_opt_string(k->req.json, "tenant", &named, err))
		return false;
	if (kind.p == NULL || !caller_kind_parse(kind.p, &k->order.kind) ||
	    (tenant[0] != '\0' && k->order.kind != CALLER_TENANT)) {
		err_set(err, ERR_INVALID_FIELD, "Field \"kind\" must be tenant%s; correct it.",
		    tenant[0] != '\0' ? "" : ", service or admin");
		return false;
	}
	k->order.tenant = tenant[0] != '\0' ? tenant : named.p; /* admin_parse() has compared */
	return true;
}

/* By their names with commas, so that there is one reader of them. */
static bool
creation_scopes_read(struct keys_creation *k, struct err *err)
{
	json_t *names = NULL, *name;
	struct buf list;
	size_t i;

	if (!json_opt_array(k->req.json, "scopes", &names, err))
		return false;
	if (names == NULL)
		return true;
	buf_init(&list, KEY_SCOPES_SIZE * 2);
	json_array_foreach(names, i, name) {
		if (!json_is_string(name))
			err_set(err, ERR_INVALID_FIELD,
			    "Field \"scopes\" must be an array of names; correct it.");
		else
			buf_printf(&list, "%s,", json_string_value(name));
	}
	if (list.failed)
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"scopes\" has more names than there are scopes; name each once.");
	if (!err_is(err))
		(void)key_scopes_parse(buf_view(&list), &k->order.scopes, err);
	buf_free(&list);
	return !err_is(err);
}

static bool
creation_expiry_read(struct keys_creation *k, struct err *err)
{
	struct slice at = { NULL, 0 };
	int64_t in = 0;

	if (!json_opt_string(k->req.json, "expiresAt", &at, err) ||
	    !json_opt_int(k->req.json, "expiresIn", 1, LIFE_MAX_S, &in, err))
		return false;
	if (at.p != NULL && in > 0)
		err_set(err, ERR_INVALID_FIELD, "Send expiresAt or expiresIn, not both.");
	else if (in > 0)
		k->order.expires_us = clock_wall_us() + (uint64_t)in * 1000000;
	else if (at.p != NULL && (k->order.expires_us = clock_iso_read(at)) <= clock_wall_us())
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"expiresAt\" must be a time to come in RFC 3339 with its zone, as "
		    "2030-01-31T12:00:00Z.");
	return !err_is(err);
}

static enum flow_rc
creation_read(struct flow *f)
{
	static const char *const names[] = { "kind", "tenant", "scopes", "expiresAt", "expiresIn",
		"note", NULL };
	struct keys_creation *k = creation_of(f);
	struct slice note = { NULL, 0 };
	struct err err = { 0 };

	if (!admin_body_has_only(&k->req, names, &err) || !creation_kind_read(k, &err) ||
	    !creation_scopes_read(k, &err) || !creation_expiry_read(k, &err) ||
	    !json_opt_string(k->req.json, "note", &note, &err))
		return flow_fail_err(f, &err);
	k->order.note = note.p;
	return key_order_is_valid(&k->order, &err) ? FLOW_NEXT : flow_fail_err(f, &err);
}

static enum flow_rc
creation_make(struct flow *f)
{
	struct keys_creation *k = creation_of(f);

	if (k->req.is_dry_run)
		return FLOW_NEXT;
	admin_change_begin(&k->req, k->order.tenant, NULL, NULL);
	return key_create(f, k->req.api->catalog, &k->order, &k->made);
}

/* A dry run has no id and no text: nothing was drawn. */
static enum flow_rc
creation_respond(struct flow *f)
{
	struct keys_creation *k = creation_of(f);
	struct listed_key row;
	enum flow_rc rc;
	json_t *json;
	struct buf b;

	key_made_row(&k->order, &k->made, &row);
	json = key_json(&row);
	buf_init(&b, ADMIN_BODY_MAX);
	buf_puts(&b, "{\"key\":");
	if (json == NULL || !json_put(&b, json))
		b.failed = true;
	buf_printf(&b, ",\"text\":%s%s%s}", k->req.is_dry_run ? "null" : "\"", k->made.text,
	    k->req.is_dry_run ? "" : "\"");
	rc = admin_respond(f, k->req.is_dry_run ? 200 : 201, &b);
	buf_wipe(&b);
	buf_free(&b);
	json_decref(json);
	return rc;
}

/* The audit names the key by its id, also one whose creation nobody has seen the end of. */
static void
creation_end(struct flow *f, const struct err *err)
{
	struct keys_creation *k = creation_of(f);
	struct listed_key row;

	if (admin_change_is_noted(&k->req)) {
		key_made_row(&k->order, &k->made, &row);
		admin_change_tell(&k->req, key_json(&row));
	}
	bytes_wipe(&k->made, sizeof(k->made));
	admin_end(&k->req, err);
}

void
keys_create_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct keys_creation), &creation_kind);
}
