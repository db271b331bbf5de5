/* SPDX-License-Identifier: MIT */
/*
 * cluster: the statements of an administrator, each harmless when repeated.
 *
 *	[borrow] --> [say] <--> [look] --> [return] --> [enter] --> [extension] --> [leave]
 *	             (on the admin's database)          (on the new one, still as admin)
 *
 * What always holds: names are "tg_" and hex digits, passwords letters and digits: nothing
 * that is put into SQL text needs quoting.
 */
#include "tenant/cluster.h"

#include <stdio.h>

#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define PASSWORD_LEN	 40
#define ADMIN_KEY	 SLICE_LIT("cluster:admin")
#define ADMIN_POOL	 2
#define STATEMENT_MAX_US (60 * 1000000ull)

/* @: the name, #: the password. */
static const struct {
	const char *sql;
	const char *adopt; /* this SQLSTATE means: it is there already */
	bool is_optional;
} statements[] = {
	{ "CREATE ROLE @ LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE", "42710", false },
	{ "ALTER ROLE @ LOGIN PASSWORD '#'", "", false },
	/* An administrator who is no superuser must be a member to give the database away. */
	{ "GRANT @ TO CURRENT_USER", "", true },
	/* template0: nobody is connected to it, and nobody has put anything into it. */
	{ "CREATE DATABASE @ OWNER @ TEMPLATE template0 ENCODING 'UTF8'", "42P04", false },
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

static void
sql_expand(struct cluster_creation *m, const char *sql)
{
	buf_wipe(&m->sql);
	for (; *sql != '\0'; sql++) {
		if (*sql == '@')
			buf_puts(&m->sql, m->name);
		else if (*sql == '#')
			buf_puts(&m->sql, m->row->tenant.password);
		else
			buf_putc(&m->sql, *sql);
	}
}

static enum flow_rc
cluster_run(struct cluster_creation *m, const char *sql)
{
	struct pg_query q = { .timeout_us = STATEMENT_MAX_US };

	sql_expand(m, sql);
	if (m->sql.failed)
		return flow_fail(&m->flow, ERR_INTERNAL,
		    "an administrator's statement is too long");
	q.sql = m->sql.data;
	pg_clear(&m->result);
	return pg_run(&m->flow, m->lease.conn, &q, &m->result);
}

/* ---- on the administrator's own database ---- */

static enum flow_rc
cluster_borrow(struct flow *f)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	struct pool_target target = m->tenants->admin;

	target.key = ADMIN_KEY;
	target.size = ADMIN_POOL;
	return pool_borrow(f, m->tenants->pools, &target, &m->lease);
}

static enum flow_rc
cluster_execute(struct flow *f)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	return cluster_run(m, statements[m->statement].sql);
}

static enum flow_rc
cluster_check(struct flow *f)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	const char *state = m->result.failure.sqlstate;
	bool said = m->result.status == PG_SQL_ERROR;
	bool adopted = said && strcmp(state, statements[m->statement].adopt) == 0;

	if (!adopted && !(said && statements[m->statement].is_optional)) {
		enum flow_rc rc = pg_check(f, &m->result, ERR_DATABASE, "making a database");

		if (rc != FLOW_NEXT)
			return rc;
	}
	m->statement++;
	return m->statement < STATEMENTS ? flow_goto(f, cluster_execute) : FLOW_NEXT;
}

/* ---- on the new one ---- */

static enum flow_rc
cluster_connect(struct flow *f)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	struct pool_target target = m->tenants->admin;

	pool_return(&m->lease, POOL_CLEAN);
	snprintf(m->extension_key, sizeof(m->extension_key), "cluster:%s", m->name);
	target.key = slice_str(m->extension_key);
	target.pg.dbname = m->name;
	target.size = 1;
	return pool_borrow(f, m->tenants->pools, &target, &m->lease);
}

/* Here, for the tenant's role may not create it: the extension is not a trusted one. */
static enum flow_rc
cluster_extend(struct flow *f)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	return cluster_run(m, "CREATE EXTENSION IF NOT EXISTS vector");
}

static enum flow_rc
cluster_extended(struct flow *f)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	return pg_check(f, &m->result, ERR_DATABASE, "making the extension vector");
}

static enum flow_rc
cluster_fill_row(struct flow *f)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);
	struct tenant *t = &m->row->tenant;
	const struct pg_target *admin = &m->tenants->admin.pg;

	(void)f;
	snprintf(t->host, sizeof(t->host), "%s", admin->host);
	snprintf(t->dbname, sizeof(t->dbname), "%s", m->name);
	snprintf(t->user, sizeof(t->user), "%s", m->name);
	snprintf(t->sslmode, sizeof(t->sslmode), "%s", admin->sslmode);
	snprintf(m->row->project_id, sizeof(m->row->project_id), "%s", m->name);
	t->port = admin->port;
	return FLOW_DONE;
}

static void
cluster_end(struct flow *f, const struct err *err)
{
	struct cluster_creation *m = FLOW_OF(f, struct cluster_creation, &cluster_kind);

	(void)err;
	pool_return(&m->lease, POOL_CLEAN);
	/* The administrator has no more business in a tenant's database. */
	if (m->extension_key[0] != '\0')
		pool_forget(m->tenants->pools, slice_str(m->extension_key));
	pg_clear(&m->result);
	buf_wipe(&m->sql);
	buf_free(&m->sql);
}

enum flow_rc
cluster_create(struct flow *f, struct cluster_creation *m, struct tenants *ts,
    struct tenant_row *row)
{
	m->tenants = ts;
	m->row = row;
	m->statement = 0;
	m->extension_key[0] = '\0';
	memset(&m->lease, 0, sizeof(m->lease));
	memset(&m->result, 0, sizeof(m->result));
	buf_init(&m->sql, 2048);
	name_cluster(m->name, ts->conf->environment, row->tenant.id);
	id_random(row->tenant.password, PASSWORD_LEN);
	return flow_call(f, &m->flow, &cluster_kind);
}
