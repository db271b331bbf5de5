/* SPDX-License-Identifier: MIT */
/*
 * row_address: what is written to the row of a ready tenant whose database refused the login.
 */
#include "tenant/row.h"

enum flow_rc
row_readdress(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *port,
    const char *sealed, struct pg_result *out)
{
	const struct tenant *t = &r->tenant;
	struct pg_query q = {
		.sql = "UPDATE public.tenants SET db_host = $3, db_port = $4::int, db_name = $5, "
		       "db_user = $6, db_password_sealed = $7, last_error = NULL, rechecks = 0, "
		       "updated_at = now() "
		       "WHERE tenant_id = $1 AND project_id = $2 AND state = 'ready'",
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
		.sql = "UPDATE public.tenants SET last_error = $2, updated_at = now() "
		       "WHERE tenant_id = $1 AND state = 'ready'",
		.params = { PG_TEXT(id), PG_TEXT(last_error) },
		.param_count = 2,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(id), &q, out);
}
