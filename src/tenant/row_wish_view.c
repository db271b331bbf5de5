/* SPDX-License-Identifier: MIT */
/*
 * row_wish_view: a tenant's row as its operator sees and changes it: one look, and one write that
 * holds only when the row is still the one that was looked at (xmin, the transaction that wrote
 * this version of it). So what was computed from it, and checked, is what is written.
 */
#include <stdlib.h>
#include <string.h>

#include "tenant/row.h"
#include "tenant/row_sql.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/base/json.h"
#include "tenantgate/tenant/wishes.h"

/* In this order in the statement. */
enum wish_column {
	WISH_VERSION,
	WISH_STATE,
	WISH_PROVIDER,
	WISH_PLAN,
	WISH_REGION,
	WISH_NAME,
	WISH_EMAIL,
	WISH_CREATED_AT,
	WISH_IS_DELETED,
	WISH_IS_BEGUN,
	WISH_IS_MADE,
	WISH_IS_PENDING,
	WISH_IS_LEFT,
	WISH_WAIT,
	WISH_ASKED,
	WISH_SETTINGS,
	WISH_WISHED,
	WISH_APPLIED,
	WISH_HELD,
	WISH_LAST_ERROR,
	WISH_NEON_ERROR,
};

#define SECONDS_UNTIL(column) \
	"coalesce(greatest(0, pg_catalog.ceil(extract(epoch FROM t." column PG_MINUS PG_NOW \
	"))), 0)::int"
#define IS_A_WISH "(t." IS_FAILED " AND t.attempts" PG_EQUALS "0)"

