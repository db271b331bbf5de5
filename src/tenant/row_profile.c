/* SPDX-License-Identifier: MIT */
/*
 * row_profile: what an application says of its tenants, in public.users and public.tenants, and
 * how a database is begun for one that nobody waits for.
 *
 *	(none) --save--> [failed, no attempts] --claim--> provisioning (row.c)
 *
 * A row without attempts is the wish alone, and a failed one becomes it again when the wish is said
 * again. To whoever provisions it is one of a failed attempt, which the next contact goes on with,
 * in whatever process: so nothing more is needed for the database to be made once, and an earlier
 * release does it too. Whoever waits for another's attempt and finds it failed must tell the two
 * apart (acquire.c): the wish may be newer.
 */
#include <stdio.h>

#include "tenant/provision.h"
#include "tenant/row.h"
#include "tenant/row_sql.h"

/* In this order in both statements. */
enum profile_column {
	NAME,
	EMAIL,
	AVATAR_URL,
	PLAN,
	REGION,
	STATE,
	CREATED_AT,
	IS_LEFT,
	LAST_ERROR,
	PLAN_BEFORE,
};

/* Of a tenant `t` and its user `u`. A wish is 'provisioning' to whoever asks. Left: nobody is at
 * it, as far as the row knows. */
#define PROFILE_COLUMNS \
	"u.name, u.email, u.avatar_url, t.plan, t.region," \
	" CASE WHEN t." IS_FAILED " AND t.attempts" PG_EQUALS "0 THEN 'provisioning'" \
	" ELSE t.state END," \
	" pg_catalog.to_char(t.created_at AT TIME ZONE 'UTC', " \
	"'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')," \
	" (t." IS_FAILED " AND t.attempts" PG_EQUALS "0) OR (t." IS_PROVISIONING \
	" AND coalesce(t.lease_until" PG_BELOW PG_NOW ", true)), t.last_error"

/* Nothing has been asked of the provider, so where it will be asked for may still change. */
#define IS_NOT_BEGUN "t." IS_FAILED " AND t.project_id IS NULL AND t.posted_at IS NULL"

/*
 * One statement, so that of the two rows both are written or none. Where the region may not change
 * nothing does, and no row comes back. $6 is the configured region, which goes for none: a flag
 * ($7, $8, $12 to $14) says that a field is set, to nothing perhaps.
 */
static const char save_profile[] =
    "WITH t AS (INSERT INTO public.tenants AS t"
    " (tenant_id, provider, project_name, state, plan, region)"
    " VALUES ($1, $2, $3, 'failed', coalesce($4, ''), coalesce($5, $6))"
    " ON CONFLICT (tenant_id) DO UPDATE SET"
    " plan = CASE WHEN $7::boolean THEN excluded.plan ELSE t.plan END,"
    " region = CASE WHEN $8::boolean THEN excluded.region ELSE t.region END,"
    " attempts = CASE WHEN t." IS_FAILED " THEN 0 ELSE t.attempts END,"
    " updated_at = " PG_NOW " WHERE t.deleted_at IS NULL AND (NOT $8::boolean"
    " OR coalesce(t.region, '')" PG_EQUALS "coalesce(excluded.region, '')"
    " OR (" IS_NOT_BEGUN ")) RETURNING t.*),"
    " u AS (INSERT INTO public.users AS u (user_id, name, email, avatar_url)"
    " SELECT t.tenant_id, $9::pg_catalog.text, $10::pg_catalog.text, $11::pg_catalog.text FROM t "
    "ON CONFLICT (user_id) DO UPDATE SET"
    " name = CASE WHEN $12::boolean THEN excluded.name ELSE u.name END,"
    " email = CASE WHEN $13::boolean THEN excluded.email ELSE u.email END,"
    " avatar_url = CASE WHEN $14::boolean THEN excluded.avatar_url ELSE u.avatar_url END"
    " RETURNING u.*)"
    " SELECT " PROFILE_COLUMNS ", coalesce((SELECT o.plan FROM public.tenants o"
    " WHERE o.tenant_id" PG_EQUALS "$1), '') FROM t CROSS JOIN u";

