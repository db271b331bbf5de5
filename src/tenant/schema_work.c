/* SPDX-License-Identifier: MIT */
/*
 * schema_work: a step, with time-outs that keep it from hurting whoever uses the table.
 *
 *	[borrow] --> [index] --> [indexed] --> [dropped] --> [apply] --> [applied]
 *	                |            | there is none             ^
 *	                | no index   +---------------------------+
 *	                +----------------------------------------+
 *
 * The time-outs are of the step's own transaction, for nothing is kept in the session: behind a
 * pooler of transactions the next statement may run in another one, and what was set in the first
 * would be found there by whoever comes next. So an index, which is made in no transaction, has
 * none: its wait keeps nobody, and ours for it has a deadline. Where it would wait for a
 * transaction that somebody has forgotten, it is not begun.
 */
#include "tenant/schema_work.h"

#include <stdio.h>
#include <string.h>

#include "tenantgate/wire/pg_sql.h"

/* Who waits to change a table keeps all who come after from it: better to try again later. To make
 * an index keeps nobody, and waits for every transaction that is under way. */
#define LOCK_WAIT_MS 500
#define SCRIPT_MAX   (64u << 10) /* bytes of a step and its time-outs */

static flow_step_fn work_borrow, work_index, work_indexed, work_dropped, work_apply, work_applied;
static flow_end_fn work_end;

static const struct flow_step work_steps[] = {
	{ "borrow", work_borrow },
	{ "index", work_index },
	{ "indexed", work_indexed },
	{ "dropped", work_dropped },
	{ "apply", work_apply },
	{ "applied", work_applied },
	{ NULL, NULL },
};

const struct flow_kind schema_work_kind = { "tenant_schema_work", work_steps, work_end, NULL };

static enum flow_rc
work_borrow(struct flow *f)
{
	struct schema_work *w = FLOW_OF(f, struct schema_work, &schema_work_kind);

	return pool_borrow(f, w->pools, w->target, &w->lease);
}

static enum flow_rc
work_run(struct schema_work *w, const char *sql, bool simple)
{
	struct pg_query q = { .sql = sql, .simple = simple, .timeout_us = w->timeout_us };

	pg_clear(&w->result);
	return pg_run(&w->flow, w->lease.conn, &q, &w->result);
}

static enum flow_rc
work_check(struct schema_work *w)
{
	return pg_check(&w->flow, &w->result, pg_reason(&w->result)->code,
	    "Bringing the tenant's tables up to date failed");
}

static enum flow_rc
work_index(struct flow *f)
{
	struct schema_work *w = FLOW_OF(f, struct schema_work, &schema_work_kind);
	struct pg_query q = {
		.sql = "SELECT (SELECT indisvalid FROM pg_catalog.pg_index WHERE"
		       " indexrelid" PG_EQUALS "pg_catalog.to_regclass($1)::pg_catalog.oid),"
		       " EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname" PG_EQUALS
		       "pg_catalog.current_database() AND state" PG_EQUALS "'idle in transaction'"
		       " AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL)"
		       " AND state_change" PG_BELOW "(" PG_NOW PG_MINUS "interval '5 seconds'))",
		.params = { PG_TEXT(w->index) },
		.param_count = 1,
		.timeout_us = w->timeout_us,
	};

	if (w->index == NULL)
		return flow_goto(f, work_apply);
	pg_clear(&w->result);
	return pg_run(f, w->lease.conn, &q, &w->result);
}

/* It is good, there is none, or a kill has left it half made. */
static enum flow_rc
work_indexed(struct flow *f)
{
	struct schema_work *w = FLOW_OF(f, struct schema_work, &schema_work_kind);
	enum flow_rc rc = work_check(w);

	if (rc != FLOW_NEXT)
		return rc;
	if (strcmp(pg_text(&w->result, 0, 0), "t") == 0)
		return FLOW_DONE;
	if (strcmp(pg_text(&w->result, 0, 1), "t") == 0)
		return flow_fail(f, ERR_DATABASE,
		    "A session of the tenant's database is idle in a transaction, for which an "
		    "index would wait. End it.");
	if (pg_value(&w->result, 0, 0).p == NULL)
		return flow_goto(f, work_apply);
	snprintf(w->drop, sizeof(w->drop), "DROP INDEX CONCURRENTLY IF EXISTS %s", w->index);
	return work_run(w, w->drop, false);
}

static enum flow_rc
work_dropped(struct flow *f)
{
	return work_check(FLOW_OF(f, struct schema_work, &schema_work_kind));
}

/* Several statements in one message are one transaction. Where we are killed the server ends it. */
static bool
work_write(struct schema_work *w)
{
	buf_init(&w->script, SCRIPT_MAX);
	buf_printf(&w->script, "SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %llu; ",
	    LOCK_WAIT_MS, (unsigned long long)(w->timeout_us / 1000));
	buf_puts(&w->script, w->sql);
	return !w->script.failed;
}

static enum flow_rc
work_apply(struct flow *f)
{
	struct schema_work *w = FLOW_OF(f, struct schema_work, &schema_work_kind);

	if (w->index != NULL)
		return work_run(w, w->sql, false);
	if (!work_write(w))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "a step of the schema");
	return work_run(w, w->script.data, true);
}

static enum flow_rc
work_applied(struct flow *f)
{
	return work_check(FLOW_OF(f, struct schema_work, &schema_work_kind));
}

/* No flow holds a connection while it waits for another database. */
static void
work_end(struct flow *f, const struct err *err)
{
	struct schema_work *w = FLOW_OF(f, struct schema_work, &schema_work_kind);

	(void)err;
	pool_return(&w->lease, POOL_CLEAN);
	buf_free(&w->script);
}
