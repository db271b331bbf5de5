/* SPDX-License-Identifier: MIT */
/*
 * owner_mark: how a database is claimed.
 *
 *	[read] --> [judge] --> another's: [named] --> it has its database: conflict
 *	   ^          |                      |
 *	   |          +- no table: [make] --> [made] --> [claim] --> [claimed]: done
 *	   |          +- nobody's, ours -----------------^              |
 *	   +----------------------- somebody came in between -----------+
 *
 * What always holds:
 *  - A claim is one statement, and has a token of its own. Who takes over another's mark names the
 *    token that was seen: whoever claims in between, be it for the same tenant, changes it, and the
 *    other looks again. So a mark that was taken for a dead one is not taken from a tenant that has
 *    been given the database since.
 *  - Each claims after its row has the address. Of two tenants whose rows do, the one whose mark it
 *    is has the database; the other's attempts fail before they have laid or read anything.
 *  - A mark that was taken away leaves its table. Where our tables are without this one, a build of
 *    before has made them, and nobody knows for whom (adopt_trial.c).
 */
#include "tenant/owner_mark.h"

#include <stdio.h>

#include "tenantgate/base/mutation.h"
#include "tenantgate/base/random.h"
#include "tenantgate/wire/pg_sql.h"

#define MARK_US	   (10 * 1000000ull) /* a statement */
#define ROUNDS_MAX 8

#define UNDEFINED_TABLE	       "42P01"
#define INSUFFICIENT_PRIVILEGE "42501"
#define UNIQUE_VIOLATION       "23505"
#define DUPLICATE_TABLE	       "42P07"

static flow_step_fn mark_read, mark_judge, mark_named, mark_make, mark_made, mark_claim,
    mark_claimed;
static flow_end_fn mark_end;

static const struct flow_step owner_mark_steps[] = {
	{ "read", mark_read },
	{ "judge", mark_judge },
	{ "named", mark_named },
	{ "make", mark_make },
	{ "made", mark_made },
	{ "claim", mark_claim },
	{ "claimed", mark_claimed },
	{ NULL, NULL },
};

static const struct flow_kind owner_mark_kind = { "owner_mark", owner_mark_steps, mark_end, NULL };

static struct owner_mark *
owner_mark_of(struct flow *f)
{
	return FLOW_OF(f, struct owner_mark, &owner_mark_kind);
}

static enum flow_rc
mark_run(struct owner_mark *m, const struct pg_query *q)
{
	pg_clear(&m->result);
	return pg_run(&m->flow, m->conn, q, &m->result);
}

static bool
mark_failed_by(const struct owner_mark *m, const char *sqlstate)
{
	return m->result.status == PG_SQL_ERROR &&
	    strcmp(m->result.failure.sqlstate, sqlstate) == 0;
}

static enum flow_rc
mark_check(struct owner_mark *m)
{
	if (m->is_operators && mark_failed_by(m, INSUFFICIENT_PRIVILEGE))
		return flow_fail(&m->flow, ERR_FORBIDDEN,
		    "This role may not see or set whose the database is: let it create tables in "
		    "schema public, and select, insert, update and delete in " OWNER_TABLE
		    ", where that is another role's.");
	return pg_check(&m->flow, &m->result, pg_reason(&m->result)->code,
	    "Looking whose the database is, or writing it down, failed");
}

/* ---- whose it is ---- */

/* Whoever may write to that database has written it: no longer than ours are. */
static enum flow_rc
mark_read(struct flow *f)
{
	struct owner_mark *m = owner_mark_of(f);
	const struct pg_query q = {
		.sql = "SELECT pg_catalog.left(environment, 128), pg_catalog.left(tenant_id, 256),"
		       " pg_catalog.left(token, 64) FROM " OWNER_TABLE " LIMIT 1",
		.timeout_us = MARK_US,
	};

	m->seen[0] = m->before_environment[0] = m->before_tenant[0] = '\0';
	if (m->rounds++ >= ROUNDS_MAX)
		return flow_fail(f, ERR_DATABASE,
		    "The database does not keep whose it is: look at " OWNER_TABLE " there.");
	return mark_run(m, &q);
}

static enum flow_rc
mark_free(struct owner_mark *m, flow_step_fn *next)
{
	return m->is_look ? FLOW_DONE : flow_goto(&m->flow, next);
}

/* Whoever may write to the database may have written anything: what is no plain name is not shown.
 */
static void
mark_keep(struct owner_mark *m, struct slice environment, struct slice tenant)
{
	bool is_here = slice_is(environment, m->tenants->conf->environment);

	snprintf(m->before_environment, sizeof(m->before_environment), "%.*s",
	    SLICE_ARG(is_here || name_tenant(environment) ? environment : SLICE_LIT("?")));
	snprintf(m->before_tenant, sizeof(m->before_tenant), "%.*s",
	    SLICE_ARG(name_tenant(tenant) ? tenant : SLICE_LIT("?")));
}

static enum flow_rc
mark_is_anothers(struct owner_mark *m)
{
	struct err err = { 0 };

	if (m->is_operators)
		return flow_fail(&m->flow, ERR_CONFLICT,
		    "The database says that it is tenant %.40s's of environment %.30s. Delete that "
		    "one there first; or, if this is a copy of its database, adopt it with "
		    "?takeOwnership=true.",
		    m->before_tenant, m->before_environment);
	err_set(&err, ERR_DATABASE,
	    "The tenant's database says that it is another tenant's, and is not used. The operator "
	    "should look at it.");
	err_cause(&err,
	    "its " OWNER_TABLE " names tenant %.40s of environment %.30s: the same adoption again "
	    "lets go of it; or, is it a copy, run there: DELETE FROM " OWNER_TABLE,
	    m->before_tenant, m->before_environment);
	return flow_fail_err(&m->flow, &err);
}

