/* SPDX-License-Identifier: MIT */
/*
 * attempt: makes a tenant's database ready.
 *
 *	[create] --> [save] --> [wait] --> [waited] --> [login] <--> sleep
 *	   ^                                   |           |
 *	   +-----------------------------------+           v
 *	     once: Neon does not know the project       [owner]
 *	                                                   |
 *	                                                   v
 *	                                               [schema] <--> [schema_applied]
 *	                                                                   |
 *	                                          [done] <-- [ready] <-----+
 *
 * What always holds:
 *  - What the provider gave is in the catalog, in one write, before anything is done with it. So a
 *    database that tenantgate has used is never forgotten, whatever is killed when.
 *  - A row that is complete asks for no creation: the attempt goes on from [save].
 *  - The database has the tenant's mark before anything is laid into it: what is another's, by
 *    whatever address, is left as it is.
 *  - Every step may be repeated by a later attempt: saving the same values, waiting, logging in,
 *    and the schema's statements change nothing the second time.
 *  - The union holds one child at a time: what outlives it is copied out of it.
 */
#include "tenant/attempt.h"
#include "tenant/removal_claim.h"

#include <stdio.h>

#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"

#define LOGINS_MAX    14
#define SCHEMA_MAX_US (60 * 1000000ull) /* one statement of the schema */

/* Between logins. Neon says that a new project takes its first connection after a second or two;
 * its proxy itself waits about 7 s for a compute to wake. */
static const struct backoff attempt_backoff = { 300 * 1000, 2 * 1000000, 200 };

static flow_step_fn attempt_login_borrow;

static const struct flow_step attempt_login_steps[] = { { "borrow", attempt_login_borrow },
	{ NULL, NULL } };

static const struct flow_kind attempt_login_kind = { "tenant_login", attempt_login_steps, NULL,
	NULL };

static flow_step_fn attempt_create, attempt_claims, attempt_save, attempt_wait, attempt_waited,
    attempt_login, attempt_logged_in, attempt_login_told, attempt_owner, attempt_schema,
    attempt_schema_applied, attempt_ready, attempt_done;
static flow_end_fn attempt_end;

static const struct flow_step attempt_steps[] = {
	{ "create", attempt_create },
	{ "claims", attempt_claims },
	{ "save", attempt_save },
	{ "wait", attempt_wait },
	{ "waited", attempt_waited },
	{ "login", attempt_login },
	{ "logged_in", attempt_logged_in },
	{ "login_told", attempt_login_told },
	{ "owner", attempt_owner },
	{ "schema", attempt_schema },
	{ "schema_applied", attempt_schema_applied },
	{ "ready", attempt_ready },
	{ "done", attempt_done },
	{ NULL, NULL },
};

const struct flow_kind attempt_kind = { "tenant_attempt", attempt_steps, attempt_end, NULL };

/* ---- the database ---- */

/* Of a row that was adopted by its URL nobody has made the database. */
static bool
attempt_is_of(const struct attempt *a, enum tenant_provider provider)
{
	return a->tenants->conf->provider == provider && a->row->tenant.provider != PROVIDER_URL;
}

/* Passed over when an earlier attempt has saved all that is needed to connect. */
static enum flow_rc
attempt_create(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	if (row_is_complete(a->row))
		return FLOW_NEXT;
	if (a->row->tenant.provider == PROVIDER_URL)
		return flow_fail(f, ERR_DATABASE,
		    "The address of the tenant's database is not whole. The operator should adopt "
		    "its URL again.");
	memset(&a->child, 0, sizeof(a->child));
	if (attempt_is_of(a, PROVIDER_POSTGRES))
		return cluster_create(f, &a->child.cluster, a->tenants, a->row);
	return neon_create(f, &a->child.neon, a->tenants, a->row);
}

/* One that was found may be being removed as an orphan: then [save] is refused. A removal that was
 * killed long ago keeps nobody out. */
static enum flow_rc
attempt_claims(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	if (!attempt_is_of(a, PROVIDER_NEON) || a->row->is_new)
		return FLOW_NEXT;
	return removal_claim_expire(f, a->tenants->catalog, a->row->project_id, &a->result);
}

/* The write that ends the uncertainty of a creation: address and password in, posted_at out.
 * Refused when another attempt has the row; that one finds the project by its name. */
static enum flow_rc
attempt_save(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	snprintf(a->port, sizeof(a->port), "%u", (unsigned)a->row->tenant.port);
	if (!row_seal(a->tenants->seal, &a->row->tenant, &a->sealed))
		return flow_fail(f, ERR_INTERNAL,
		    "The tenant's password could not be encrypted for the catalog. The operator "
		    "should look at seal_keys.");
	return row_save(f, a->tenants->catalog, a->row, a->port, a->sealed.data, &a->result);
}

/* "Wait until the operations are finished before attempting to connect" (Neon's POST /projects).
 * Postgres has no operations: its statements were done when they were answered. */
static enum flow_rc
attempt_wait(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);
	enum flow_rc rc = row_check(f, &a->result, "address of the new database");

	if (rc != FLOW_NEXT || !attempt_is_of(a, PROVIDER_NEON))
		return rc;
	memset(&a->child, 0, sizeof(a->child));
	return neon_wait(f, &a->child.wait, a->tenants, a->row);
}

/* A 404 for the project of a row that was saved long ago: somebody deleted it in Neon's console. It
 * is looked up by name and, if need be, created, once: a provider that forgets what it has just
 * made would otherwise have us create for ever. */
