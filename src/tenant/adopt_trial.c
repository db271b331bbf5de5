/* SPDX-License-Identifier: MIT */
/*
 * adopt_trial: whether a database that is to be adopted takes a login, can be a tenant's, and is
 * nobody else's. Nothing in it is changed by looking.
 */
#include "tenant/adopt.h"

#include <stdio.h>

#include "tenantgate/wire/pg_sql.h"

#define TRIAL_US (20 * 1000000ull)
#define LOOK_US	 (10 * 1000000ull)

static flow_step_fn trial_login, trial_look, trial_judge, trial_owner, trial_copy;
static flow_end_fn trial_end;

static const struct flow_step trial_steps[] = {
	{ "login", trial_login },
	{ "look", trial_look },
	{ "judge", trial_judge },
	{ "owner", trial_owner },
	{ "copy", trial_copy },
	{ NULL, NULL },
};

static const struct flow_kind trial_kind = { "adopt_trial", trial_steps, trial_end, NULL };

static enum flow_rc
trial_login(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);
	struct pool_target target;
	char key[TENANT_KEY_SIZE];

	tenant_target(&t->row->tenant, &target, key);
	return pg_connect(f, t->tenants->dns, &target.pg, TRIAL_US, &t->conn, &t->result);
}

enum flow_rc
adopt_login_refused(struct flow *f, const struct pg_result *why, const struct tenant *t)
{
	const struct pg_reason *reason = pg_reason(why);
	struct err err = { .retry_after = reason->retry_after };

	if (why->failure.is_forbidden)
		return flow_fail(f, ERR_FORBIDDEN,
		    "The database is not where this server may connect to: %s. Add its network to "
		    "allowed_networks, if that is meant.",
		    why->failure.message);
	err_set(&err, reason->code,
	    "The database takes no login by this address, role and password, or not by TLS as it "
	    "is to be: try them with psql, and sslmode=%s. The reason is in the log.",
	    t->sslmode_outside);
	err_cause(&err, "login of an adoption: %s", why->failure.message);
	return flow_fail_err(f, &err);
}

/* Each column of the look that is true is a reason to refuse. */
#define IS_OURS_UNMARKED 3
#define LOOK \
	"SELECT pg_catalog.to_regclass('public.api_keys') IS NOT NULL" \
	" AND pg_catalog.to_regclass('public.installation') IS NOT NULL," \
	" pg_catalog.pg_is_in_recovery()," \
	" NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions" \
	" WHERE name" PG_EQUALS "'vector')," \
	" pg_catalog.to_regclass('public.document') IS NOT NULL" \
	" AND pg_catalog.to_regclass('public.chunk') IS NOT NULL" \
	" AND pg_catalog.to_regclass('" OWNER_TABLE "') IS NULL," \
	" pg_catalog.to_regclass('" OWNER_TABLE "') IS NULL" \
	" AND NOT coalesce(pg_catalog.has_schema_privilege(" \
	"pg_catalog.to_regnamespace('public'), 'CREATE'), false)"

static const struct {
	enum err_code code;
	const char *detail;
} refusals[] = {
	{ ERR_CONFLICT,
	    "This is a main database of tenantgate's own, and can be no tenant's. Give the "
	    "tenant's "
	    "database." },
	{ ERR_CONFLICT,
	    "This server is a standby, and takes no writes. Give the primary's address." },
	{ ERR_CONFLICT, "This server has no extension pgvector. Install it there, and try again." },
	[IS_OURS_UNMARKED] = { ERR_CONFLICT,
	    "This database has a tenant's tables, and no mark of whose: an earlier build has laid "
	    "them. If no tenant has it, by whatever address, adopt it with ?takeOwnership=true." },
	{ ERR_FORBIDDEN,
	    "This role may create no tables in schema public of this database. Give it the "
	    "privilege, or another role." },
};

static enum flow_rc
trial_look(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);
	const struct pg_query q = { .sql = LOOK, .timeout_us = LOOK_US };

	if (t->conn == NULL)
		return adopt_login_refused(f, &t->result, &t->row->tenant);
	return pg_run(f, t->conn, &q, &t->result);
}

/* What a build before has laid is the tenant's by the catalog, or by an operator's word. */
static bool
trial_refuses(const struct adopt_trial *t, int column)
{
	const struct tenant_adoption *a = t->adoption;

	if (column == IS_OURS_UNMARKED && (a->was_ours || a->takes_ownership))
		return false;
	return pg_text(&t->result, 0, column)[0] == 't';
}

static enum flow_rc
trial_judge(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);
	enum flow_rc rc = pg_check(f, &t->result, ERR_NONE, "look at the database to be adopted");

	if (rc != FLOW_NEXT)
		return rc;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (trial_refuses(t, (int)i))
			return flow_fail(f, refusals[i].code, "%s", refusals[i].detail);
	}
	return FLOW_NEXT;
}

static void
trial_fill_owner(struct adopt_trial *t, bool is_look)
{
	t->owner = (struct owner_mark){
		.tenants = t->tenants,
		.conn = t->conn,
		.id = t->row->tenant.id,
		.is_look = is_look,
		.is_forced = t->adoption->takes_ownership,
		.is_operators = true,
	};
}

static enum flow_rc
trial_owner(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);

	trial_fill_owner(t, true);
	return owner_mark(f, &t->owner);
}

/* By writing to the other's database, so not in a dry run. */
static enum flow_rc
trial_copy(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);
	bool is_here = strcmp(t->owner.before_environment, t->tenants->conf->environment) == 0;

	if (!t->adoption->takes_ownership || t->adoption->is_dry_run || !is_here)
		return FLOW_DONE;
	return adopt_copy_check(f, &t->copy, t->tenants, &t->owner);
}

static void
trial_end(struct flow *f, const struct err *err)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);

	(void)err;
	pg_clear(&t->result);
}

enum flow_rc
adopt_try(struct flow *f, struct adopt_trial *t, struct tenants *ts, const struct tenant_row *row,
    const struct tenant_adoption *adoption, struct err *why)
{
	*t = (struct adopt_trial){ .tenants = ts, .row = row, .adoption = adoption };
	return flow_try(f, &t->flow, &trial_kind, why);
}

enum flow_rc
adopt_claim(struct flow *f, struct adopt_trial *t, struct err *why)
{
	trial_fill_owner(t, false);
	return owner_mark_or_tell(f, &t->owner, why);
}

void
adopt_trial_close(struct adopt_trial *t)
{
	pg_conn_close(t->conn);
	t->conn = NULL;
}
