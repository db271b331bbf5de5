/* SPDX-License-Identifier: MIT */
/*
 * migration: one attempt to bring the schema to this build's version (migrate.c).
 *
 *	[connect] --> [version] --> [compare] --> [lock] --> [apply] --> [applied]
 *	                  ^            |                                     |
 *	                  |            +-- it is ours: done                  |
 *	                  +--------------------------------------------------+
 *
 * What always holds:
 *  - One script is one transaction: the lock, a second look at the version, the script and the row
 *    that says it was applied. So a process that is killed leaves whole scripts only, and of
 *    replicas that start together one applies it and the others then find it done.
 *  - The lock is the transaction's (pg_advisory_xact_lock), and nothing is left in the session:
 *    behind a pooler of transactions (PgBouncer) the next statement may run in another one.
 *  - A schema that is of this version already is only looked at: that needs neither the lock, nor
 *    rights, nor a server that takes writes (a hot standby).
 *
 * The connection is its own, outside the pool: a pool does not tell why it could not log in.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/migration.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/worker.h"

#define VERSION_WAIT_US (10 * 1000000ull)
#define LOCK_WAIT_US	(120 * 1000000ull) /* while another replica migrates */
#define SCRIPT_WAIT_US	(60 * 1000000ull)
/* Whoever waits for a table's lock keeps all who come after it from reading the table, and with a
 * backup under way that might be for long: better to let them through and try again. */
#define TABLE_WAIT "1s"
#define SCRIPT_MAX (64 * 1024) /* bytes of one script with its frame */
/* Advisory locks are known by number, in one space for all programs of a database: this is ours,
 * and arbitrary. It never changes, or two builds would migrate at once. (Builds that took it for a
 * session exclude us, and we them: it is the same space.) */
#define LOCK_NUMBER "7236414310129743"
/* The version, and the oldest build that may serve beside all that was applied. A table of before
 * there was oldest_build has no such member: whoever does not know its last script may not. */
#define VERSION_QUERY \
	"SELECT coalesce(pg_catalog.max(version), 0), coalesce(pg_catalog.max(coalesce(" \
	"(pg_catalog.to_jsonb(s) OPERATOR(pg_catalog.->>) 'oldest_build')::int, version)), 0)" \
	" FROM public.tenantgate_schema s"
#define UNDEFINED_TABLE "42P01"
#define READ_ONLY	"25006"
#define REASON_MAX	110 /* bytes of the server's words in a sentence */
#define TLS_REASON_MAX	180 /* of ours about its certificate, which end in the CA file */

static flow_step_fn migration_connect, migration_version, migration_compare, migration_lock,
    migration_apply, migration_applied;

static const struct flow_step migration_steps[] = {
	{ "connect", migration_connect },
	{ "version", migration_version },
	{ "compare", migration_compare },
	{ "lock", migration_lock },
	{ "apply", migration_apply },
	{ "applied", migration_applied },
	{ NULL, NULL },
};

static const struct flow_kind migration_kind = { "migrate_attempt", migration_steps, NULL, NULL };

/* However the attempt ended: what it left open is rolled back by the server, or by the pooler. */
static void
migration_clean_up(void *arg)
{
	struct migration_attempt *a = arg;

	pg_clear(&a->result);
	buf_free(&a->sql);
	pg_conn_close(a->conn);
	a->conn = NULL;
}

/* SQL errors that pass: a table that others use (55P03), a deadlock or a conflict (class 40), a
 * server that is full (53), is just starting or shutting down, or ended us (57P). A cancelled
 * statement (57014) is not among them. */
bool
catalog_failure_passes(const struct pg_result *r)
{
	static const char *const passing[] = { "55P03", "40", "53", "57P", "08" };
	size_t i;

	if (r->status == PG_OK)
		return false;
	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (strncmp(r->failure.sqlstate, passing[i], strlen(passing[i])) == 0)
			return true;
	return r->status != PG_SQL_ERROR;
}

/* Without a stop at the end, whoever wrote it, and so that the sentence around it fits. */
static int
reason_length(const struct pg_failure *why)
{
	size_t n = strlen(why->message), max = why->is_tls ? TLS_REASON_MAX : REASON_MAX;

	if (n > max)
		return (int)max;
	return (int)(n > 0 && why->message[n - 1] == '.' ? n - 1 : n);
}

/* An SQL error that does not pass ends all attempts. */
static enum flow_rc
migration_check(struct migration_attempt *a, const char *what)
{
	const struct pg_failure *why = &a->result.failure;

	if (a->result.status == PG_OK)
		return FLOW_NEXT;
	if (!catalog_failure_passes(&a->result))
		a->verdict = MIGRATION_REFUSED;
	if (strcmp(why->sqlstate, READ_ONLY) == 0)
		return flow_fail(&a->flow, ERR_CATALOG,
		    "The catalog's schema is older than this build's, and its server takes no "
		    "writes; let catalog_url lead to one that does, once.");
	return flow_fail(&a->flow, ERR_CATALOG,
	    "The catalog's schema could not be migrated (%s%s%s): %.*s. Look at the database of "
	    "catalog_url.",
	    what, why->sqlstate[0] != '\0' ? ", SQLSTATE " : "", why->sqlstate, reason_length(why),
	    why->message);
}

static enum flow_rc
migration_login_failed(struct migration_attempt *a)
{
	const struct pg_failure *why = &a->result.failure;
	const char *remedy = catalog_login_remedy(why);
	int n = reason_length(why);

	if (remedy == NULL)
		return flow_fail(&a->flow, ERR_CATALOG,
		    "The catalog cannot be reached: %.*s. See whether the server of catalog_url "
		    "runs.",
		    n, why->message);
	a->verdict = MIGRATION_REFUSED;
	return flow_fail(&a->flow, ERR_CATALOG, "The catalog refuses the login: %.*s. %s.", n,
	    why->message, remedy);
}

