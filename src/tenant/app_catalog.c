/* SPDX-License-Identifier: MIT */
/*
 * app_catalog: how the application's catalog is read.
 *
 *	[login] --> [select] --> [read]: a page; the connection ends with it
 *
 * Texts are cut where they are read to what our own have, so that a page has a ceiling.
 */
#include "tenantgate/tenant/app_catalog.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenant/adopt.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_sql.h"

#define LOGIN_US (20 * 1000000ull)
#define PAGE_US	 (30 * 1000000ull)

struct app_catalog {
	struct tenants *tenants; /* borrowed */
	struct tenant_row row;	 /* its address; holds a password, wiped */
};

struct app_read {
	struct flow flow;
	struct app_catalog *app; /* borrowed */
	enum app_part part;
	const char *after;     /* borrowed */
	struct pg_result *out; /* borrowed: the caller's */
	struct pg_conn *conn;  /* owned */
};

static flow_step_fn app_login, app_select, app_read_page;
static flow_end_fn app_read_end;
static flow_release_fn app_read_release;

static const struct flow_step app_read_steps[] = {
	{ "login", app_login },
	{ "select", app_select },
	{ "read", app_read_page },
	{ NULL, NULL },
};

static const struct flow_kind app_read_kind = { "app_catalog", app_read_steps, app_read_end,
	app_read_release };

#define BETWEEN(column) \
	"CASE WHEN " column PG_ABOVE "'1970-01-01Z'::pg_catalog.timestamptz" \
	" AND " column PG_BELOW "'2255-01-01Z'::pg_catalog.timestamptz" \
	" THEN pg_catalog.to_char(" column " AT TIME ZONE 'UTC'," \
	" 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') END"
/* Longer than any id that is good here: it stays none. */
#define CUT(id) "pg_catalog.left(" id ", 257)"
#define PAGE_OF(rows) \
	"SELECT pg_catalog.count(*), pg_catalog.max(number)," \
	" pg_catalog.json_agg(p)::pg_catalog.text FROM (" rows ") AS p"

static const char *const app_selects[APP_PARTS] = {
	[APP_USERS] = PAGE_OF("SELECT u.id AS number, " CUT(
	    "u.user_id") " AS user_id,"
			 " pg_catalog.left(u.name, 256) AS name,"
			 " pg_catalog.left(u.email, 256) AS email,"
			 " pg_catalog.left(u.avatar_url, 2048) AS avatar_url, " BETWEEN(
			     "u.created_at") " AS created_at FROM public.users u"
					     " WHERE u.id" PG_ABOVE "$1::bigint"
					     " ORDER BY u.id LIMIT 200"),
	[APP_PROJECTS] = "SELECT u.id, " CUT("u.user_id") ", " CUT(
	    "v.vector_db_id") " FROM public.vector_databases v"
			      " JOIN public.users u ON u.id" PG_EQUALS "v.user_id"
			      " WHERE u.id" PG_ABOVE "$1::bigint ORDER BY u.id LIMIT 200",
	[APP_DOCUMENTS] =
	    PAGE_OF("SELECT d.id AS number, " CUT("d.document_id") " AS document_id, " CUT(
		"u.user_id") " AS user_id, pg_catalog.left(d.title, 512) AS title,"
			     " pg_catalog.left(d.file_name, 255) AS file_name, " BETWEEN(
				 "d.created_at") " AS created_at FROM public.documents d"
						 " JOIN public.users u ON u.id" PG_EQUALS
						 "d.user_id"
						 " WHERE d.id" PG_ABOVE
						 "$1::bigint ORDER BY d.id LIMIT 200"),
};

const char *
app_part_name(enum app_part part)
{
	static const char *const names[APP_PARTS] = { "users", "projects", "documents" };

	return names[part];
}

static struct app_read *
app_read_of(struct flow *f)
{
	return FLOW_OF(f, struct app_read, &app_read_kind);
}

static enum flow_rc
app_login(struct flow *f)
{
	struct app_read *r = app_read_of(f);
	struct pool_target target;
	char key[TENANT_KEY_SIZE];

	tenant_target(&r->app->row.tenant, &target, key);
	target.pg.settings = "-c default_transaction_read_only=on";
	return pg_connect(f, r->app->tenants->dns, &target.pg, LOGIN_US, &r->conn, r->out);
}

static enum flow_rc
app_select(struct flow *f)
{
	struct app_read *r = app_read_of(f);
	const struct pg_query q = {
		.sql = app_selects[r->part],
		.params = { PG_TEXT(r->after) },
		.param_count = 1,
		.timeout_us = PAGE_US,
	};

	if (r->conn == NULL)
		return adopt_login_refused(f, r->out, &r->app->row.tenant);
	return pg_run(f, r->conn, &q, r->out);
}

/* A table or column that is not there: it is another's. */
static enum flow_rc
app_read_page(struct flow *f)
{
	struct app_read *r = app_read_of(f);
	const char *sqlstate = r->out->failure.sqlstate;

	if (r->out->status == PG_SQL_ERROR &&
	    (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "42703") == 0 ||
		strcmp(sqlstate, "42883") == 0))
		return flow_fail(f, ERR_INVALID_FIELD,
		    "This is no catalog of the example application's: its tables users, documents "
		    "and vector_databases, with their columns, are not there. Look at the URL.");
	return pg_check(f, r->out, ERR_NONE, "read the application's catalog");
}

static void
app_read_end(struct flow *f, const struct err *err)
{
	struct app_read *r = app_read_of(f);

	(void)err;
	pg_conn_close(r->conn);
	r->conn = NULL;
}

static void
app_read_release(struct flow *f)
{
	free(app_read_of(f));
}

enum flow_rc
app_catalog_page(struct flow *f, struct app_catalog *app, enum app_part part, const char *after,
    struct pg_result *out)
{
	struct app_read *r = xcalloc(1, sizeof(*r));

	r->app = app;
	r->part = part;
	r->after = after;
	r->out = out;
	return flow_call(f, &r->flow, &app_read_kind);
}

struct app_catalog *
app_catalog_new(struct tenants *ts, const char *url, struct err *err)
{
	struct app_catalog *app = xcalloc(1, sizeof(*app));

	app->tenants = ts;
	if (!adopt_url_read(url, &app->row, err)) {
		app_catalog_free(app);
		return NULL;
	}
	tenant_set_tls(ts, &app->row.tenant);
	return app;
}

void
app_catalog_free(struct app_catalog *app)
{
	if (app == NULL)
		return;
	bytes_wipe(&app->row, sizeof(app->row));
	free(app);
}

const char *
app_catalog_source(const struct app_catalog *app)
{
	return app->row.project_id;
}

const char *
app_catalog_host(const struct app_catalog *app)
{
	return app->row.tenant.host;
}