#define FLAG(change, field) PG_TEXT((change)->is_set[field] ? "t" : "f")

enum flow_rc
tenant_save(struct flow *f, struct tenants *ts, const char *id, const struct tenant_change *c,
    struct pg_result *out)
{
	bool is_neon = ts->conf->provider == PROVIDER_NEON;
	char *project = arena_alloc(f->arena, PROJECT_NAME_SIZE);
	struct pg_query q = {
		.sql = save_profile,
		.params = { PG_TEXT(id), PG_TEXT(tenants_provider_name(ts)), PG_TEXT(project),
		    PG_TEXT(c->text[TENANT_PLAN]), PG_TEXT(c->text[TENANT_REGION]),
		    PG_TEXT(is_neon ? ts->conf->neon_region : NULL), FLAG(c, TENANT_PLAN),
		    FLAG(c, TENANT_REGION), PG_TEXT(c->text[TENANT_NAME]),
		    PG_TEXT(c->text[TENANT_EMAIL]), PG_TEXT(c->text[TENANT_AVATAR_URL]),
		    FLAG(c, TENANT_NAME), FLAG(c, TENANT_EMAIL), FLAG(c, TENANT_AVATAR_URL) },
		.param_count = 14,
	};

	if (project == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's row");
	name_project(project, ts->conf->environment, id);
	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

enum flow_rc
tenant_describe(struct flow *f, struct tenants *ts, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT " PROFILE_COLUMNS ", t.plan FROM public.tenants t"
		       " JOIN public.users u ON u.user_id" PG_EQUALS "t.tenant_id"
		       " WHERE t.tenant_id" PG_EQUALS "$1",
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

/* What stands in the row for operators is not for the application: the detail alone. */
static void
read_reason(const struct pg_result *r, struct tenant_profile *out)
{
	struct err err = { 0 };

	if (strcmp(out->state, "failed") != 0)
		return;
	row_error_read(pg_text(r, 0, LAST_ERROR), ERR_PROVISIONING,
	    "The tenant's database could not be made; a request of the tenant tries again.", &err);
	snprintf(out->reason, sizeof(out->reason), "%s", err.detail);
}

bool
tenant_profile_read(const struct pg_result *r, struct tenant_profile *out)
{
	if (pg_rows(r) == 0)
		return false;
	*out = (struct tenant_profile){ .name = pg_value(r, 0, NAME).p,
		.email = pg_value(r, 0, EMAIL).p,
		.avatar_url = pg_value(r, 0, AVATAR_URL).p,
		.plan = pg_text(r, 0, PLAN),
		.region = pg_value(r, 0, REGION).p,
		.state = pg_text(r, 0, STATE),
		.created_at = pg_text(r, 0, CREATED_AT),
		.is_left = pg_text(r, 0, IS_LEFT)[0] == 't',
		.is_plan_new = strcmp(pg_text(r, 0, PLAN), pg_text(r, 0, PLAN_BEFORE)) != 0 };
	read_reason(r, out);
	return true;
}

/* Either the row has changed, or it is the record at hand that was behind. A tenant that nobody
 * knew is told of too: it may have been looked for, and is refused where none is made unasked. */
void
tenant_saved(struct tenants *ts, const struct tenant *cached, const struct tenant_profile *now)
{
	if (now->is_plan_new || strcmp(cached->plan, now->plan) != 0 ||
	    cached->state == TENANT_UNKNOWN)
		tenant_forget(ts, cached->id);
}

bool
tenant_plan_is_known(const struct tenants *ts, const char *name)
{
	const struct plans *plans = &ts->conf->plans;

	for (unsigned i = 0; i < plans->count; i++)
		if (strcmp(plans->items[i].name, name) == 0)
			return true;
	return plans->count == 0;
}
