/* SPDX-License-Identifier: MIT */
/*
 * row_address: what is written to the row of a ready tenant whose database refused the login.
 */
#include "tenant/row.h"
#include "tenant/row_sql.h"

/* Twice, four and eight times as long after what was of no use; anew after a day. */
#define RECHECK_AT \
	"(rechecked_at" PG_PLUS "($2::int" PG_TIMES \
	"pg_catalog.power(2, greatest(0, least(rechecks, 4)" PG_MINUS "1))" PG_TIMES \
	"interval '1 millisecond'))"

enum flow_rc
row_recheck(struct flow *f, struct catalog *c, const char *id, const char *retry_ms,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET rechecked_at = " PG_NOW ", rechecks = CASE "
		       "WHEN rechecked_at" PG_ABOVE "(" PG_NOW PG_MINUS "interval '1 day') "
		       "THEN rechecks" PG_PLUS "1 ELSE 1 END" OF_TENANT " AND " IS_READY " "
		       "AND provider" PG_EQUALS "'neon' AND project_id IS NOT NULL AND "
		       "coalesce(" RECHECK_AT PG_AT_MOST PG_NOW ", true) "
		       "RETURNING " ROW_COLUMNS,
		.params = { PG_TEXT(id), PG_TEXT(retry_ms) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}

enum flow_rc
row_readdress(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *port,
    const char *sealed, struct pg_result *out)
{
	const struct tenant *t = &r->tenant;
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET db_host = $3, db_port = $4::int, db_name = $5, "
		       "db_user = $6, db_password_sealed = $7, last_error = NULL, rechecks = 0, "
		       "updated_at = " PG_NOW OF_TENANT " AND project_id" PG_EQUALS "$2 "
		       "AND " IS_READY,
		.params = { PG_TEXT(t->id), PG_TEXT(r->project_id), PG_TEXT(t->host), PG_TEXT(port),
		    PG_TEXT(t->dbname), PG_TEXT(t->user), PG_TEXT(sealed) },
		.param_count = 7,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(t->id), &q, out);
}

enum flow_rc
row_note(struct flow *f, struct catalog *c, const char *id, const char *last_error,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET last_error = $2, updated_at = " PG_NOW OF_TENANT
		       " AND " IS_READY,
		.params = { PG_TEXT(id), PG_TEXT(last_error) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}
