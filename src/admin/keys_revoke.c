/* SPDX-License-Identifier: MIT */
/*
 * keys_revoke: DELETE /admin/keys/{id}. Again: the same answer, and the replicas are told again,
 * for who was killed in between has not told them.
 *
 *	[find] --> [revoke] --> [tell] --> [respond]
 *	   |                                  ^
 *	   +--- a dry run --------------------+
 *
 * What is under way with the key goes on to its end, a stream too; its next request is refused.
 */
#include "admin/admin_route.h"
#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/base/json.h"

struct keys_revocation {
	struct admin_request req; /* first */
	const char *id;		  /* arena */
	struct pg_result found;	  /* owned: as it was */
	struct pg_result revoked; /* owned: as it is */
	struct redis_reply told;  /* owned */
};

static flow_step_fn revocation_find, revocation_revoke, revocation_tell, revocation_respond;
static flow_end_fn revocation_end;

static const struct flow_step revocation_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "find", revocation_find },
	{ "revoke", revocation_revoke },
	{ "tell", revocation_tell },
	{ "respond", revocation_respond },
	{ NULL, NULL },
};

static const struct flow_kind revocation_kind = { "admin_keys_revoke", revocation_steps,
	revocation_end, admin_release };

static struct keys_revocation *
revocation_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct keys_revocation, req.flow, &revocation_kind);
}

static enum flow_rc
revocation_find(struct flow *f)
{
	struct keys_revocation *r = revocation_of(f);
	struct slice id = http_path_param(&r->req.params, "id", f->arena);

	if (id.p == NULL || !key_id_valid(id))
		return flow_fail(f, ERR_INVALID_FIELD,
		    "A key's id is the 12 letters and digits between \"tg_\" and the next \"_\"; "
		    "correct the path.");
	r->id = arena_slice(f->arena, id);
	if (r->id == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the path");
	return key_describe(f, r->req.api->catalog, r->id, &r->found);
}

/* One that was revoked before is no change. */
static void
revocation_note(struct keys_revocation *r)
{
	struct listed_key before, after;

	(void)key_row(&r->found, 0, &before);
	if (strcmp(before.state, "revoked") == 0) {
		admin_change_nothing(&r->req);
		return;
	}
	after = before;
	after.state = "revoked";
	admin_change_begin(&r->req, before.tenant, key_json(&before), key_json(&after));
}

static enum flow_rc
revocation_revoke(struct flow *f)
{
	struct keys_revocation *r = revocation_of(f);
	enum flow_rc rc = catalog_check(f, &r->found, "find a key");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&r->found) == 0)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no key %s; GET /admin/keys has those that there are.", r->id);
	if (r->req.is_dry_run)
		return flow_goto(f, revocation_respond);
	revocation_note(r);
	return key_revoke(f, r->req.api->catalog, r->id, &r->revoked);
}

static enum flow_rc
revocation_tell(struct flow *f)
{
	struct keys_revocation *r = revocation_of(f);
	enum flow_rc rc = admin_change_check(f, &r->revoked, "revoke a key");
	struct listed_key after;

	if (rc != FLOW_NEXT)
		return rc;
	if (key_row(&r->revoked, 0, &after))
		admin_change_tell(&r->req, key_json(&after));
	else
		admin_change_missed(&r->req, &r->revoked);
	auth_forget(r->req.api->auth, r->id);
	return auth_told(f, r->req.api->auth, &r->told);
}

/* The others go by their record for as long as they keep one. */
static json_t *
revocation_effect(const struct keys_revocation *r)
{
	uint64_t ttl_us = auth_cache_ttl_us(r->req.api->auth);

	if (r->told.status == REDIS_OK || ttl_us == 0)
		return json_string("now");
	return json_sprintf("within %llus", (unsigned long long)((ttl_us + 999999) / 1000000));
}

static enum flow_rc
revocation_respond(struct flow *f)
{
	struct keys_revocation *r = revocation_of(f);
	const struct pg_result *now = r->req.is_dry_run ? &r->found : &r->revoked;
	struct listed_key after;

	/* A key that is deleted by hand in this moment is as good as revoked. */
	if (!key_row(now, 0, &after))
		return flow_fail(f, ERR_NOT_FOUND, "The key %s is gone; it lets nobody in.", r->id);
	return admin_respond_json(f, 200,
	    json_pack("{s:o, s:o}", "key", key_json(&after), "effective", revocation_effect(r)));
}

static void
revocation_end(struct flow *f, const struct err *err)
{
	struct keys_revocation *r = revocation_of(f);

	pg_clear(&r->found);
	pg_clear(&r->revoked);
	redis_clear(&r->told);
	admin_end(&r->req, err);
}

void
keys_revoke_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct keys_revocation), &revocation_kind);
}
