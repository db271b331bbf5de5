/* SPDX-License-Identifier: MIT */
/*
 * address_check: what the provider says now of a ready tenant's database that refuses the login:
 * somebody has reset its password at Neon, or deleted the project.
 *
 *	[claim] --> [claimed] --> [ask] --> [read] -- new --> [save] --> [saved]: healed
 *	               |                      \-- of no use --> [note] --> [noted]: locked out
 *	               +- not its time: [look] --> [looked]: healed elsewhere, or locked out
 *
 * What always holds:
 *  - One such flow a tenant in a process: its lockout is there from the start. Over all replicas
 *    the row decides (row_recheck), so Neon is asked once, however many are refused.
 *  - While a tenant is locked out its requests get the reason, and its database no logins. A
 *    lockout is of one address and password, so whoever has read new ones is past it.
 *  - Nothing is created and no password is set: whoever reset it has a reason, and a project that
 *    was deleted can be restored for a week, with the documents in it. People decide on another.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/neon_call.h"
#include "tenant/neon_read.h"
#include "tenant/tenants_shared.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"

#define CHECK_US   (60 * 1000000ull) /* in all; each wait in it is shorter */
#define CHECKS_MAX 64 /* in a process at a time: when all of Neon is ill, others need its API */
/* Until it is looked again, where another replica is at it. */
#define ELSEWHERE_US 2000000ull

#define REFUSED_DETAIL \
	"The tenant's database refuses the login that its provider names. The operator should " \
	"look at it."

struct address_check {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct tenant refused;	 /* what was tried; wiped, as the next */
	struct tenant_row row;	 /* as the catalog has it, then as Neon says */
	struct neon_call call;
	struct pg_result result; /* owned */
	struct buf sealed;	 /* owned */
	struct err why;		 /* why it was of no use; none: healed, or it could not be asked */
	uint64_t lockout_us;	 /* with why */
	char retry_ms[24];
	char port[8];
	char last_error[512];
};

static flow_step_fn address_claim, address_claimed, address_look, address_looked, address_ask,
    address_reread, address_save, address_saved, address_note, address_noted;
static flow_end_fn address_end;
static flow_release_fn address_release;

static const struct flow_step address_steps[] = {
	{ "claim", address_claim },
	{ "claimed", address_claimed },
	{ "ask", address_ask },
	{ "read", address_reread },
	{ "save", address_save },
	{ "saved", address_saved },
	{ "look", address_look },
	{ "looked", address_looked },
	{ "note", address_note },
	{ "noted", address_noted },
	{ NULL, NULL },
};

static const struct flow_kind address_kind = { "tenant_address", address_steps, address_end,
	address_release };

static bool
same_address(const struct tenant *a, const struct tenant *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0 &&
	    strcmp(a->dbname, b->dbname) == 0 && strcmp(a->user, b->user) == 0 &&
	    strcmp(a->password, b->password) == 0;
}

/* ---- whose turn it is to ask ---- */

static enum flow_rc
address_claim(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	return row_recheck(f, a->tenants->catalog, a->refused.id, a->retry_ms, &a->result);
}

static enum flow_rc
address_row(struct address_check *a)
{
	struct err err = { 0 };

	if (!row_read(&a->result, a->refused.id, a->tenants->seal, &a->row, &err))
		return flow_fail_err(&a->flow, &err);
	return FLOW_NEXT;
}

/* The row may have been changed since the record was cached that the login was tried with. */
static enum flow_rc
address_claimed(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);
	enum flow_rc rc = catalog_check(f, &a->result, "address to be asked again");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&a->result) == 0)
		return flow_goto(f, address_look);
	rc = address_row(a);
	if (rc == FLOW_NEXT && !same_address(&a->row.tenant, &a->refused))
		return FLOW_DONE;
	return rc;
}

static enum flow_rc
address_look(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	return row_select(f, a->tenants->catalog, a->refused.id, &a->result);
}

/* Another replica asks just now, or asked a while ago and wrote down what came of it. */
static enum flow_rc
address_looked(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);
	enum flow_rc rc = catalog_check(f, &a->result, "tenant look");

	if (rc != FLOW_NEXT || pg_rows(&a->result) == 0)
		return rc == FLOW_NEXT ? FLOW_DONE : rc;
	rc = address_row(a);
	if (rc != FLOW_NEXT)
		return rc;
	if (a->row.tenant.state != TENANT_READY || !same_address(&a->row.tenant, &a->refused))
		return FLOW_DONE;
	if (a->row.last_error[0] == '\0')
		a->lockout_us = ELSEWHERE_US;
	row_error_read(a->row.last_error, ERR_DATABASE, REFUSED_DETAIL, &a->why);
	return FLOW_DONE;
}

/* ---- what Neon says ---- */

static enum flow_rc
address_ask(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	return neon_call_uri(f, &a->call);
}

/* 404 is Neon's answer for the project, the database and the role. */
static void
address_is_gone(struct address_check *a)
{
	err_set(&a->why, ERR_DATABASE,
	    "The tenant's database was deleted at its provider. Ask the operator to restore it.");
	err_cause(&a->why,
	    "Neon answers 404 for project %s: restore it in Neon's console, for a week; or set the "
	    "row's state to 'failed', and a new, empty one is made.",
	    a->row.project_id);
}

