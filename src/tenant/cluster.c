/* SPDX-License-Identifier: MIT */
/*
 * cluster: the statements of an administrator, each harmless when repeated.
 *
 *	[borrow] --> [execute] <--> [check] --> [connect] --> [extend] --> [extended] --> [fill_row]
 *	             (on the administrator's database)  (on the new one, still as administrator)
 *
 * What always holds: names are "tg_" and hex digits, passwords letters and digits. So nothing
 * that is put into SQL text needs quoting: CREATE ROLE and CREATE DATABASE take no parameters.
 *
 * The password is set under a fence: the role's comment has the time, by the catalog's clock, at
 * which the attempt that set it last had claimed the row. One that was held up and overtaken must
 * not set another than the row has by now.
 */
#include "tenant/cluster.h"

#include <stdio.h>

#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define PASSWORD_LEN	 40
#define ADMIN_POOL	 2 /* connections: creations are rare, and the server limits them anyway */
#define STATEMENT_MAX_US (60 * 1000000ull)

#define OVERTAKEN "TG001" /* SQLSTATE: another attempt has set the password since */
#define SET_PASSWORD \
	"DO $$ BEGIN" \
	" PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('@'));" \
	" IF pg_catalog.substring(pg_catalog.shobj_description('@'::pg_catalog.regrole," \
	"  'pg_authid'), '^tenantgate ([0-9]+)$')::pg_catalog.int8" \
	"  OPERATOR(pg_catalog.>) ~ THEN" \
	"  RAISE EXCEPTION 'overtaken' USING ERRCODE = '" OVERTAKEN "'; END IF;" \
	" ALTER ROLE @ LOGIN PASSWORD '#';" \
	" COMMENT ON ROLE @ IS 'tenantgate ~'; END $$"

/* In order. @: the name, #: the password, ~: when the row was claimed. */
static const struct {
	const char *sql;
	const char
	    *adopt;	  /* the SQLSTATE of "it is there already", which is as good; "" for none */
	bool is_optional; /* the server may refuse it */
} statements[] = {
	{ "CREATE ROLE @ LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE", "42710", false },
	{ SET_PASSWORD, "", false },
	/* Without being a superuser one must be a member of a role to make it an owner. */
	{ "GRANT @ TO CURRENT_USER", "", true },
	/* template0: a template with a session on it cannot be copied, and template1 may have been
	 * added to. */
	{ "CREATE DATABASE @ OWNER @ TEMPLATE template0 ENCODING 'UTF8'", "42P04", false },
	/* Postgres lets every role connect to a new database: other tenants' roles must not. */
	{ "REVOKE CONNECT, TEMPORARY ON DATABASE @ FROM PUBLIC", "", false },
};
#define STATEMENTS (sizeof(statements) / sizeof(statements[0]))

static flow_step_fn cluster_borrow, cluster_execute, cluster_check, cluster_connect, cluster_extend,
    cluster_extended, cluster_fill_row;
static flow_end_fn cluster_end;

static const struct flow_step cluster_steps[] = {
	{ "borrow", cluster_borrow },
	{ "execute", cluster_execute },
	{ "check", cluster_check },
	{ "connect", cluster_connect },
	{ "extend", cluster_extend },
	{ "extended", cluster_extended },
	{ "fill_row", cluster_fill_row },
	{ NULL, NULL },
};

static const struct flow_kind cluster_kind = { "cluster_create", cluster_steps, cluster_end, NULL };

/* Into c->sql, which held a password perhaps: wiped before it is used again. */
static void
sql_expand(struct cluster_creation *c, const char *sql)
{
	buf_wipe(&c->sql);
	for (; *sql != '\0'; sql++) {
		if (*sql == '@')
			buf_puts(&c->sql, c->name);
		else if (*sql == '#')
			buf_puts(&c->sql, c->row->tenant.password);
		else if (*sql == '~')
			buf_puts(&c->sql, c->row->read_at_ms);
		else
			buf_putc(&c->sql, *sql);
	}
}

static enum flow_rc
cluster_run(struct cluster_creation *c, const char *sql)
{
	struct pg_query q = { .timeout_us = STATEMENT_MAX_US };

	sql_expand(c, sql);
	if (c->sql.failed)
		return flow_fail(&c->flow, ERR_INTERNAL,
		    "A statement that creates a database does not fit its buffer. Please report "
		    "this fault.");
	q.sql = c->sql.data;
	pg_clear(&c->result);
	return pg_run(&c->flow, c->lease.conn, &q, &c->result);
}

