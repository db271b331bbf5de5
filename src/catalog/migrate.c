/* SPDX-License-Identifier: MIT */
/*
 * migrate: brings the catalog's schema to this build's version.
 *
 *	migrate:  [attempt] --> [judge] --> done, or failed
 *	              ^             |
 *	              +--- [nap] <--+  the catalog cannot be reached
 *
 *	attempt:  borrow -> lock -> table -> version -> apply ... apply -> unlock
 *
 * What always holds: scripts run under one advisory lock on one connection, each in a transaction
 * of its own together with the row that says it was applied. A replica that lost the race finds
 * nothing to do.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/catalog_room.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"

#define LOCK_WAIT_US   (120 * 1000000ull)
#define SCRIPT_WAIT_US (60 * 1000000ull)
#define SCRIPT_MAX     (64 * 1024)
/* An arbitrary number that is ours in the main database. */
#define LOCK_NUMBER "7236414310129743"

static const struct backoff migrate_backoff = { 250 * 1000, 2 * 1000000, 200 };

enum attempt_verdict {
	ATTEMPT_UNREACHED, /* nothing wrong that waiting may not mend */
	ATTEMPT_REFUSED,   /* the schema or the server says no */
	ATTEMPT_DONE,
};

struct attempt {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	enum attempt_verdict verdict;
	struct pool_lease lease;
	struct pg_result result; /* owned */
	struct buf sql;		 /* owned */
	size_t script;		 /* the next to apply */
};

struct migration {
	struct flow flow;
	struct catalog *catalog; /* borrowed */
	struct attempt attempt;
	struct err why; /* the last attempt's */
	struct timer nap;
	unsigned tries; /* that did not reach the catalog */
};

/* ---- one attempt ---- */

static void
attempt_clean_up(void *arg)
{
	struct attempt *a = arg;

	pg_clear(&a->result);
	buf_free(&a->sql);
	pool_return(&a->lease, POOL_DIRTY);
}

/* A lost connection is worth another attempt, an SQL error is not. */
static enum flow_rc
attempt_check(struct attempt *a, const char *what)
{
	const struct pg_failure *why = &a->result.failure;

	if (a->result.status == PG_OK)
		return FLOW_NEXT;
	if (a->result.status == PG_SQL_ERROR)
		a->verdict = ATTEMPT_REFUSED;
	return flow_fail(&a->flow, ERR_CATALOG, "catalog schema, %s: %s %s", what, why->sqlstate,
	    why->message);
}

static enum flow_rc
attempt_say(struct attempt *a, const char *sql, bool simple, uint64_t timeout_us)
{
	struct pg_query q = { .sql = sql, .simple = simple, .timeout_us = timeout_us };

	pg_clear(&a->result);
	return pg_run(&a->flow, a->lease.conn, &q, &a->result);
}

static enum flow_rc
attempt_borrow(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;

	return pool_borrow(f, a->catalog->pools, &a->catalog->target, &a->lease);
}

static enum flow_rc
attempt_lock(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;

	return attempt_say(a, "SELECT pg_advisory_lock(" LOCK_NUMBER ")", false, LOCK_WAIT_US);
}

static enum flow_rc
attempt_table(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;
	enum flow_rc rc = attempt_check(a, "lock");

	if (rc != FLOW_NEXT)
		return rc;
	return attempt_say(a,
	    "CREATE TABLE IF NOT EXISTS public.tenantgate_schema ("
	    "version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
	    false, SCRIPT_WAIT_US);
}

static enum flow_rc
attempt_version(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;
	enum flow_rc rc = attempt_check(a, "version table");

	if (rc != FLOW_NEXT)
		return rc;
	return attempt_say(a, "SELECT coalesce(max(version), 0) FROM public.tenantgate_schema",
	    false, SCRIPT_WAIT_US);
}

static enum flow_rc
attempt_compare(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;
	enum flow_rc rc = attempt_check(a, "version");
	long version;

	if (rc != FLOW_NEXT)
		return rc;
	version = strtol(pg_text(&a->result, 0, 0), NULL, 10);
	if (version < 0 || (size_t)version > schema_script_count) {
		a->verdict = ATTEMPT_REFUSED;
		return flow_fail(f, ERR_CATALOG,
		    "the catalog's schema is at version %ld, this "
		    "build knows %zu: run a newer tenantgate",
		    version, schema_script_count);
	}
	a->script = (size_t)version;
	return FLOW_NEXT;
}