/* Another environment's tenants are in a catalog that is not ours to read. */
static enum flow_rc
mark_judge_row(struct owner_mark *m)
{
	const char *here = m->tenants->conf->environment;
	struct slice environment = pg_value(&m->result, 0, 0), tenant = pg_value(&m->result, 0, 1);
	bool is_here = slice_is(environment, here);
	struct pg_query q = {
		.sql = "SELECT 1 FROM public.tenants WHERE tenant_id" PG_EQUALS "$1"
		       " AND project_id IS NOT NULL",
		.param_count = 1,
	};

	if (is_here && slice_is(tenant, mutated(MUTATION_OWNER_MARK, m->id)))
		return mark_free(m, mark_claim);
	snprintf(m->seen, sizeof(m->seen), "%s", pg_text(&m->result, 0, 2));
	mark_keep(m, environment, tenant);
	if (m->is_forced)
		return mark_free(m, mark_claim);
	if (!is_here || m->before_tenant[0] == '?')
		return mark_is_anothers(m);
	q.params[0] = PG_TEXT(m->before_tenant);
	pg_clear(&m->result);
	return catalog_run(&m->flow, m->tenants->catalog, CATALOG_TENANTS, slice_str(m->id), &q,
	    &m->result);
}

static enum flow_rc
mark_judge(struct flow *f)
{
	struct owner_mark *m = owner_mark_of(f);
	enum flow_rc rc;

	if (mark_failed_by(m, UNDEFINED_TABLE))
		return mark_free(m, mark_make);
	rc = mark_check(m);
	if (rc != FLOW_NEXT)
		return rc;
	return pg_rows(&m->result) == 0 ? mark_free(m, mark_claim) : mark_judge_row(m);
}

static enum flow_rc
mark_named(struct flow *f)
{
	struct owner_mark *m = owner_mark_of(f);
	enum flow_rc rc = catalog_check(f, &m->result, "owner of a database");

	if (rc != FLOW_NEXT)
		return rc;
	return pg_rows(&m->result) > 0 ? mark_is_anothers(m) : mark_free(m, mark_claim);
}

/* ---- the claim ---- */

static enum flow_rc
mark_make(struct flow *f)
{
	const struct pg_query q = {
		.sql = "CREATE TABLE IF NOT EXISTS " OWNER_TABLE " ("
		       " one boolean PRIMARY KEY DEFAULT true CHECK (one),"
		       " environment pg_catalog.text NOT NULL,"
		       " tenant_id pg_catalog.text NOT NULL,"
		       " token pg_catalog.text NOT NULL,"
		       " claimed_at pg_catalog.timestamptz NOT NULL DEFAULT " PG_NOW ")",
		.timeout_us = MARK_US,
	};

	return mark_run(owner_mark_of(f), &q);
}

/* IF NOT EXISTS looks before it makes: two at once, and the second fails. */
static enum flow_rc
mark_made(struct flow *f)
{
	struct owner_mark *m = owner_mark_of(f);

	if (mark_failed_by(m, UNIQUE_VIOLATION) || mark_failed_by(m, DUPLICATE_TABLE))
		return FLOW_NEXT;
	return mark_check(m);
}

static enum flow_rc
mark_claim(struct flow *f)
{
	struct owner_mark *m = owner_mark_of(f);
	struct pg_query q = {
		.sql = "INSERT INTO " OWNER_TABLE " AS o (environment, tenant_id, token)"
		       " VALUES ($1, $2, $3) ON CONFLICT (one) DO UPDATE SET"
		       " environment = excluded.environment, tenant_id = excluded.tenant_id,"
		       " token = excluded.token, claimed_at = " PG_NOW
		       " WHERE (o.environment" PG_EQUALS "excluded.environment"
		       " AND o.tenant_id" PG_EQUALS "excluded.tenant_id)"
		       " OR o.token" PG_EQUALS "$4 RETURNING 1",
		.params = { PG_TEXT(m->tenants->conf->environment),
		    PG_TEXT(mutated(MUTATION_OWNER_MARK, m->id)), PG_TEXT(m->token),
		    PG_TEXT(m->seen) },
		.param_count = 4,
		.timeout_us = MARK_US,
	};

	id_random(m->token, OWNER_TOKEN_LEN);
	return mark_run(m, &q);
}

static enum flow_rc
mark_claimed(struct flow *f)
{
	struct owner_mark *m = owner_mark_of(f);
	enum flow_rc rc = mark_check(m);

	if (rc != FLOW_NEXT || pg_rows(&m->result) == 1)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	return flow_goto(f, mark_read);
}

static void
mark_end(struct flow *f, const struct err *err)
{
	(void)err;
	pg_clear(&owner_mark_of(f)->result);
}

enum flow_rc
owner_mark(struct flow *f, struct owner_mark *m)
{
	return flow_call(f, &m->flow, &owner_mark_kind);
}

enum flow_rc
owner_mark_or_tell(struct flow *f, struct owner_mark *m, struct err *why)
{
	return flow_try(f, &m->flow, &owner_mark_kind, why);
}