/* ---- on the administrator's own database ---- */

/* A pool of its own, small: a crowd of new tenants waits here, not at the server. */
static enum flow_rc
cluster_borrow(struct flow *f)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	struct pool_target target = c->tenants->admin;

	target.key = CLUSTER_ADMIN_KEY;
	target.size = ADMIN_POOL;
	return pool_borrow(f, c->tenants->pools, &target, &c->lease);
}

static enum flow_rc
cluster_execute(struct flow *f)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	return cluster_run(c, statements[c->statement].sql);
}

/* "Already there" is adoption: an earlier attempt was killed after that statement. */
static enum flow_rc
cluster_check(struct flow *f)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	const char *sqlstate = c->result.failure.sqlstate;
	bool refused = c->result.status == PG_SQL_ERROR;
	bool adopted = refused && strcmp(sqlstate, statements[c->statement].adopt) == 0;

	if (refused && strcmp(sqlstate, OVERTAKEN) == 0)
		return flow_fail(f, ERR_PROVISIONING, ATTEMPT_LOST_DETAIL);
	if (!adopted && !(refused && statements[c->statement].is_optional)) {
		enum flow_rc rc = pg_check(f, &c->result, pg_reason(&c->result)->code,
		    "Creating the tenant's role and database failed");

		if (rc != FLOW_NEXT)
			return rc;
	}
	c->statement++;
	return c->statement < STATEMENTS ? flow_goto(f, cluster_execute) : FLOW_NEXT;
}

/* ---- on the new one ---- */

/* A session of Postgres has one database: another pool, of one connection. */
static enum flow_rc
cluster_connect(struct flow *f)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	struct pool_target target = c->tenants->admin;

	pool_return(&c->lease, POOL_CLEAN);
	snprintf(c->extension_key, sizeof(c->extension_key), "cluster:%s", c->name);
	target.key = slice_str(c->extension_key);
	target.pg.dbname = c->name;
	target.size = 1;
	return pool_borrow(f, c->tenants->pools, &target, &c->lease);
}

/* As administrator: pgvector is not a trusted extension, so the tenant's own role may not create
 * it. */
static enum flow_rc
cluster_extend(struct flow *f)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	return cluster_run(c, "CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public");
}

static enum flow_rc
cluster_extended(struct flow *f)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	return pg_check(f, &c->result, pg_reason(&c->result)->code,
	    "CREATE EXTENSION vector failed (is pgvector installed on the server?)");
}

/* The database's name stands in for a project id: row_is_complete() wants one. */
static enum flow_rc
cluster_fill_row(struct flow *f)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	struct tenant *t = &c->row->tenant;
	const struct pg_target *admin = &c->tenants->admin.pg;

	(void)f;
	snprintf(t->host, sizeof(t->host), "%s", admin->host);
	snprintf(t->dbname, sizeof(t->dbname), "%s", c->name);
	snprintf(t->user, sizeof(t->user), "%s", c->name);
	tenant_set_tls(c->tenants, t);
	snprintf(c->row->project_id, sizeof(c->row->project_id), "%s", c->name);
	t->port = admin->port;
	return FLOW_DONE;
}

static void
cluster_end(struct flow *f, const struct err *err)
{
	struct cluster_creation *c = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	(void)err;
	pool_return(&c->lease, POOL_CLEAN);
	/* No connection of the administrator's stays open in a tenant's database. */
	if (c->extension_key[0] != '\0')
		pool_forget(c->tenants->pools, slice_str(c->extension_key));
	pg_clear(&c->result);
	buf_wipe(&c->sql);
	buf_free(&c->sql);
}

enum flow_rc
cluster_create(struct flow *f, struct cluster_creation *c, struct tenants *ts,
    struct tenant_row *row)
{
	c->tenants = ts;
	c->row = row;
	c->statement = 0;
	c->extension_key[0] = '\0';
	memset(&c->lease, 0, sizeof(c->lease));
	memset(&c->result, 0, sizeof(c->result));
	buf_init(&c->sql, 2048);
	name_cluster(c->name, ts->conf->environment, row->tenant.id);
	id_random(row->tenant.password, PASSWORD_LEN);
	return flow_call(f, &c->flow, &cluster_kind);
}