static void
address_is_the_same(struct address_check *a)
{
	err_set(&a->why, ERR_DATABASE, REFUSED_DETAIL);
	err_cause(&a->why,
	    "Neon's connection URI of project %s is what was tried: look at role %s and database "
	    "%s there.",
	    a->row.project_id, NEON_ROLE, NEON_DATABASE);
}

static void
address_is_not_told(struct address_check *a)
{
	err_set(&a->why, ERR_DATABASE,
	    "The tenant's database refuses the login, and its provider did not say how to log in. "
	    "Try again later.");
	err_cause(&a->why, "Neon's connection URI of project %s: %s", a->row.project_id,
	    a->call.outcome == NEON_DONE ? "it has no password" : a->call.why);
}

/* From the response into the row. False with `why` set when that is of no use. */
static bool
address_is_new(struct address_check *a)
{
	struct err err = { 0 };

	if (a->call.outcome == NEON_REFUSED && a->call.response.status == 404)
		address_is_gone(a);
	else if (a->call.outcome != NEON_DONE || !neon_read_uri(a->call.json, &a->row, &err))
		address_is_not_told(a);
	else if (same_address(&a->row.tenant, &a->refused))
		address_is_the_same(a);
	return !err_is(&a->why);
}

static enum flow_rc
address_reread(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	return address_is_new(a) ? FLOW_NEXT : flow_goto(f, address_note);
}

static enum flow_rc
address_save(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	snprintf(a->port, sizeof(a->port), "%u", (unsigned)a->row.tenant.port);
	if (!row_seal(a->tenants->seal, &a->row.tenant, &a->sealed))
		return flow_fail(f, ERR_INTERNAL,
		    "The tenant's password could not be encrypted for the catalog. The operator "
		    "should look at seal_keys.");
	return row_readdress(f, a->tenants->catalog, &a->row, a->port, a->sealed.data, &a->result);
}

/* No row changed: somebody was at it meanwhile, and it is read again. */
static enum flow_rc
address_saved(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);
	enum flow_rc rc = catalog_check(f, &a->result, "address of the database");

	if (rc != FLOW_NEXT)
		return rc;
	log_event(LOG_NOTICE, "tenant.address", f->request_id,
	    "Tenant %s's database refused the login, and Neon named another address or password, "
	    "which is used from now on.",
	    a->refused.id);
	return FLOW_DONE;
}

static enum flow_rc
address_note(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	log_event(LOG_ERR, "tenant.locked_out", f->request_id, "Tenant %s: %s %s", a->refused.id,
	    a->why.detail, a->why.cause);
	row_error_write(a->last_error, sizeof(a->last_error), &a->why);
	return row_note(f, a->tenants->catalog, a->refused.id, a->last_error, &a->result);
}

static enum flow_rc
address_noted(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	return catalog_check(f, &a->result, "reason of a refused login");
}

/* ---- beginning and end ---- */

/* A failure of the catalog's, or a shutdown, leaves no reason: the next login tells. Nor is the
 * record known to be wrong then. */
static void
address_end(struct flow *f, const struct err *err)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);
	struct tenants *ts = a->tenants;

	atomic_fetch_sub(&ts->shared->address_checks, 1);
	if (err_is(&a->why))
		shared_lockout_set(ts->shared, &a->refused, &a->why, a->lockout_us);
	else
		shared_lockout_end(ts->shared, a->refused.id);
	if (!err_is(&a->why) && !err_is(err))
		tenant_forget(ts, a->refused.id);
	neon_call_free(&a->call);
	pg_clear(&a->result);
	buf_free(&a->sealed);
}

static void
address_release(struct flow *f)
{
	struct address_check *a = FLOW_OF(f, struct address_check, &address_kind);

	bytes_wipe(&a->refused, sizeof(a->refused));
	bytes_wipe(&a->row, sizeof(a->row));
	free(a);
}

static void
address_check_start(struct tenants *ts, const struct tenant *t)
{
	struct address_check *a = xcalloc(1, sizeof(*a));

	a->tenants = ts;
	a->refused = *t;
	a->lockout_us = ts->conf->neon_address_retry_us;
	snprintf(a->retry_ms, sizeof(a->retry_ms), "%llu",
	    (unsigned long long)(ts->conf->neon_address_retry_us / 1000));
	neon_call_init(&a->call, ts, &a->row);
	buf_init(&a->sealed, 4096);
	flow_start(&a->flow, &address_kind, ts->worker, NULL);
	flow_deadline(&a->flow, CHECK_US);
}

void
tenant_login_refused(struct tenants *ts, const struct tenant *t)
{
	struct err err = { .retry_after = 1 };
	bool is_one_too_many;

	if (ts->conf->provider != PROVIDER_NEON || t->provider != PROVIDER_NEON ||
	    t->state != TENANT_READY)
		return;
	err_set(&err, ERR_DATABASE,
	    "The tenant's database refuses the login, and its provider is asked for its address "
	    "again. Try again in a moment.");
	is_one_too_many = atomic_fetch_add(&ts->shared->address_checks, 1) >= CHECKS_MAX;
	if (is_one_too_many || !shared_lockout_begin(ts->shared, t, &err, CHECK_US))
		atomic_fetch_sub(&ts->shared->address_checks, 1);
	else
		address_check_start(ts, t);
}

bool
tenant_is_locked_out(struct tenants *ts, const struct tenant *t, struct err *err)
{
	return shared_lockout(ts->shared, t, err);
}
