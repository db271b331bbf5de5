/* SPDX-License-Identifier: MIT */
/*
 * provision: one tenant's database, made exactly once whoever asks, and whenever a process dies.
 *
 *	[claim] --> ours ------> [work] --> [finish] --> [finished]: ready, or the attempt's reason
 *	 ^  |                    (the lease renewer keeps the row ours meanwhile)
 *	 |  +--> not ours --> [poll] --> [check] --> ready or suspended: done
 *	 |                      ^           | |
 *	 |     the lease is     +-- sleep --+ +--> the other attempt failed under our eyes: failed
 *	 |     another's                    |
 *	 +----------------------------------+  its lease has run out; the row is gone, or had failed
 *
 * Moved by the worker's loop; the flow belongs to the tenant, not to a request.
 *
 * What always holds:
 *  - One such flow a tenant on a worker: in tenants->provisions, which later requests join.
 *  - One attempt a tenant anywhere: row_claim() is one statement, so the database decides between
 *    workers and replicas; each later write names the attempt and changes nothing when another
 *    attempt has the row.
 *  - It has a deadline of its own and goes on when everybody who waited has left.
 *
 * Whenever it is killed (kill -9, power), the row says enough for the next contact, once the
 * lease has run out, to go on without making a second database:
 *
 *	killed              the row then holds          the next attempt
 *	------              ------------------          ----------------
 *	before the claim    (no row)                    begins anew
 *	after the claim     state, lease                lists by name: none; creates
 *	after the fence     and posted_at               lists by name: none, but the POST may come:
 *	                                                fails, with Retry-After, for as long as that
 *	                                                is possible; then creates
 *	while Neon creates  and posted_at               the same; or it is listed already: adopts it
 *	after the 201,      and posted_at               lists by name: adopts it (Neon keeps the
 *	  before the save                               password: store_passwords)
 *	after the save      address, sealed password;   asks for no creation: waits for Neon's
 *	                    no posted_at                operations, logs in, applies the schema
 *	within the schema   the same                    applies it from its first statement: each is
 *	                                                harmless when repeated
 *	after [ready]       ready                       is not needed
 *	after [finish]      failed, what was saved      claims at once, for there is no lease
 *
 * With provider postgres the rows between claim and save are one: role and database have names
 * derived from the tenant, the server refuses to create them twice, and the refusal is adoption.
 * A process that was only stopped (SIGSTOP, a paused machine) changes nothing in the row when it
 * wakes after its lease, and its next renewal ends the attempt (lease_renewer.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/attempt.h"
#include "tenant/lease_renewer.h"
#include "tenant/provision.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define FINISH_US (15 * 1000000ull) /* for claim and outcome, beyond the attempt's deadline */

/* How often the row is read while another worker or replica has it: soon, then once a second. */
static const struct backoff provision_poll_backoff = { 150 * 1000, 1000000, 150 };

struct provision {
	struct flow flow;
	struct provision_handle handle;
	struct tenants *tenants;	     /* borrowed */
	struct tenant_record *record;	     /* borrowed: handle's reference */
	char attempt_id[ATTEMPT_ID_LEN + 1]; /* random: names us in every write */
	char project_name[PROJECT_NAME_SIZE];
	struct row_claim claim;	 /* borrows record's id and the two above */
	struct tenant_row row;	 /* holds the password: wiped at the end */
	struct pg_result result; /* owned */
	struct attempt attempt;
	struct err why;		       /* the attempt's outcome */
	struct lease_renewer *renewer; /* owned; NULL while no attempt of ours is at work */
	struct timer poll_timer;
	unsigned polls;	     /* that found another attempt at work */
	bool seen_elsewhere; /* set by the first of them */
};

static flow_step_fn provision_claim, provision_claimed, provision_poll, provision_check,
    provision_work, provision_finish, provision_finished;
static flow_end_fn provision_end;
static flow_release_fn provision_release;