enum flow_rc
tenant_wish_look(struct flow *f, struct tenants *ts, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT t.xmin::pg_catalog.text,"
		       " CASE WHEN " IS_A_WISH " THEN 'provisioning' ELSE t.state END, t.provider,"
		       " t.plan, t.region, u.name, u.email,"
		       " pg_catalog.to_char(t.created_at AT TIME ZONE 'UTC',"
		       " 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),"
		       " t.deleted_at IS NOT NULL,"
		       " NOT (t." IS_FAILED " AND t.project_id IS NULL AND t.posted_at IS NULL),"
		       " t.project_id IS NOT NULL,"
		       " t.neon_wished" PG_DIFFERS
		       "t.neon_applied OR t.neon_held IS NOT NULL, " IS_A_WISH
		       " OR (t." IS_PROVISIONING " AND coalesce(t.lease_until" PG_BELOW PG_NOW
		       ", true)),"
		       " " SECONDS_UNTIL("not_before") ", " SECONDS_UNTIL(
			   "neon_asked_until") ","
					       " t.settings::pg_catalog.text, "
					       "t.neon_wished::pg_catalog.text,"
					       " t.neon_applied::pg_catalog.text, "
					       "t.neon_held::pg_catalog.text, t.last_error,"
					       " t.neon_error FROM public.tenants t LEFT JOIN "
					       "public.users u"
					       " ON u.user_id" PG_EQUALS
					       "t.tenant_id WHERE t.tenant_id" PG_EQUALS "$1",
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

static json_t *
wish_object(const struct pg_result *r, enum wish_column column, struct err *err)
{
	struct slice text = pg_value(r, 0, column);

	return text.p == NULL ? NULL : json_read_object(text, err);
}

static bool
is_true(const struct pg_result *r, enum wish_column column)
{
	return pg_text(r, 0, column)[0] == 't';
}

static int
wish_number(const struct pg_result *r, enum wish_column column)
{
	return (int)strtol(pg_text(r, 0, column), NULL, 10);
}

/* The details alone: a cause is for the log, where it stands too. */
static void
wish_read_errors(const struct pg_result *r, struct tenant_wish_view *out)
{
	struct err err = { 0 };

	if (strcmp(out->state, "failed") == 0) {
		row_error_read(pg_text(r, 0, WISH_LAST_ERROR), ERR_PROVISIONING,
		    "The tenant's database could not be made; look at its last error, then retry.",
		    &err);
		snprintf(out->reason, sizeof(out->reason), "%s", err.detail);
	}
	if (pg_value(r, 0, WISH_NEON_ERROR).p == NULL)
		return;
	row_error_read(pg_text(r, 0, WISH_NEON_ERROR), ERR_NEON,
	    "Neon did not do it; look at the log.", &err);
	snprintf(out->neon_error, sizeof(out->neon_error), "%s", err.detail);
	out->is_refused_by_neon = !out->is_pending;
}

bool
tenant_wish_read(const struct pg_result *r, struct tenant_wish_view *out, struct err *err)
{
	*out = (struct tenant_wish_view){ 0 };
	if (pg_rows(r) == 0)
		return false;
	*out = (struct tenant_wish_view){
		.version = pg_text(r, 0, WISH_VERSION),
		.state = pg_text(r, 0, WISH_STATE),
		.plan = pg_text(r, 0, WISH_PLAN),
		.region = pg_value(r, 0, WISH_REGION).p,
		.name = pg_value(r, 0, WISH_NAME).p,
		.email = pg_value(r, 0, WISH_EMAIL).p,
		.created_at = pg_text(r, 0, WISH_CREATED_AT),
		.is_neon = strcmp(pg_text(r, 0, WISH_PROVIDER), "neon") == 0,
		.is_deleted = is_true(r, WISH_IS_DELETED),
		.is_begun = is_true(r, WISH_IS_BEGUN),
		.is_made = is_true(r, WISH_IS_MADE),
		.is_left = is_true(r, WISH_IS_LEFT),
		.wait_s = wish_number(r, WISH_WAIT),
		.asked_s = wish_number(r, WISH_ASKED),
		.settings = wish_object(r, WISH_SETTINGS, err),
		.wished = wish_object(r, WISH_WISHED, err),
		.applied = wish_object(r, WISH_APPLIED, err),
		.held = wish_object(r, WISH_HELD, err),
	};
	out->is_pending = out->is_neon && is_true(r, WISH_IS_PENDING);
	wish_read_errors(r, out);
	return !err_is(err);
}

void
tenant_wish_view_free(struct tenant_wish_view *v)
{
	json_decref(v->settings);
	json_decref(v->wished);
	json_decref(v->applied);
	json_decref(v->held);
	v->settings = v->wished = v->applied = v->held = NULL;
}

/* A text of the flow's arena; NULL for a NULL object and without memory. */
static const char *
wish_text(struct flow *f, const json_t *object)
{
	struct buf b;
	const char *text = NULL;

	buf_init(&b, 2 * PLAN_SETTINGS_MAX);
	if (object != NULL && json_put(&b, object))
		text = arena_slice(f->arena, buf_view(&b));
	buf_free(&b);
	return text;
}

/* What was there when nothing was pending is what a refusal goes back to. A new wish is asked for
 * at once, whatever the last one had to wait for; by whoever has the lease, if somebody has. */
enum flow_rc
tenant_change_write(struct flow *f, struct tenants *ts, const char *id, const char *version,
    const struct tenant_wishes *w, struct pg_result *out)
{
	const char *settings = wish_text(f, w->settings), *wished = wish_text(f, w->wished);
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET plan = $3, region = $4,"
		       " settings = $5::pg_catalog.jsonb, neon_wished = $6::pg_catalog.jsonb,"
		       " neon_before = CASE WHEN t.neon_wished" PG_EQUALS "t.neon_applied"
		       " AND t.neon_held IS NULL THEN t.neon_applied ELSE t.neon_before END,"
		       " neon_held = $7::pg_catalog.jsonb, neon_error = NULL, neon_tries = 0,"
		       " neon_until = CASE WHEN t.neon_attempt IS NULL THEN NULL ELSE t.neon_until "
		       "END,"
		       " updated_at = " PG_NOW " WHERE t.tenant_id" PG_EQUALS
		       "$1 AND t.xmin::pg_catalog.text" PG_EQUALS "$2 RETURNING t.tenant_id",
		.params = { PG_TEXT(id), PG_TEXT(version), PG_TEXT(w->plan),
		    PG_TEXT(text_or_null(w->region)), PG_TEXT(settings), PG_TEXT(wished),
		    PG_TEXT(wish_text(f, w->held)) },
		.param_count = 7,
	};

	if (settings == NULL || wished == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's row");
	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

/* One statement, so that of the two rows both are written or none. A user without a tenant is of
 * the reference application: it gets its names where they were sent. */
enum flow_rc
tenant_create_write(struct flow *f, struct tenants *ts, const char *id,
    const struct tenant_wishes *w, const struct tenant_change_request *rq, struct pg_result *out)
{
	const char *settings = wish_text(f, w->settings), *wished = wish_text(f, w->wished);
	char *project = arena_alloc(f->arena, PROJECT_NAME_SIZE);
	struct pg_query q = {
		.sql = "WITH t AS (INSERT INTO public.tenants (tenant_id, provider, project_name,"
		       " state, plan, region, settings, neon_wished) VALUES ($1, $2, $3, 'failed',"
		       " $4, $5, $6::pg_catalog.jsonb, $7::pg_catalog.jsonb)"
		       " ON CONFLICT (tenant_id) DO NOTHING RETURNING tenant_id)"
		       " INSERT INTO public.users AS u (user_id, name, email)"
		       " SELECT t.tenant_id, $8::pg_catalog.text, $9::pg_catalog.text FROM t ON "
		       "CONFLICT (user_id) DO UPDATE SET"
		       " name = coalesce(excluded.name, u.name),"
		       " email = coalesce(excluded.email, u.email) RETURNING user_id",
		.params = { PG_TEXT(id), PG_TEXT(tenants_provider_name(ts)), PG_TEXT(project),
		    PG_TEXT(w->plan), PG_TEXT(text_or_null(w->region)), PG_TEXT(settings),
		    PG_TEXT(wished), PG_TEXT(rq->name), PG_TEXT(rq->email) },
		.param_count = 9,
	};

	if (settings == NULL || wished == NULL || project == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's row");
	name_project(project, ts->conf->environment, id);
	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}

/* With no attempts it is a wish again (row_profile.c): who waits for another's attempt does not
 * take this one's failure for its own. */
enum flow_rc
tenant_retry_write(struct flow *f, struct tenants *ts, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants t SET"
		       " attempts = CASE WHEN t." IS_FAILED " THEN 0 ELSE t.attempts END,"
		       " refusals = CASE WHEN t." IS_FAILED " THEN 0 ELSE t.refusals END,"
		       " not_before = CASE WHEN t." IS_FAILED " AND NOT coalesce("
		       "t.neon_asked_until" PG_ABOVE PG_NOW ", false) THEN NULL"
		       " ELSE t.not_before END,"
		       " neon_until = CASE WHEN t.neon_attempt IS NULL THEN NULL"
		       " ELSE t.neon_until END, updated_at = " PG_NOW " WHERE t.tenant_id" PG_EQUALS
		       "$1 RETURNING t.tenant_id",
		.params = { PG_TEXT(id) },
		.param_count = 1,
	};

	return catalog_run(f, ts->catalog, CATALOG_TENANTS, slice_str(id), &q, out);
}
