/* SPDX-License-Identifier: MIT */
/*
 * adopt_row: the SQL of an adoption.
 *
 *	(none), or a wish --write--> [failed, no attempts, with an address] --claim--> provisioning
 *
 * So the row is that of an attempt which has saved an address: the tenant's next contact goes on
 * from there (provision.c), creates nothing, logs in and lays the schema.
 */
#include "tenant/adopt.h"
#include "tenant/row_sql.h"

/* One name has several forms: of either case, with a final dot, and at Neon with its pooler's mark
 * at the first label's end, and with or without the label of a cell ("ep-x.c-2.us-east-2..."). As
 * the index tenants_address has it (catalog/schema_operators.c). */
#define HOST_PLAIN(host) \
	"pg_catalog.regexp_replace(pg_catalog.lower(pg_catalog.rtrim(" host ", '.'))," \
	" '^([^.]+)-pooler[.]', '\\1.')"
#define HOST_KEY(host) \
	"pg_catalog.regexp_replace(" HOST_PLAIN( \
	    host) ", '^(ep-[^.]+)[.].*[.]neon[.]tech$', '\\1.neon.tech')"

enum flow_rc
adopt_row_others(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *port,
    struct pg_result *out)
{
	const struct tenant *t = &r->tenant;
	struct pg_query q = {
		.sql = "SELECT tenant_id FROM (SELECT tenant_id FROM public.tenants"
		       " WHERE project_id" PG_EQUALS "$2"
		       " UNION ALL SELECT tenant_id FROM public.tenants"
		       " WHERE " HOST_KEY("db_host") PG_EQUALS HOST_KEY(
			   "$3::pg_catalog.text") " AND db_port" PG_EQUALS
						  "$4::int AND db_name" PG_EQUALS "$5) AS has"
						  " WHERE tenant_id" PG_DIFFERS "$1 LIMIT 1",
		.params = { PG_TEXT(t->id), PG_TEXT(r->project_id), PG_TEXT(t->host), PG_TEXT(port),
		    PG_TEXT(t->dbname) },
		.param_count = 5,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(t->id), &q, out);
}

/* Nothing was begun for it: what was, may have made a database. */
#define HAS_NONE "t." IS_FAILED " AND t.project_id IS NULL AND t.posted_at IS NULL"
#define HAS_THIS \
	"t.adopted_at IS NOT NULL AND t.project_id" PG_EQUALS "excluded.project_id" \
	" AND (t." IS_FAILED " OR t." IS_READY ")"

static const char write_row[] =
    "WITH u AS (INSERT INTO public.users (user_id) VALUES ($1) ON CONFLICT (user_id) DO NOTHING),"
    " t AS (INSERT INTO public.tenants AS t (tenant_id, provider, project_name, state, project_id,"
    " endpoint_id, branch_id, db_host, db_port, db_name, db_user, db_password_sealed, db_sslmode,"
    " db_channel_binding, adopted_at) VALUES ($1, $2, $3, 'failed', $4, $5, $6, $7, $8::int, $9,"
    " $10, $11, $12, $13, " PG_NOW ")"
    " ON CONFLICT (tenant_id) DO UPDATE SET provider = excluded.provider,"
    " project_name = excluded.project_name, project_id = excluded.project_id,"
    " endpoint_id = excluded.endpoint_id, branch_id = excluded.branch_id,"
    " db_host = excluded.db_host, db_port = excluded.db_port, db_name = excluded.db_name,"
    " db_user = excluded.db_user, db_password_sealed = excluded.db_password_sealed,"
    " db_sslmode = excluded.db_sslmode, db_channel_binding = excluded.db_channel_binding,"
    " adopted_at = coalesce(t.adopted_at, excluded.adopted_at), last_error = NULL,"
    " not_before = NULL, refusals = 0, updated_at = " PG_NOW ","
    " attempts = CASE WHEN t." IS_FAILED " THEN 0 ELSE t.attempts END"
    " WHERE (" HAS_NONE ") OR (" HAS_THIS ") RETURNING project_id, tenant_id)"
    " INSERT INTO public.vector_databases (vector_db_id, user_id)"
    " SELECT project_id, tenant_id FROM t ON CONFLICT (user_id)"
    " DO UPDATE SET vector_db_id = excluded.vector_db_id";

enum flow_rc
adopt_row_write(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *provider,
    const char *port, const char *sealed, struct pg_result *out)
{
	const struct tenant *t = &r->tenant;
	struct pg_query q = {
		.sql = write_row,
		.params = { PG_TEXT(t->id), PG_TEXT(provider), PG_TEXT(r->project_name),
		    PG_TEXT(r->project_id), PG_TEXT(text_or_null(r->endpoint_id)),
		    PG_TEXT(text_or_null(r->branch_id)), PG_TEXT(t->host), PG_TEXT(port),
		    PG_TEXT(t->dbname), PG_TEXT(t->user), PG_TEXT(sealed), PG_TEXT(t->sslmode),
		    PG_TEXT(text_or_null(t->channel_binding)) },
		.param_count = 13,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(t->id), &q, out);
}

/* What was only written, for its database turned out to be another's. */
enum flow_rc
adopt_row_undo(struct flow *f, struct catalog *c, const struct tenant_row *r, const char *provider,
    struct pg_result *out)
{
	const struct tenant *t = &r->tenant;
	struct pg_query q = {
		.sql = "WITH t AS (UPDATE public.tenants t SET provider = $3, project_id = NULL,"
		       " endpoint_id = NULL, branch_id = NULL, db_host = NULL, db_port = NULL,"
		       " db_name = NULL, db_user = NULL, db_password_sealed = NULL,"
		       " db_sslmode = NULL, db_channel_binding = NULL, adopted_at = NULL,"
		       " attempts = 0, last_error = NULL, not_before = NULL, updated_at = " PG_NOW
			   OF_TENANT " AND t.project_id" PG_EQUALS "$2 AND t.adopted_at IS NOT NULL"
		       " AND t." IS_FAILED " AND t.schema_version" PG_EQUALS "0"
		       " AND t.deleted_at IS NULL RETURNING tenant_id)"
		       " DELETE FROM public.vector_databases v USING t"
		       " WHERE v.user_id" PG_EQUALS "t.tenant_id",
		.params = { PG_TEXT(t->id), PG_TEXT(r->project_id), PG_TEXT(provider) },
		.param_count = 3,
	};

	return catalog_run(f, c, CATALOG_TENANTS, slice_str(t->id), &q, out);
}
