/* SPDX-License-Identifier: MIT */
/*
 * migrate: brings the catalog's schema to this build's version.
 *
 *	migrate:  [attempt] --> [check] --> done, or failed
 *	              ^            |
 *	              +-- sleep <--+  the catalog cannot be reached, or others use a table
 *
 *	attempt:  [borrow] -> [lock] -> [table] -> [version] -> [compare]
 *	              +------------------------------------------------+
 *	              v
 *	          [apply] <-> [applied] -> [unlock]
 *
 * What always holds: scripts run under one advisory lock on one connection, each in a transaction
 * of its own together with the row that says it was applied. So a process that is killed leaves
 * whole scripts only, and the server gives the lock away when its connection breaks. A replica
 * that lost the race waits for the lock and then finds nothing to do.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/catalog_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"

#define LOCK_WAIT_US   (120 * 1000000ull) /* while another replica migrates */
#define SCRIPT_WAIT_US (60 * 1000000ull)
/* Whoever waits for a table's lock keeps all who come after it from reading the table, and with a
 * backup under way that might be for long: better to let them through and try again. */
#define TABLE_WAIT     "1s"
#define LOCK_TIMED_OUT "55P03"
#define SCRIPT_MAX     (64 * 1024) /* bytes of one script with its frame */
/* Advisory locks are known by number, in one space for all programs of a database: this is ours,
 * and arbitrary. It never changes, or two builds would migrate at once. */
#define LOCK_NUMBER "7236414310129743"

static const struct backoff migrate_backoff = { 250 * 1000, 2 * 1000000, 200 };

enum migration_verdict {
	MIGRATION_UNREACHED, /* no connection, it broke, no lock: worth another attempt */
	MIGRATION_REFUSED,   /* the schema is too new, or a statement failed: it would again */
	MIGRATION_DONE,
};

struct migration_attempt {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	enum migration_verdict verdict;
	struct pool_lease lease; /* one connection throughout: the lock is its session's */
	struct pg_result result; /* owned */
	struct buf sql;		 /* owned */
	size_t script;		 /* index of the next to apply */
};

struct migration {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	struct migration_attempt migration_attempt;
	struct err why; /* the last attempt's */
	struct timer backoff;
	unsigned tries; /* that did not reach the catalog */
};

static flow_step_fn migration_borrow, migration_lock, migration_table, migration_version,
    migration_compare, migration_apply, migration_applied, migration_unlock;

static const struct flow_step migration_steps[] = {
	{ "borrow", migration_borrow },
	{ "lock", migration_lock },
	{ "table", migration_table },
	{ "version", migration_version },
	{ "compare", migration_compare },
	{ "apply", migration_apply },
	{ "applied", migration_applied },
	{ "unlock", migration_unlock },
	{ NULL, NULL },
};

static const struct flow_kind migration_kind = { "migrate_attempt", migration_steps, NULL, NULL };

static flow_step_fn migrate_try, migrate_check;
static flow_release_fn migrate_release;

static const struct flow_step migrate_steps[] = {
	{ "attempt", migrate_try },
	{ "check", migrate_check },
	{ NULL, NULL },
};

static const struct flow_kind migrate_kind = { "migrate", migrate_steps, NULL, migrate_release };

/* ---- one attempt ---- */

/* However the attempt ended. Dirty: the pool resets the session, which takes an advisory lock or a
 * transaction left open from it. */
static void
migration_clean_up(void *arg)
{
	struct migration_attempt *a = arg;

	pg_clear(&a->result);
	buf_free(&a->sql);
	pool_return(&a->lease, POOL_DIRTY);
}

/* A lost connection or a table that others use is worth another attempt, any other SQL error is
 * not. */
static enum flow_rc
migration_check(struct migration_attempt *a, const char *what)
{
	const struct pg_failure *why = &a->result.failure;

	if (a->result.status == PG_OK)
		return FLOW_NEXT;
	if (a->result.status == PG_SQL_ERROR && strcmp(why->sqlstate, LOCK_TIMED_OUT) != 0)
		a->verdict = MIGRATION_REFUSED;
	return flow_fail(&a->flow, ERR_CATALOG,
	    "The catalog's schema could not be migrated (%s%s%s); look at the server of "
	    "catalog_url: %s",
	    what, why->sqlstate[0] != '\0' ? ", SQLSTATE " : "", why->sqlstate, why->message);
}

/* simple: the simple query protocol, which alone takes several statements at once. */
static enum flow_rc
migration_execute(struct migration_attempt *a, const char *sql, bool simple, uint64_t timeout_us)
{
	struct pg_query q = { .sql = sql, .simple = simple, .timeout_us = timeout_us };

	pg_clear(&a->result);
	return pg_run(&a->flow, a->lease.conn, &q, &a->result);
}

static enum flow_rc
migration_borrow(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);

	return pool_borrow(f, a->catalog->pools, &a->catalog->target, &a->lease);
}

/* A session's lock, not a transaction's: it covers all scripts. Each of the next steps checks the
 * statement of the one before. */
static enum flow_rc
migration_lock(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);

	return migration_execute(a, "SELECT pg_advisory_lock(" LOCK_NUMBER ")", false,
	    LOCK_WAIT_US);
}