static const struct flow_step provision_steps[] = {
	{ "claim", provision_claim },
	{ "claimed", provision_claimed },
	{ "poll", provision_poll },
	{ "check", provision_check },
	{ "work", provision_work },
	{ "finish", provision_finish },
	{ "finished", provision_finished },
	{ NULL, NULL },
};

static const struct flow_kind provision_kind = { "provision", provision_steps, provision_end,
	provision_release };

static const char *
provision_id(const struct provision *p)
{
	return p->record->tenant.id;
}

/* ---- whose the row is ---- */

static enum flow_rc
provision_claim(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	return row_claim(f, p->tenants->catalog, &p->claim, &p->result);
}

static enum flow_rc
provision_read(struct provision *p)
{
	struct err err = { 0 };

	if (!row_read(&p->result, provision_id(p), p->tenants->seal, &p->row, &err))
		return flow_fail_err(&p->flow, &err);
	return FLOW_NEXT;
}

/* One row back: the attempt is ours. None: the row exists and may not be claimed, so look at it. */
static enum flow_rc
provision_claimed(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	enum flow_rc rc = catalog_check(f, &p->result, "tenant claim");

	if (rc != FLOW_NEXT || pg_rows(&p->result) == 0)
		return rc;
	rc = provision_read(p);
	return rc == FLOW_NEXT ? flow_goto(f, provision_work) : rc;
}

static enum flow_rc
provision_poll(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	return row_select(f, p->tenants->catalog, provision_id(p), &p->result);
}

/* An attempt that failed while we waited for it is our waiters' failure too: to claim at once would
 * try again for each replica in turn, against a provider that is in trouble. One that had failed
 * before we came is tried again: that is what a new contact is for. */
static enum flow_rc
provision_failed_elsewhere(struct provision *p)
{
	if (p->seen_elsewhere)
		return flow_fail(&p->flow, ERR_NEON,
		    "The attempt to make the tenant's database failed on another worker or "
		    "replica. Try again.");
	return flow_goto(&p->flow, provision_claim);
}

static enum flow_rc
provision_poll_wait(struct provision *p)
{
	p->seen_elsewhere = true;
	flow_goto(&p->flow, provision_poll);
	return flow_sleep(&p->flow, &p->poll_timer,
	    backoff_us(&provision_poll_backoff, ++p->polls, 0));
}

/* What the row says while it is not ours. lease_expired is the database's clock against its own
 * lease_until: the clocks of replicas are never compared. */
static enum flow_rc
provision_check(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	enum flow_rc rc = catalog_check(f, &p->result, "tenant poll");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&p->result) == 0)
		return flow_goto(f, provision_claim);
	rc = provision_read(p);
	if (rc != FLOW_NEXT)
		return rc;
	switch (p->row.tenant.state) {
	case TENANT_READY:
	case TENANT_SUSPENDED:
		return FLOW_DONE;
	case TENANT_FAILED:
	case TENANT_UNKNOWN:
		return provision_failed_elsewhere(p);
	case TENANT_PROVISIONING:
		break;
	}
	return p->row.lease_expired ? flow_goto(f, provision_claim) : provision_poll_wait(p);
}

/* ---- the row is ours ---- */

/* The attempt's failure comes back in `why` rather than fail us, for it has to be written down. It
 * cannot run before this step has returned, so the renewer's pointer to it is good. */
static enum flow_rc
provision_work(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	enum flow_rc rc;

	log_event(LOG_NOTICE, "tenant.provisioning", f->request_id,
	    "Attempt %d to provision tenant %s begins%s.", p->row.attempts, provision_id(p),
	    p->row.project_id[0] != '\0' ? " with what an earlier one saved" : "");
	attempt_init(&p->attempt, p->tenants, &p->row);
	rc = flow_try(f, &p->attempt.flow, &attempt_kind, &p->why);
	flow_deadline(&p->attempt.flow, p->tenants->conf->provision_deadline_us);
	p->renewer = renewer_start(p->tenants, &p->claim, &p->attempt.flow);
	return rc;
}

