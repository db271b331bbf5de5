/* SPDX-License-Identifier: MIT */
/*
 * row_outcome: the last write of an attempt, good or failed, and whether the row was its own still.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/row.h"
#include "tenant/row_sql.h"

/* 'ready' passes too: a repeat of the statement whose answer was lost finds its own work. */
enum flow_rc
row_ready(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *schema_version,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET state = 'ready', schema_version = $3::int, "
		       "lease_until = NULL, last_error = NULL, not_before = NULL, refusals = 0, "
		       "updated_at = " PG_NOW OF_TENANT " AND attempt_id" PG_EQUALS "$2 "
		       "AND (" IS_PROVISIONING " OR " IS_READY ") "
		       "RETURNING plan, requests_per_minute, settings::pg_catalog.text, "
		       "token_generation",
		.params = { PG_TEXT(r->tenant.id), PG_TEXT(r->attempt_id),
		    PG_TEXT(schema_version) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(r->tenant.id), &q, out);
}

enum flow_rc
row_fail(struct flow *f, struct catalog *c, const struct tenant_row *r,
    const struct row_failure *failure, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET state = 'failed', lease_until = NULL, "
		       "last_error = $3, updated_at = " PG_NOW ", "
		       "posted_at = CASE WHEN $4::boolean THEN posted_at END, "
		       "db_password_sealed = CASE WHEN $5::boolean THEN NULL "
		       "ELSE db_password_sealed END, "
		       "not_before = CASE WHEN $6::int" PG_ABOVE "0 THEN " PG_NOW PG_PLUS
		       "($6::int" PG_TIMES "interval '1 second') END, "
		       "neon_asked_until = CASE WHEN $8::int" PG_ABOVE "0 THEN " PG_NOW PG_PLUS
		       "($8::int" PG_TIMES "interval '1 second') END, "
		       "refusals = $7::int" OF_ATTEMPT,
		.params = { PG_TEXT(r->tenant.id), PG_TEXT(r->attempt_id), PG_TEXT(failure->why),
		    PG_TEXT(failure->keep_posted ? "t" : "f"),
		    PG_TEXT(failure->forget_password ? "t" : "f"), PG_TEXT(failure->wait_s),
		    PG_TEXT(failure->refusals), PG_TEXT(failure->asked_s) },
		.param_count = 8,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(r->tenant.id), &q, out);
}

enum flow_rc
row_check(struct flow *f, const struct pg_result *r, const char *what)
{
	enum flow_rc rc = catalog_check(f, r, what);

	if (rc == FLOW_NEXT && pg_changed(r) != 1)
		return flow_fail(f, ERR_PROVISIONING, ATTEMPT_LOST_DETAIL);
	return rc;
}
