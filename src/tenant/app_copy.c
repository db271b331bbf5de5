/* SPDX-License-Identifier: MIT */
/*
 * app_copy: what of an application's catalog is copied into ours by tenant/: users, and where all
 * parts stand. (Documents: retrieval/documents_adopt.c; projects: adopt.c.)
 *
 * A position is a fence: the statement that copies a page changes nothing unless it stands where
 * the page begins.
 */
#include "tenant/tenant_internal.h"
#include "tenantgate/tenant/app_catalog.h"
#include "tenantgate/wire/pg_sql.h"

static enum flow_rc
app_run(struct flow *f, struct tenants *ts, const struct pg_query *q, struct pg_result *out)
{
	return catalog_run(f, ts->catalog, CATALOG_TENANTS, SLICE_LIT("adoption"), q, out);
}

#define STANDS "users_to, projects_to, documents_to, users, projects, documents"

enum flow_rc
app_copy_begin(struct flow *f, struct tenants *ts, const char *source, bool is_dry_run,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = is_dry_run
		    ? "SELECT " STANDS " FROM public.adoptions WHERE source" PG_EQUALS "$1"
		    : "INSERT INTO public.adoptions (source) VALUES ($1) ON CONFLICT (source)"
		      " DO UPDATE SET source = excluded.source RETURNING " STANDS,
		.params = { PG_TEXT(source) },
		.param_count = 1,
	};

	return app_run(f, ts, &q, out);
}

enum flow_rc
app_copy_skips(struct flow *f, struct tenants *ts, const char *source, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT (SELECT pg_catalog.json_agg(r) FROM (SELECT kind, reason,"
		       " pg_catalog.count(*) AS count FROM public.adoption_skips"
		       " WHERE source" PG_EQUALS "$1 GROUP BY kind, reason ORDER BY kind, reason)"
		       " AS r), (SELECT pg_catalog.json_agg(s) FROM (SELECT kind, id, reason"
		       " FROM public.adoption_skips WHERE source" PG_EQUALS "$1"
		       " ORDER BY kind, id LIMIT 1000) AS s)",
		.params = { PG_TEXT(source) },
		.param_count = 1,
	};

	return app_run(f, ts, &q, out);
}

/* reason: of what cannot be copied. Of one id there is one row of skips, whatever its catalog lets
 * be there twice. */
static const char copy_users[] =
    "WITH page AS MATERIALIZED (SELECT p.*, CASE"
    " WHEN NOT coalesce(p.user_id OPERATOR(pg_catalog.~) '^[A-Za-z0-9._:@-]{1,128}$', false)"
    " THEN 'Its id is none that a tenant can have.'"
    " WHEN EXISTS (SELECT FROM public.users u WHERE u.user_id" PG_EQUALS "p.user_id)"
    " OR pg_catalog.row_number() OVER (PARTITION BY p.user_id ORDER BY p.at)" PG_ABOVE "1"
    " THEN 'A user of this id is here already, and stays as it is.' END AS reason"
    " FROM ROWS FROM (pg_catalog.json_to_recordset($4::pg_catalog.json)"
    " AS (user_id pg_catalog.text, name pg_catalog.text, email pg_catalog.text,"
    " avatar_url pg_catalog.text, created_at pg_catalog.text)) WITH ORDINALITY"
    " AS p(user_id, name, email, avatar_url, created_at, at)),"
    " moved AS (UPDATE public.adoptions SET users_to = $3::bigint, users = users" PG_PLUS
    "(SELECT pg_catalog.count(*) FROM page WHERE reason IS NULL)"
    " WHERE source" PG_EQUALS "$1 AND users_to" PG_EQUALS "$2::bigint RETURNING 1),"
    " made AS (INSERT INTO public.users (user_id, name, email, avatar_url, created_at)"
    " SELECT user_id, name, email, avatar_url,"
    " coalesce(created_at::pg_catalog.timestamptz, " PG_NOW ") FROM page CROSS JOIN moved"
    " WHERE reason IS NULL ON CONFLICT (user_id) DO NOTHING),"
    " left_out AS (INSERT INTO public.adoption_skips (source, kind, id, reason)"
    " SELECT DISTINCT ON (coalesce(user_id, '')) $1, 'user', coalesce(user_id, ''), reason"
    " FROM page CROSS JOIN moved"
    " WHERE reason IS NOT NULL ON CONFLICT (source, kind, id)"
    " DO UPDATE SET reason = excluded.reason)"
    " SELECT (SELECT pg_catalog.count(*) FROM moved),"
    " (SELECT pg_catalog.count(*) FROM page WHERE reason IS NULL),"
    " (SELECT pg_catalog.json_agg(s) FROM (SELECT 'user' AS kind, user_id AS id, reason"
    " FROM page WHERE reason IS NOT NULL) AS s)";

enum flow_rc
app_copy_users(struct flow *f, struct tenants *ts, const struct app_page *page,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = copy_users,
		.params = { PG_TEXT(page->source), PG_TEXT(page->from), PG_TEXT(page->to),
		    PG_TEXT(page->json) },
		.param_count = 4,
	};

	return app_run(f, ts, &q, out);
}

enum flow_rc
app_copy_project(struct flow *f, struct tenants *ts, const char *source, const char *number,
    const char *project, const char *reason, struct pg_result *out)
{
	struct pg_query q = {
		.sql = "WITH left_out AS (INSERT INTO public.adoption_skips (source, kind, id,"
		       " reason) SELECT $1, 'project', $3, $4 WHERE $4::pg_catalog.text IS NOT NULL"
		       " ON CONFLICT (source, kind, id) DO UPDATE SET reason = excluded.reason)"
		       " UPDATE public.adoptions SET projects_to = $2::bigint,"
		       " projects = projects" PG_PLUS
		       "(CASE WHEN $4::pg_catalog.text IS NULL THEN 1 ELSE 0 END)"
		       " WHERE source" PG_EQUALS "$1 AND projects_to" PG_BELOW "$2::bigint",
		.params = { PG_TEXT(source), PG_TEXT(number), PG_TEXT(project), PG_TEXT(reason) },
		.param_count = 4,
	};

	return app_run(f, ts, &q, out);
}