/*
 * Writes a failure down and gives the lease back, so that the next contact need not wait for it to
 * run out. posted_at stays when a creation got no clear response: the next attempt then must not
 * create at once. A password that opened nothing goes, so that it is fetched or set anew.
 */
static enum flow_rc
provision_finish(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	renewer_stop(&p->renewer);
	if (!err_is(&p->why))
		return FLOW_DONE;
	log_event(LOG_WARNING, "tenant.provision_failed", f->request_id,
	    "Tenant %s was not provisioned (step %s); its next request tries again: %s",
	    provision_id(p), flow_step_name(&p->attempt.flow), p->why.detail);
	return row_fail(f, p->tenants->catalog, &p->row, p->why.detail, p->row.is_posted,
	    p->attempt.is_locked_out, &p->result);
}

/* Whether the failure was written is not looked at: when it was not (the catalog is away, the lease
 * was lost), the row stays as a kill would have left it, and its lease runs out. */
static enum flow_rc
provision_finished(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	return flow_fail_err(f, &p->why);
}

/*
 * Before the waiters are woken, the record they share is filled, kept in this worker's cache and,
 * when ready, published. A timeout of ours becomes the provider's failure: to a waiter, ERR_TIMEOUT
 * means that its own time is over (provision_wait_check).
 */
static void
provision_end(struct flow *f, const struct err *err)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);
	struct tenants *ts = p->tenants;
	struct err outcome = *err;

	renewer_stop(&p->renewer);
	if (!err_is(err)) {
		record_fill(p->record, &p->row.tenant);
		lookup_put(ts->records, slice_str(provision_id(p)), &p->record->base);
	}
	if (!err_is(err) && p->row.tenant.state == TENANT_READY) {
		log_event(LOG_NOTICE, "tenant.ready", f->request_id,
		    "Tenant %s is ready after %.1f s.", provision_id(p),
		    (double)flow_age_us(f) / 1e6);
		tenants_publish(ts, &p->row.tenant);
	}
	if (outcome.code == ERR_TIMEOUT)
		outcome.code = ERR_NEON;
	map_take(ts->provisions, slice_str(provision_id(p)));
	join_finish(&p->handle.join, &outcome);
}

static void
provision_release(struct flow *f)
{
	struct provision *p = FLOW_OF(f, struct provision, &provision_kind);

	pg_clear(&p->result);
	lookup_unref(&p->record->base);
	bytes_wipe(&p->row, sizeof(p->row));
	free(p);
}

/* False: the project's name would be too long, or there is no memory. */
static bool
provision_fill(struct provision *p, struct tenants *ts, const char *id)
{
	const struct tenants_conf *conf = ts->conf;

	p->tenants = ts;
	p->record = p->handle.record = record_new(slice_str(id));
	if (!name_project(p->project_name, conf->environment, id))
		return false;
	id_random(p->attempt_id, ATTEMPT_ID_LEN);
	p->claim = (struct row_claim){
		.id = provision_id(p),
		.attempt = p->attempt_id,
		.provider = tenants_provider_name(ts),
		.region = conf->provider == PROVIDER_NEON ? conf->neon_region : NULL,
		.project_name = p->project_name,
	};
	snprintf(p->claim.lease_ms, sizeof(p->claim.lease_ms), "%llu",
	    (unsigned long long)(conf->lease_us / 1000));
	return map_put(ts->provisions, slice_str(id), &p->handle);
}

struct provision_handle *
provision_start(struct tenants *ts, const char *id)
{
	struct provision *p = xcalloc(1, sizeof(*p));

	if (!provision_fill(p, ts, id)) {
		lookup_unref(&p->record->base);
		free(p);
		return NULL;
	}
	join_init(&p->handle.join);
	flow_start(&p->flow, &provision_kind, ts->worker, NULL);
	flow_deadline(&p->flow, ts->conf->provision_deadline_us + FINISH_US);
	return &p->handle;
}
