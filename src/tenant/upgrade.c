/* SPDX-License-Identifier: MIT */
/*
 * upgrade: brings the schema of a ready tenant's database to this build's version, behind the
 * requests, which go on with the statements of the version that its row names.
 *
 *	[claim] --> [claimed] --> nothing to do, or another's: done
 *	   ^            |
 *	   |            v                                          more steps
 *	   |         [work], a step of the schema: [worked] --------------------> [claim]
 *	   |                                          |    \--> none left: [note] --> [noted]
 *	   |                                          v
 *	   +--(a later contact)-- [told] <--- failed: [tell]
 *
 * What always holds:
 *  - One such flow a tenant in a process, by an entry that stays for a while after it; over all
 *    replicas the row's lease decides (row_upgrade_claim), renewed before each step for as long as
 *    that step may take.
 *  - A step is one statement, harmless when repeated, in a transaction of its own; an index is made
 *    CONCURRENTLY, in none, and one that a kill left invalid is dropped first. So a process may be
 *    killed anywhere, and the next contact after the lease begins at the row's version again.
 *  - No table is rewritten, and none is waited for longer than a moment: who waits for
 *    a lock keeps all who come after from the table (schema_work.c).
 *  - The row's version is written last, so nobody uses what is not there. A database that is older
 *    than its row says (it was set back in time) is found out by a statement that fails: its
 *    version is then in doubt (0), and all is made that is not there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/row.h"
#include "tenant/schema_work.h"
#include "tenant/tenant_internal.h"
#include "tenant/tenants_shared.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define UPGRADES_MAX	   8 /* in a process at a time: a new build meets all tenants at once */
#define LOCK_NOT_AVAILABLE "55P03"
#define STEP_US		   (60 * 1000000ull)
#define INDEX_US	   (900 * 1000000ull) /* the index of a large table */
#define LEASE_SPARE_S	   30		      /* for the catalog's statements around a step */
#define AGAIN_US	   (5 * 1000000ull) /* until a tenant's row is looked at again from here */
#define RETRY_S		   60		    /* after a failure that may last */
#define RETRY_SOON_S	   10 /* others use the table, or the database was not reached */

struct upgrade {
	struct flow flow;
	struct schema_work work;
	struct tenants *tenants; /* borrowed */
	struct tenant tenant;	 /* wiped at the end */
	char attempt_id[ATTEMPT_ID_LEN + 1];
	char version[12], lease_s[12];
	int from;	    /* the row's version; 0: in doubt */
	unsigned statement; /* of the whole schema, when in doubt */
	unsigned step;	    /* index into conf->schema_steps */
	struct pool_target target;
	char key[TENANT_KEY_SIZE], key_apart[sizeof("upgrade:") + TENANT_ID_MAX];
	struct pg_result result; /* owned */
	struct err why;		 /* the work's failure */
	char last_error[512];
};

static flow_step_fn upgrade_claim, upgrade_claimed, upgrade_work, upgrade_worked, upgrade_note,
    upgrade_noted, upgrade_tell, upgrade_told;
static flow_end_fn upgrade_end;
static flow_release_fn upgrade_release;

static const struct flow_step upgrade_steps[] = {
	{ "claim", upgrade_claim },
	{ "claimed", upgrade_claimed },
	{ "work", upgrade_work },
	{ "worked", upgrade_worked },
	{ "note", upgrade_note },
	{ "noted", upgrade_noted },
	{ "tell", upgrade_tell },
	{ "told", upgrade_told },
	{ NULL, NULL },
};

static const struct flow_kind upgrade_kind = { "tenant_upgrade", upgrade_steps, upgrade_end,
	upgrade_release };

/* ---- what is to be done ---- */

static const char *
whole_statement(const struct upgrade *u)
{
	return u->from == 0 ? u->tenants->conf->schema[u->statement] : NULL;
}

/* The next step of a version that the database has not; NULL: there is none. */
static const struct tenant_schema_step *
upgrade_step(struct upgrade *u)
{
	const struct tenants_conf *conf = u->tenants->conf;

	while (u->step < conf->schema_step_count && conf->schema_steps[u->step].version <= u->from)
		u->step++;
	return u->step < conf->schema_step_count ? &conf->schema_steps[u->step] : NULL;
}

static const char *
index_name(struct upgrade *u)
{
	const struct tenant_schema_step *step = upgrade_step(u);

	return whole_statement(u) == NULL && step != NULL ? step->index : NULL;
}

static uint64_t
step_timeout_us(struct upgrade *u)
{
	return index_name(u) != NULL ? INDEX_US : STEP_US;
}

static bool
upgrade_is_done(struct upgrade *u)
{
	return whole_statement(u) == NULL && upgrade_step(u) == NULL;
}

/* ---- the row, and one step after another ---- */

static struct row_upgrade
upgrade_row(const struct upgrade *u)
{
	return (struct row_upgrade){ u->tenant.id, u->attempt_id, u->version, u->lease_s };
}

static void
lease_set(struct upgrade *u, uint64_t seconds)
{
	snprintf(u->lease_s, sizeof(u->lease_s), "%u", (unsigned)seconds);
}

static enum flow_rc
upgrade_claim(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);
	struct row_upgrade row;

	lease_set(u, step_timeout_us(u) / 1000000 + LEASE_SPARE_S);
	row = upgrade_row(u);
	pg_clear(&u->result);
	return row_upgrade_claim(f, u->tenants->catalog, &row, &u->result);
}

