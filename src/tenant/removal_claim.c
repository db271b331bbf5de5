/* SPDX-License-Identifier: MIT */
/*
 * removal_claim: see the header. What a claim hangs on is its row of public.users (ON DELETE
 * CASCADE), whose created_at is when it was taken.
 */
#include "tenant/removal_claim.h"

#include "tenant/row_sql.h"

#define CLAIM_HOLDER SLICE_LIT("orphans")

static enum flow_rc
claim_run(struct flow *f, struct catalog *c, const char *sql, const char *project,
    struct pg_result *out)
{
	struct pg_query q = { .sql = sql, .params = { PG_TEXT(project) }, .param_count = 1 };

	return catalog_run(f, c, CATALOG_TENANTS, CLAIM_HOLDER, &q, out);
}

/* While a database is made its project is there before the row has its id. */
static const char claim_take[] =
    "WITH free AS (SELECT 1 WHERE NOT EXISTS (SELECT FROM public.tenants WHERE project_id" PG_EQUALS
    "$1 OR (tenant_id" PG_EQUALS "$2 AND project_id IS NULL AND (" IS_PROVISIONING
    " OR posted_at IS NOT NULL)))),"
    " u AS (INSERT INTO public.users (user_id) SELECT " REMOVAL_USER " FROM free"
    " ON CONFLICT (user_id) DO UPDATE SET created_at = " PG_NOW ")"
    " INSERT INTO public.vector_databases AS v (vector_db_id, user_id)"
    " SELECT $1, " REMOVAL_USER " FROM free ON CONFLICT (vector_db_id)"
    " DO UPDATE SET user_id = excluded.user_id WHERE v.user_id" PG_EQUALS "excluded.user_id"
    " RETURNING 1";

enum flow_rc
removal_claim_take(struct flow *f, struct catalog *c, const char *project, const char *tenant,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = claim_take,
		.params = { PG_TEXT(project), PG_TEXT(tenant) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_TENANTS, CLAIM_HOLDER, &q, out);
}

enum flow_rc
removal_claim_drop(struct flow *f, struct catalog *c, const char *project, struct pg_result *out)
{
	return claim_run(f, c, "DELETE FROM public.users WHERE user_id" PG_EQUALS REMOVAL_USER,
	    project, out);
}

enum flow_rc
removal_claim_expire(struct flow *f, struct catalog *c, const char *project, struct pg_result *out)
{
	return claim_run(f, c,
	    "DELETE FROM public.users WHERE user_id" PG_EQUALS REMOVAL_USER
	    " AND created_at" PG_BELOW "(" PG_NOW PG_MINUS "interval '1 hour')",
	    project, out);
}
