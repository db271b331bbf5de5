/* SPDX-License-Identifier: MIT */
/*
 * row: the SQL on public.tenants that provisioning runs.
 *
 *	(none) --claim--> provisioning --ready--> ready
 *	                     |    ^ \__ renew, mark_posted, save
 *	                    fail  claim
 *	                     v    |
 *	                     failed
 *
 * Times are the database's: leases and the age of a creation are compared with now() there, never
 * with a replica's clock. Suspending a tenant is the operator's business, not this file's.
 */
#include "tenant/row.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenant/row_sql.h"
#include "tenant/tenant_record.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/secret.h"

/* The order of ROW_COLUMNS (row_sql.h). */
enum row_column {
	COL_STATE,
	COL_PLAN,
	COL_RPM,
	COL_HOST,
	COL_PORT,
	COL_DBNAME,
	COL_USER,
	COL_SEALED,
	COL_SSLMODE,
	COL_PROJECT_NAME,
	COL_PROJECT_ID,
	COL_ENDPOINT_ID,
	COL_BRANCH_ID,
	COL_ATTEMPT_ID,
	COL_ATTEMPTS,
	COL_EXPIRED,
	COL_POSTED,
	COL_REFUSALS,
	COL_WAIT,
	COL_LAST_ERROR,
	COL_PROVIDER,
	COL_SCHEMA_VERSION,
	COL_NEON_WISHED,
	COL_READ_AT,
	COL_REGION,
	COL_SETTINGS,
	COL_DELETED,
	COL_BINDING,
	COL_TOKEN_GENERATION,
};

void
row_seal_context(char out[TENANT_KEY_SIZE], const char *id)
{
	snprintf(out, TENANT_KEY_SIZE, "tenant:%s", mutated(MUTATION_ROW_SEAL, id));
}

/* The tenant's id is authenticated with the password: copied to another tenant's row, it does not
 * open. */
bool
row_seal(const struct seal *seal, const struct tenant *t, struct buf *out)
{
	char context[TENANT_KEY_SIZE];

	row_seal_context(context, t->id);
	buf_reset(out);
	return seal_encrypt(seal, slice_str(t->password), slice_str(context), out);
}

bool
row_is_complete(const struct tenant_row *r)
{
	const struct tenant *t = &r->tenant;

	return r->project_id[0] != '\0' && t->host[0] != '\0' && t->port != 0 &&
	    t->dbname[0] != '\0' && t->user[0] != '\0' && t->password[0] != '\0';
}

static const struct {
	const char *name;
	enum tenant_state state;
} states[] = {
	{ "provisioning", TENANT_PROVISIONING },
	{ "failed", TENANT_FAILED },
	{ "ready", TENANT_READY },
	{ "suspended", TENANT_SUSPENDED },
};

static bool
state_parse(const char *name, enum tenant_state *out)
{
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(states[i].name, name) == 0) {
			*out = states[i].state;
			return true;
		}
	}
	return false;
}

/* False when it does not fit: tenantgate has not written that. NULL reads as "". */
static bool
column_text(char *out, size_t size, const struct pg_result *r, enum row_column col)
{
	struct slice v = pg_value(r, 0, col);

	if (v.len >= size)
		return false;
	snprintf(out, size, "%.*s", SLICE_ARG(v));
	return true;
}

static int
column_int(const struct pg_result *r, enum row_column col, int absent)
{
	struct slice v = pg_value(r, 0, col);

	return v.p == NULL ? absent : (int)strtol(v.p, NULL, 10);
}

/* True with no password at all: the row is of a tenant that has no database yet. */
static bool
column_password(struct tenant *t, const struct pg_result *r, const struct seal *seal)
{
	struct slice sealed = pg_value(r, 0, COL_SEALED);
	char context[TENANT_KEY_SIZE];
	struct buf plain;
	bool fine;

	if (sealed.p == NULL)
		return true;
	row_seal_context(context, t->id);
	buf_init(&plain, sizeof(t->password) - 1);
	fine = seal_decrypt(seal, sealed, slice_str(context), &plain);
	if (fine && plain.len > 0)
		memcpy(t->password, plain.data, plain.len + 1);
	buf_wipe(&plain);
	return fine;
}

/* Of those that are too long, nothing holds: half a text is no JSON. */
static void
column_settings(struct tenant_row *out, const struct pg_result *r)
{
	if (column_text(out->settings, sizeof(out->settings), r, COL_SETTINGS))
		return;
	out->settings[0] = '\0';
	log_event(LOG_WARNING, "plan.settings", NULL,
	    "The settings of tenant %s are longer than %d bytes, and none of them holds. Shorten "
	    "public.tenants.settings.",
	    out->tenant.id, PLAN_SETTINGS_MAX);
}