static enum flow_rc
attempt_waited(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	if (attempt_is_of(a, PROVIDER_NEON) && a->child.wait.is_gone) {
		if (a->was_gone)
			return flow_fail(f, ERR_NEON,
			    "Neon answers 404 for the project it has just made. Try again in a "
			    "minute, or look for the project in Neon's console.");
		a->was_gone = true;
		a->row->project_id[0] = '\0';
		a->row->tenant.password[0] = '\0';
		return flow_goto(f, attempt_create);
	}
	neon_ticket_leave(a->tenants, a->ticket);
	a->row->slot = NULL;
	return FLOW_NEXT;
}

/* ---- its schema ---- */

/* Through the tenant's own pool: the login that is proven here is the one requests will use. */
static enum flow_rc
attempt_login_borrow(struct flow *f)
{
	struct attempt_login *l = FLOW_OF(f, struct attempt_login, &attempt_login_kind);
	struct pool_target target;
	char key[TENANT_KEY_SIZE];

	tenant_target(l->tenant, &target, key);
	target.is_paced = true;
	return pool_borrow(f, l->tenants->pools, &target, l->lease);
}

/* The pool's back-off is longer than ours, and it would hand out its failure meanwhile: an earlier
 * attempt's, or that of our last login. Our own tries are paced and counted. */
static void
attempt_end_backoff(struct attempt *a)
{
	struct pool_target target;
	char key[TENANT_KEY_SIZE];

	tenant_target(&a->row->tenant, &target, key);
	pool_retry_now(a->tenants->pools, target.key);
}

static enum flow_rc
attempt_login(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);
	struct attempt_login *l = &a->child.login;

	memset(&a->child, 0, sizeof(a->child));
	attempt_end_backoff(a);
	l->tenants = a->tenants;
	l->tenant = &a->row->tenant;
	l->lease = &a->lease;
	a->logins++;
	return flow_try(f, &l->flow, &attempt_login_kind, &a->why);
}

/* A compute that is starting, or a server at its limit, is worth some patience; a certificate that
 * is not trusted is not. When nothing helped and it was the database that refused, the saved
 * password is dropped with the failure (row_fail). */
static enum flow_rc
attempt_logged_in(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	if (!err_is(&a->why))
		return flow_goto(f, attempt_owner);
	if (a->lease.login_is_final)
		return flow_fail_err(f, &a->why);
	if (a->logins >= LOGINS_MAX) {
		a->is_locked_out =
		    a->why.code == ERR_DATABASE && a->row->tenant.provider != PROVIDER_URL;
		return flow_fail_err(f, &a->why);
	}
	err_tell(&a->why, a->told);
	log_event(LOG_NOTICE, "tenant.login_failed", f->request_id,
	    "The new database of tenant %s takes no login yet; trying again: %s", a->row->tenant.id,
	    a->told);
	return row_tell(f, a->tenants->catalog, a->row, a->told, &a->result);
}

/* Whether the catalog took it is not looked at: the next write to the row tells. */
static enum flow_rc
attempt_login_told(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	pg_clear(&a->result);
	flow_goto(f, attempt_login);
	return flow_sleep(f, &a->backoff_timer, backoff_us(&attempt_backoff, a->logins, 0));
}

/* On the connection that the schema is laid by: both are in one database. */
static enum flow_rc
attempt_owner(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	memset(&a->child, 0, sizeof(a->child));
	a->child.owner = (struct owner_mark){
		.tenants = a->tenants,
		.conn = a->lease.conn,
		.id = a->row->tenant.id,
	};
	return owner_mark(f, &a->child.owner);
}

/* Statement by statement, each in a transaction of its own: a killed attempt leaves the first few
 * applied, and the next one begins at the first again. */
static enum flow_rc
attempt_schema(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);
	struct pg_query q = { .sql = a->tenants->conf->schema[a->statement],
		.timeout_us = SCHEMA_MAX_US };

	pg_clear(&a->result);
	if (q.sql == NULL)
		return FLOW_NEXT;
	return pg_run(f, a->lease.conn, &q, &a->result);
}

/* The lease goes back dirty: the schema's statements may have set something in the session. */
static enum flow_rc
attempt_schema_applied(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);
	enum flow_rc rc;

	if (a->tenants->conf->schema[a->statement] == NULL) {
		pool_return(&a->lease, POOL_DIRTY);
		return FLOW_NEXT;
	}
	rc = pg_check(f, &a->result, pg_reason(&a->result)->code,
	    "Creating the tenant's tables failed");
	if (rc != FLOW_NEXT)
		return rc;
	a->statement++;
	return flow_goto(f, attempt_schema);
}

static enum flow_rc
attempt_ready(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	snprintf(a->version, sizeof(a->version), "%d", a->tenants->conf->schema_version);
	return row_ready(f, a->tenants->catalog, a->row, a->version, &a->result);
}

static enum flow_rc
attempt_done(struct flow *f)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);
	enum flow_rc rc = row_check(f, &a->result, "tenant ready");

	if (rc != FLOW_NEXT)
		return rc;
	a->row->tenant.state = TENANT_READY;
	a->row->tenant.schema_version = a->tenants->conf->schema_version;
	row_read_limits(&a->result, a->row);
	return FLOW_NEXT;
}

static void
attempt_end(struct flow *f, const struct err *err)
{
	struct attempt *a = FLOW_OF(f, struct attempt, &attempt_kind);

	(void)err;
	pool_return(&a->lease, POOL_DIRTY);
	pg_clear(&a->result);
	buf_free(&a->sealed);
	bytes_wipe(&a->child, sizeof(a->child));
}

void
attempt_init(struct attempt *a, struct tenants *ts, struct tenant_row *row,
    struct neon_ticket *ticket)
{
	memset(a, 0, sizeof(*a));
	a->tenants = ts;
	a->row = row;
	a->ticket = ticket;
	buf_init(&a->sealed, 4096);
}
