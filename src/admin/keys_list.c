/* SPDX-License-Identifier: MIT */
/*
 * keys_list: GET /admin/keys and GET /admin/tenants/{tenant}/keys. A page of keys, newest first;
 * never a secret or its hash.
 */
#include "admin/admin_route.h"
#include "admin/key_cursor.h"
#include "tenantgate/base/json.h"

#define KEYS_LIMIT_DEFAULT 100

struct keys_listing {
	struct admin_request req; /* first */
	struct key_page page;	  /* its strings lie in the request */
	struct pg_result rows;	  /* owned */
};

static flow_step_fn keys_read, keys_ask, keys_respond;
static flow_end_fn keys_listing_end;

static const struct flow_step keys_listing_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "read", keys_read },
	{ "list", keys_ask },
	{ "respond", keys_respond },
	{ NULL, NULL },
};

static const struct flow_kind keys_listing_kind = { "admin_keys_list", keys_listing_steps,
	keys_listing_end, admin_release };

static struct keys_listing *
keys_listing_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct keys_listing, req.flow, &keys_listing_kind);
}

static bool
query_kind(struct keys_listing *l, struct err *err)
{
	enum caller_kind kind;

	if (!admin_query_string(&l->req, "kind", 16, &l->page.kind, err))
		return false;
	if (l->page.kind != NULL && !caller_kind_parse(l->page.kind, &kind))
		err_set(err, ERR_INVALID_FIELD,
		    "Parameter \"kind\" must be tenant, service or admin.");
	return !err_is(err);
}

static bool
query_tenant(struct keys_listing *l, struct err *err)
{
	if (!admin_query_string(&l->req, "tenant", TENANT_ID_MAX, &l->page.tenant, err))
		return false;
	if (l->page.tenant != NULL && !auth_tenant_valid(slice_str(l->page.tenant)))
		err_set(err, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes of [A-Za-z0-9._:@-]; correct the "
		    "parameter.",
		    TENANT_ID_MAX);
	if (l->req.tenant_id[0] != '\0')
		l->page.tenant = l->req.tenant_id;
	return !err_is(err);
}

static enum flow_rc
keys_read(struct flow *f)
{
	struct keys_listing *l = keys_listing_of(f);
	struct slice cursor;
	struct err err = { 0 };

	l->page.limit = KEYS_LIMIT_DEFAULT;
	if (!query_tenant(l, &err) || !query_kind(l, &err) ||
	    !admin_query_string(&l->req, "note", KEY_NOTE_MAX, &l->page.note_prefix, &err) ||
	    !admin_query_number(&l->req, "limit", 1, KEY_PAGE_MAX, &l->page.limit, &err) ||
	    !admin_query_text(&l->req, "cursor", KEY_CURSOR_MAX, &cursor, &err))
		return flow_fail_err(f, &err);
	if (cursor.p != NULL && !key_cursor_read(cursor, f->arena, &l->page))
		return flow_fail(f, ERR_INVALID_FIELD,
		    "The cursor is not one of ours; begin again without it.");
	return FLOW_NEXT;
}

static enum flow_rc
keys_ask(struct flow *f)
{
	struct keys_listing *l = keys_listing_of(f);

	return keys_list(f, l->req.api->catalog, &l->page, &l->rows);
}

static void
put_key(struct buf *b, const struct listed_key *k)
{
	json_t *json = key_json(k);

	if (json == NULL || !json_put(b, json))
		b->failed = true;
	json_decref(json);
}

/* The row past the limit only says that there is a next page. */
static void
put_keys(struct buf *b, const struct keys_listing *l)
{
	struct listed_key k, past;
	unsigned i;

	buf_puts(b, "{\"keys\":[");
	for (i = 0; i < l->page.limit && key_row(&l->rows, i, &k); i++) {
		buf_puts(b, i > 0 ? "," : "");
		put_key(b, &k);
	}
	buf_puts(b, "],\"next\":");
	if (key_row(&l->rows, i, &past)) {
		buf_puts(b, "\"");
		key_cursor_put(b, &k);
		buf_puts(b, "\"}");
	} else {
		buf_puts(b, "null}");
	}
}

static enum flow_rc
keys_respond(struct flow *f)
{
	struct keys_listing *l = keys_listing_of(f);
	enum flow_rc rc = catalog_check(f, &l->rows, "list keys");
	struct buf b;

	if (rc != FLOW_NEXT)
		return rc;
	buf_init(&b, ADMIN_JSON_MAX);
	put_keys(&b, l);
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
keys_listing_end(struct flow *f, const struct err *err)
{
	struct keys_listing *l = keys_listing_of(f);

	pg_clear(&l->rows);
	admin_end(&l->req, err);
}

void
keys_list_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct keys_listing), &keys_listing_kind);
}