static enum flow_rc
attempt_apply(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;
	const struct schema_script *s = &schema_scripts[a->script];

	if (a->script == schema_script_count)
		return FLOW_NEXT;
	assert(s->version == (int)a->script + 1);
	buf_reset(&a->sql);
	buf_printf(&a->sql,
	    "BEGIN; %s INSERT INTO public.tenantgate_schema (version) VALUES (%d); "
	    "COMMIT",
	    s->sql, s->version);
	if (a->sql.failed)
		return flow_fail(f, ERR_INTERNAL, "a schema script is too long");
	return attempt_say(a, a->sql.data, true, SCRIPT_WAIT_US);
}

static enum flow_rc
attempt_applied(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;
	const struct schema_script *s = &schema_scripts[a->script];
	enum flow_rc rc;

	if (a->script == schema_script_count)
		return FLOW_NEXT;
	rc = attempt_check(a, s->what);
	if (rc != FLOW_NEXT)
		return rc;
	log_event(LOG_NOTICE, "catalog.migrated", NULL, "schema version %d: %s", s->version,
	    s->what);
	a->script++;
	return flow_goto(f, attempt_apply);
}

static enum flow_rc
attempt_unlock(struct flow *f)
{
	struct attempt *a = (struct attempt *)f;

	a->verdict = ATTEMPT_DONE;
	return attempt_say(a, "SELECT pg_advisory_unlock(" LOCK_NUMBER ")", false, SCRIPT_WAIT_US);
}

static const struct flow_step attempt_steps[] = {
	{ "borrow", attempt_borrow },
	{ "lock", attempt_lock },
	{ "table", attempt_table },
	{ "version", attempt_version },
	{ "compare", attempt_compare },
	{ "apply", attempt_apply },
	{ "applied", attempt_applied },
	{ "unlock", attempt_unlock },
	{ NULL, NULL },
};

static const struct flow_kind attempt_kind = { "migrate_attempt", attempt_steps, NULL, NULL };

/* ---- attempts until one tells ---- */

static enum flow_rc
migrate_attempt(struct flow *f)
{
	struct migration *m = (struct migration *)f;
	struct attempt *a = &m->attempt;
	enum flow_rc rc;

	a->catalog = m->catalog;
	a->verdict = ATTEMPT_UNREACHED;
	buf_init(&a->sql, SCRIPT_MAX);
	rc = flow_try(f, &a->flow, &attempt_kind, &m->why);
	flow_defer(&a->flow, attempt_clean_up, a);
	return rc;
}

static enum flow_rc
migrate_judge(struct flow *f)
{
	struct migration *m = (struct migration *)f;

	switch (m->attempt.verdict) {
	case ATTEMPT_DONE:
		atomic_store_explicit(&m->catalog->reached, true, memory_order_relaxed);
		return FLOW_DONE;
	case ATTEMPT_REFUSED:
		return flow_fail(f, ERR_CATALOG, "%s", m->why.detail);
	case ATTEMPT_UNREACHED:
		break;
	}
	log_event(LOG_WARNING, "catalog.unreachable", NULL, "%s", m->why.detail);
	return flow_sleep(f, &m->nap, backoff_us(&migrate_backoff, ++m->tries, 0));
}

static enum flow_rc
migrate_again(struct flow *f)
{
	return flow_goto(f, migrate_attempt);
}

static const struct flow_step migrate_steps[] = {
	{ "attempt", migrate_attempt },
	{ "judge", migrate_judge },
	{ "again", migrate_again },
	{ NULL, NULL },
};

static void
migrate_release(struct flow *f)
{
	free(f);
}

static const struct flow_kind migrate_kind = { "migrate", migrate_steps, NULL, migrate_release };

enum flow_rc
catalog_migrate(struct flow *f, struct catalog *c)
{
	struct migration *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return flow_fail(f, ERR_OVERLOADED, "no memory for a migration");
	m->catalog = c;
	return flow_call(f, &m->flow, &migrate_kind);
}