/* simple: the simple query protocol, which alone takes several statements at once. */
static enum flow_rc
migration_execute(struct migration_attempt *a, const char *sql, bool simple, uint64_t timeout_us)
{
	struct pg_query q = { .sql = sql, .simple = simple, .timeout_us = timeout_us };

	pg_clear(&a->result);
	return pg_run(&a->flow, a->conn, &q, &a->result);
}

static enum flow_rc
migration_connect(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	struct catalog *c = a->catalog;

	return pg_connect(f, c->dns[worker_index(f->worker)], &c->target.pg, c->connect_timeout_us,
	    &a->conn, &a->result);
}

/* Each of the next steps checks the statement of the one before. */
static enum flow_rc
migration_version(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);

	if (a->conn == NULL)
		return migration_login_failed(a);
	return migration_execute(a, VERSION_QUERY, false, VERSION_WAIT_US);
}

/* A schema from the future is used only where it says that we may: else its columns may mean what
 * we do not know. */
static enum flow_rc
migration_read_version(struct migration_attempt *a)
{
	long version = strtol(pg_text(&a->result, 0, 0), NULL, 10);
	long oldest = strtol(pg_text(&a->result, 0, 1), NULL, 10);

	if (version < 0 || oldest < 0 || (size_t)oldest > schema_script_count) {
		a->verdict = MIGRATION_REFUSED;
		return flow_fail(&a->flow, ERR_CATALOG,
		    "The catalog's schema is at version %ld, beside which builds serve that know "
		    "%ld, and this build knows %zu. Run a newer tenantgate.",
		    version, oldest, schema_script_count);
	}
	if ((size_t)version > schema_script_count)
		log_event(LOG_NOTICE, "catalog.newer", NULL,
		    "The catalog's schema is at version %ld, of a newer build, and this build "
		    "knows %zu; it serves beside it.",
		    version, schema_script_count);
	a->script = (size_t)version;
	return FLOW_NEXT;
}

/* A database without the table has no version yet: that is 0. */
static enum flow_rc
migration_compare(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	enum flow_rc rc;

	if (a->result.status == PG_SQL_ERROR &&
	    strcmp(a->result.failure.sqlstate, UNDEFINED_TABLE) == 0)
		return FLOW_NEXT;
	rc = migration_check(a, "version");
	if (rc == FLOW_NEXT)
		rc = migration_read_version(a);
	if (rc != FLOW_NEXT || a->script < schema_script_count)
		return rc;
	a->verdict = MIGRATION_DONE;
	return FLOW_DONE;
}

/*
 * The version is read once more behind the lock, by a statement of its own and so with what others
 * committed before they gave the lock away: hence READ COMMITTED, whatever the role's default is. A
 * role's statement_timeout must not end the wait; that for tables is short (TABLE_WAIT), that for
 * the lock is not. The scripts' names without a schema are the server's own.
 */
static enum flow_rc
migration_lock(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);

	return migration_execute(a,
	    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = pg_catalog, pg_temp;"
	    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
	    "SET LOCAL standard_conforming_strings = on;"
	    "SELECT pg_advisory_xact_lock(" LOCK_NUMBER ");"
	    "SET LOCAL lock_timeout = '" TABLE_WAIT "';"
	    "CREATE TABLE IF NOT EXISTS public.tenantgate_schema ("
	    "version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());"
	    "ALTER TABLE public.tenantgate_schema ADD COLUMN IF NOT EXISTS oldest_build "
	    "int;" VERSION_QUERY,
	    true, LOCK_WAIT_US);
}

/* The script and its version's row end the transaction: applied and recorded, or neither. When a
 * statement fails the server skips the rest, COMMIT too. */
static enum flow_rc
migration_apply(struct flow *f)
{
	struct migration_attempt *a = FLOW_OF(f, struct migration_attempt, &migration_kind);
	enum flow_rc rc = migration_check(a, "version table");
	const struct schema_script *s;

	if (rc == FLOW_NEXT)
		rc = migration_read_version(a);
	if (rc != FLOW_NEXT)
		return rc;
	if (a->script >= schema_script_count) /* by another replica, meanwhile */
		return migration_execute(a, "COMMIT", true, SCRIPT_WAIT_US);
	s = &schema_scripts[a->script];
	assert(s->version == (int)a->script + 1);
	buf_reset(&a->sql);
	buf_printf(&a->sql,
	    "%s INSERT INTO public.tenantgate_schema (version, oldest_build)"
	    " VALUES (%d, nullif(%d, 0)); COMMIT",
	    s->sql, s->version, s->oldest_build);
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
	bool by_us = a->script < schema_script_count;
	const struct schema_script *s = by_us ? &schema_scripts[a->script] : NULL;
	enum flow_rc rc = migration_check(a, by_us ? s->what : "commit");

	if (rc != FLOW_NEXT)
		return rc;
	if (by_us)
		log_event(LOG_NOTICE, "catalog.migrated", NULL,
		    "The catalog's schema is at version %d now (%s).", s->version, s->what);
	return flow_goto(f, migration_version);
}

enum flow_rc
migration_run(struct flow *f, struct migration_attempt *a, struct err *why, uint64_t patience_us)
{
	enum flow_rc rc;

	a->verdict = MIGRATION_UNREACHED;
	buf_init(&a->sql, SCRIPT_MAX);
	rc = flow_try(f, &a->flow, &migration_kind, why);
	flow_defer(&a->flow, migration_clean_up, a);
	if (patience_us > 0)
		flow_deadline(&a->flow, patience_us);
	return rc;
}