static enum flow_rc
migration_table(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	enum flow_rc rc = migration_check(a, "lock");

	if (rc != FLOW_NEXT)
		return rc;
	return migration_execute(a,
	    "CREATE TABLE IF NOT EXISTS public.tenantgate_schema ("
	    "version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
	    false, SCRIPT_WAIT_US);
}

static enum flow_rc
migration_version(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	enum flow_rc rc = migration_check(a, "version table");

	if (rc != FLOW_NEXT)
		return rc;
	return migration_execute(a,
	    "SELECT coalesce(max(version), 0) FROM public.tenantgate_schema", false,
	    SCRIPT_WAIT_US);
}

/* A schema from the future is refused rather than used: its columns may mean what we do not
 * know. */
static enum flow_rc
migration_compare(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	enum flow_rc rc = migration_check(a, "version");
	long version;

	if (rc != FLOW_NEXT)
		return rc;
	version = strtol(pg_text(&a->result, 0, 0), NULL, 10);
	if (version < 0 || (size_t)version > schema_script_count) {
		a->verdict = MIGRATION_REFUSED;
		return flow_fail(f, ERR_CATALOG,
		    "The catalog's schema is at version %ld and this build knows %zu. Run a newer "
		    "tenantgate.",
		    version, schema_script_count);
	}
	a->script = (size_t)version;
	return FLOW_NEXT;
}

/* The script and its version's row in one transaction: applied and recorded, or neither. When a
 * statement fails the server skips the rest, COMMIT too, and the reset rolls back. */
static enum flow_rc
migration_apply(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	const struct schema_script *s = &schema_scripts[a->script];

	if (a->script == schema_script_count)
		return FLOW_NEXT;
	assert(s->version == (int)a->script + 1);
	buf_reset(&a->sql);
	buf_printf(&a->sql,
	    "BEGIN; SET LOCAL lock_timeout = '" TABLE_WAIT "'; "
	    "%s INSERT INTO public.tenantgate_schema (version) VALUES (%d); COMMIT",
	    s->sql, s->version);
	if (a->sql.failed)
		return flow_fail(f, ERR_INTERNAL,
		    "Schema script %d does not fit its buffer. Please report this fault.",
		    s->version);
	return migration_execute(a, a->sql.data, true, SCRIPT_WAIT_US);
}

static enum flow_rc
migration_applied(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	const struct schema_script *s = &schema_scripts[a->script];
	enum flow_rc rc;

	if (a->script == schema_script_count)
		return FLOW_NEXT;
	rc = migration_check(a, s->what);
	if (rc != FLOW_NEXT)
		return rc;
	log_event(LOG_NOTICE, "catalog.migrated", NULL,
	    "The catalog's schema is at version %d now (%s).", s->version, s->what);
	a->script++;
	return flow_goto(f, migration_apply);
}

/* All is committed by now, so the outcome of this statement changes nothing. */
static enum flow_rc
migration_unlock(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);

	a->verdict = MIGRATION_DONE;
	return migration_execute(a, "SELECT pg_advisory_unlock(" LOCK_NUMBER ")", false,
	    SCRIPT_WAIT_US);
}

/* ---- attempts, until one is done or refused ---- */

static enum flow_rc
migrate_try(struct flow *f)
{
	struct migration *m = FLOW_OF(f, struct migration, &migrate_kind);
	struct migration_attempt *a = &m->migration_attempt;
	enum flow_rc rc;

	a->catalog = m->catalog;
	a->verdict = MIGRATION_UNREACHED;
	buf_init(&a->sql, SCRIPT_MAX);
	rc = flow_try(f, &a->flow, &migration_kind, &m->why);
	flow_defer(&a->flow, migration_clean_up, a);
	return rc;
}

/* The cause, where one is known: an operator reads it, and it is no tenant's database. */
static const char *
migrate_why(const struct migration *m)
{
	return m->why.cause[0] != '\0' ? m->why.cause : m->why.detail;
}

/* At a start the database may come up after us: only what waiting cannot change is final. */
static enum flow_rc
migrate_check(struct flow *f)
{
	struct migration *m = FLOW_OF(f, struct migration, &migrate_kind);

	switch (m->migration_attempt.verdict) {
	case MIGRATION_DONE:
		atomic_store_explicit(&m->catalog->reached, true, memory_order_relaxed);
		return FLOW_DONE;
	case MIGRATION_REFUSED:
		return flow_fail(f, ERR_CATALOG, "%s", migrate_why(m));
	case MIGRATION_UNREACHED:
		break;
	}
	log_event(LOG_WARNING, "catalog.unreachable", NULL, "%s", migrate_why(m));
	flow_goto(f, migrate_try);
	return flow_sleep(f, &m->backoff, backoff_us(&migrate_backoff, ++m->tries, 0));
}

static void
migrate_release(struct flow *f)
{
	free(f);
}

enum flow_rc
catalog_migrate(struct flow *f, struct catalog *c)
{
	struct migration *m = xcalloc(1, sizeof(*m));

	m->catalog = c;
	return flow_call(f, &m->flow, &migrate_kind);
}