/* No row: another replica is at it, has done it, or has failed a moment ago. */
static enum flow_rc
upgrade_claimed(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);
	enum flow_rc rc = catalog_check(f, &u->result, "tenant's schema");

	if (rc != FLOW_NEXT || pg_rows(&u->result) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	u->from = (int)strtol(pg_text(&u->result, 0, 0), NULL, 10);
	return upgrade_is_done(u) ? flow_goto(f, upgrade_note) : FLOW_NEXT;
}

static enum flow_rc
upgrade_work(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);
	const char *whole = whole_statement(u);

	pg_clear(&u->work.result);
	u->work = (struct schema_work){
		.pools = u->tenants->pools,
		.target = &u->target,
		.sql = whole != NULL ? whole : upgrade_step(u)->sql,
		.index = index_name(u),
		.timeout_us = step_timeout_us(u),
	};
	return flow_try(f, &u->work.flow, &schema_work_kind, &u->why);
}

static enum flow_rc
upgrade_worked(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);

	if (err_is(&u->why))
		return flow_goto(f, upgrade_tell);
	if (whole_statement(u) != NULL)
		u->statement++;
	else
		u->step++;
	return flow_goto(f, upgrade_claim);
}

static enum flow_rc
upgrade_note(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);
	struct row_upgrade row = upgrade_row(u);

	pg_clear(&u->result);
	return row_upgrade_done(f, u->tenants->catalog, &row, &u->result);
}

static enum flow_rc
upgrade_noted(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);
	enum flow_rc rc = catalog_check(f, &u->result, "tenant's schema");

	if (rc != FLOW_NEXT || pg_changed(&u->result) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	log_event(LOG_NOTICE, "tenant.upgraded", NULL,
	    "Tenant %s's database is at schema version %s now; it was at %d.", u->tenant.id,
	    u->version, u->from);
	tenant_forget(u->tenants, u->tenant.id);
	return FLOW_DONE;
}

/* Others use the table, or the database was not reached: soon again. */
static bool
failure_passes(const struct upgrade *u)
{
	return strncmp(u->work.result.failure.sqlstate, LOCK_NOT_AVAILABLE,
		   strlen(LOCK_NOT_AVAILABLE)) == 0 ||
	    u->why.code == ERR_OUTDATED || u->why.code == ERR_DATABASE_AWAY ||
	    u->why.code == ERR_OVERLOADED || u->why.code == ERR_POOL_TIMEOUT;
}

static enum flow_rc
upgrade_tell(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);
	struct row_upgrade row;

	log_event(LOG_WARNING, "tenant.upgrade_failed", NULL,
	    "Tenant %s's database stays at schema version %d, with which it goes on, and is tried "
	    "again: %s %s",
	    u->tenant.id, u->from, u->why.detail, u->why.cause);
	row_error_write(u->last_error, sizeof(u->last_error), &u->why);
	lease_set(u, failure_passes(u) ? RETRY_SOON_S : RETRY_S);
	row = upgrade_row(u);
	pg_clear(&u->result);
	return row_upgrade_failed(f, u->tenants->catalog, &row, u->last_error,
	    u->why.code == ERR_OUTDATED, &u->result);
}

static enum flow_rc
upgrade_told(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);
	enum flow_rc rc = catalog_check(f, &u->result, "tenant's schema");

	return rc == FLOW_NEXT ? FLOW_DONE : rc;
}

/* ---- beginning and end ---- */

/* An index waits for every transaction under way in the database, a forgotten one too. Where the
 * tenant may have one connection that would be its only one: so there is another, for as long as
 * the upgrade lasts. */
static void
upgrade_connect_apart(struct upgrade *u)
{
	snprintf(u->key_apart, sizeof(u->key_apart), "upgrade:%s", u->tenant.id);
	u->target.key = slice_str(u->key_apart);
}

static void
upgrade_end(struct flow *f, const struct err *err)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);

	(void)err; /* the catalog's failure, or a shutdown: a later contact begins again */
	if (u->key_apart[0] != '\0')
		pool_forget(u->tenants->pools, u->target.key);
	atomic_fetch_sub(&u->tenants->shared->upgrades_running, 1);
	pg_clear(&u->result);
	pg_clear(&u->work.result);
}

static void
upgrade_release(struct flow *f)
{
	struct upgrade *u = FLOW_OF(f, struct upgrade, &upgrade_kind);

	bytes_wipe(&u->tenant, sizeof(u->tenant));
	free(u);
}

void
tenant_upgrade(struct tenants *ts, const struct tenant *t)
{
	struct upgrade *u;

	if (t->state != TENANT_READY || t->schema_version >= ts->conf->schema_version ||
	    !shared_upgrade_begin(ts->shared, t->id, AGAIN_US))
		return;
	if (atomic_fetch_add(&ts->shared->upgrades_running, 1) >= UPGRADES_MAX) {
		atomic_fetch_sub(&ts->shared->upgrades_running, 1);
		return;
	}
	u = xcalloc(1, sizeof(*u));
	u->tenants = ts;
	u->tenant = *t;
	id_random(u->attempt_id, ATTEMPT_ID_LEN);
	snprintf(u->version, sizeof(u->version), "%d", ts->conf->schema_version);
	u->from = t->schema_version;
	tenant_target(&u->tenant, &u->target, u->key);
	if (u->target.size == 1)
		upgrade_connect_apart(u);
	flow_start(&u->flow, &upgrade_kind, ts->worker, NULL);
}