static bool
column_texts(struct tenant_row *out, const struct pg_result *r)
{
	struct tenant *t = &out->tenant;

	return column_text(t->plan, sizeof(t->plan), r, COL_PLAN) &&
	    column_text(t->host, sizeof(t->host), r, COL_HOST) &&
	    column_text(t->dbname, sizeof(t->dbname), r, COL_DBNAME) &&
	    column_text(t->user, sizeof(t->user), r, COL_USER) &&
	    column_text(t->sslmode, sizeof(t->sslmode), r, COL_SSLMODE) &&
	    column_text(t->channel_binding, sizeof(t->channel_binding), r, COL_BINDING) &&
	    column_text(out->project_name, sizeof(out->project_name), r, COL_PROJECT_NAME) &&
	    column_text(out->project_id, sizeof(out->project_id), r, COL_PROJECT_ID) &&
	    column_text(out->endpoint_id, sizeof(out->endpoint_id), r, COL_ENDPOINT_ID) &&
	    column_text(out->branch_id, sizeof(out->branch_id), r, COL_BRANCH_ID) &&
	    column_text(out->region, sizeof(out->region), r, COL_REGION) &&
	    column_text(out->neon_wished, sizeof(out->neon_wished), r, COL_NEON_WISHED) &&
	    column_text(out->read_at_ms, sizeof(out->read_at_ms), r, COL_READ_AT) &&
	    column_text(out->attempt_id, sizeof(out->attempt_id), r, COL_ATTEMPT_ID);
}

bool
row_read(const struct pg_result *r, const char *id, const struct seal *seal, struct tenant_row *out,
    struct err *err)
{
	struct tenant *t = &out->tenant;

	memset(out, 0, sizeof(*out));
	snprintf(t->id, sizeof(t->id), "%s", id);
	if (!state_parse(pg_text(r, 0, COL_STATE), &t->state) ||
	    !provider_parse(pg_text(r, 0, COL_PROVIDER), &t->provider) || !column_texts(out, r)) {
		err_set(err, ERR_INTERNAL,
		    "The tenant's row in the catalog cannot be read. The operator should look at "
		    "public.tenants, and whether a newer tenantgate has written it.");
		return false;
	}
	if (pg_text(r, 0, COL_DELETED)[0] == 't')
		t->state = TENANT_DELETED;
	t->requests_per_minute = (unsigned)column_int(r, COL_RPM, 0);
	column_settings(out, r);
	t->port = (uint16_t)column_int(r, COL_PORT, 0);
	t->schema_version = column_int(r, COL_SCHEMA_VERSION, 0);
	t->token_generation = strtoull(pg_text(r, 0, COL_TOKEN_GENERATION), NULL, 10);
	out->attempts = column_int(r, COL_ATTEMPTS, 0);
	out->posted_ago_s = column_int(r, COL_POSTED, 0);
	out->is_posted = pg_value(r, 0, COL_POSTED).p != NULL;
	out->refusals = column_int(r, COL_REFUSALS, 0);
	out->wait_s = column_int(r, COL_WAIT, 0);
	snprintf(out->last_error, sizeof(out->last_error), "%.*s",
	    SLICE_ARG(pg_value(r, 0, COL_LAST_ERROR)));
	out->lease_expired = pg_text(r, 0, COL_EXPIRED)[0] == 't';
	if (!column_password(t, r, seal)) {
		err_set(err, ERR_INTERNAL,
		    "The tenant's password was sealed with another key. The operator should add "
		    "the old key to seal_keys.");
		return false;
	}
	if (t->state == TENANT_READY && !row_is_complete(out)) {
		err_set(err, ERR_INTERNAL,
		    "The tenant's row in the catalog is ready but has no address or password. The "
		    "operator should set its state to 'failed'; the next request repairs it.");
		return false;
	}
	return true;
}

enum flow_rc
row_select(struct flow *f, struct catalog *c, const char *id, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT " ROW_COLUMNS " FROM public.tenants" OF_TENANT,
		.params = { PG_TEXT(mutated(MUTATION_ROW, id)) },
		.param_count = 1,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}

/*
 * One statement decides between all workers and replicas: of two inserts Postgres lets one in,
 * and of two updates the second waits for the first and then sees its lease. Our own attempt id
 * passes too: when the answer to the first try was lost, the repeated one must not lock us out.
 * provider and region stay as they were first written, and project_name once there is a project: a
 * row is never moved because the configuration has changed.
 */
enum flow_rc
row_claim(struct flow *f, struct catalog *c, const struct row_claim *claim, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "WITH u AS (INSERT INTO public.users (user_id) VALUES ($1) "
		       "ON CONFLICT (user_id) DO NOTHING) "
		       "INSERT INTO public.tenants AS t (tenant_id, attempt_id, provider, region, "
		       "project_name, lease_until, state, attempts) VALUES ($1, $2, $3, $4, "
		       "$5, " PG_NOW PG_PLUS "($6::int" PG_TIMES "interval '1 millisecond'), "
		       "'provisioning', 1) "
		       "ON CONFLICT (tenant_id) DO UPDATE SET state = 'provisioning', "
		       "attempt_id = excluded.attempt_id, lease_until = excluded.lease_until, "
		       "attempts = t.attempts" PG_PLUS "1, updated_at = " PG_NOW ", "
		       "project_name = CASE WHEN t.project_id IS NULL THEN excluded.project_name "
		       "ELSE t.project_name END "
		       "WHERE (t." IS_FAILED " AND "
		       "coalesce(t.not_before" PG_AT_MOST PG_NOW ", true)) "
		       "OR (t." IS_PROVISIONING " AND "
		       "(coalesce(t.lease_until" PG_BELOW PG_NOW ", true) "
		       "OR t.attempt_id" PG_EQUALS "excluded.attempt_id)) "
		       "RETURNING " ROW_COLUMNS,
		.params = { PG_TEXT(claim->id), PG_TEXT(claim->attempt), PG_TEXT(claim->provider),
		    PG_TEXT(claim->region), PG_TEXT(claim->project_name),
		    PG_TEXT(claim->lease_ms) },
		.param_count = 6,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(claim->id), &q, out);
}

enum flow_rc
row_renew(struct flow *f, struct catalog *c, const struct row_claim *claim, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET "
		       "lease_until = " PG_NOW PG_PLUS "($3::int" PG_TIMES
		       "interval '1 millisecond')" OF_ATTEMPT,
		.params = { PG_TEXT(claim->id), PG_TEXT(claim->attempt), PG_TEXT(claim->lease_ms) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(claim->id), &q, out);
}

enum flow_rc
row_mark_posted(struct flow *f, struct catalog *c, const char *id, const char *attempt,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET posted_at = " PG_NOW ", "
		       "updated_at = " PG_NOW OF_ATTEMPT,
		.params = { PG_TEXT(id), PG_TEXT(attempt) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}

static const char *
neon_wished(const struct tenant_row *r)
{
	return r->neon_wished[0] != '\0' ? r->neon_wished : "{}";
}

/* A project that was made has what was wished of it when its row was read (is_new); of one that was
 * found nobody knows.
 * public.vector_databases is the reference application's table, kept in step in the same
 * statement. */
enum flow_rc
row_save(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *port,
    const char *sealed, struct pg_result *out)
{
	const struct tenant *t = &r->tenant;
	struct pg_query q = {
		.sql =
		    "WITH t AS (UPDATE public.tenants SET project_id = $3, endpoint_id = $4, "
		    "branch_id = $5, db_host = $6, db_port = $7::int, db_name = $8, db_user = $9, "
		    "db_password_sealed = $10, db_sslmode = $11, project_name = $12, "
		    "neon_applied = CASE WHEN $13::boolean THEN $14::pg_catalog.jsonb "
		    "ELSE neon_applied END, "
		    "posted_at = NULL, updated_at = " PG_NOW OF_ATTEMPT
		    " RETURNING project_id, tenant_id) "
		    "INSERT INTO public.vector_databases (vector_db_id, user_id) "
		    "SELECT project_id, tenant_id FROM t ON CONFLICT (user_id) "
		    "DO UPDATE SET vector_db_id = excluded.vector_db_id",
		.params = { PG_TEXT(t->id), PG_TEXT(r->attempt_id), PG_TEXT(r->project_id),
		    PG_TEXT(text_or_null(r->endpoint_id)), PG_TEXT(text_or_null(r->branch_id)),
		    PG_TEXT(t->host), PG_TEXT(port), PG_TEXT(t->dbname), PG_TEXT(t->user),
		    PG_TEXT(sealed), PG_TEXT(t->sslmode), PG_TEXT(r->project_name),
		    PG_TEXT(r->is_new ? "t" : "f"), PG_TEXT(neon_wished(r)) },
		.param_count = 14,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(t->id), &q, out);
}

enum flow_rc
row_tell(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *what,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET last_error = $3, updated_at = " PG_NOW OF_ATTEMPT,
		.params = { PG_TEXT(r->tenant.id), PG_TEXT(r->attempt_id), PG_TEXT(what) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(r->tenant.id), &q, out);
}
