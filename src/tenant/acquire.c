/* SPDX-License-Identifier: MIT */
/*
 * acquire: from a tenant that has no database to a row that is ours.
 *
 *	[look] --> [looked] --> ready or suspended: done
 *	  ^  ^        | | \---> refused and its time has not come, or failed under our eyes: failed
 *	  |  +- sleep-+ |
 *	  |  another's  |  no row, it had failed, or its lease has run out
 *	  |  lease      v
 *	  +- sleep -- [queue] <-- sleep --> [queued]
 *	  |                                    |  our turn, or an address to go on with
 *	  |                                    v
 *	  +--------- not ours --- [claimed] <-- [claim]
 *	                              +--> ours: done
 *
 * What always holds:
 *  - The row is claimed when the creation's turn has come, not before: what waits in the queue has
 *    no lease to renew, and leaves no trace when it is killed.
 *  - Within a row's not_before nothing is asked of the provider, by any replica: row_claim() heeds
 *    it, too.
 */
#include "tenant/acquire.h"

#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"

#define CLAIM_US      (15 * 1000000ull)	  /* beyond another attempt's deadline */
#define QUEUE_MAX_US  (3600 * 1000000ull) /* all that may wait are through sooner */
#define QUEUE_LOOK_US (5 * 1000000ull)	  /* between looks at the row from the queue */

/* How often the row is read while another worker or replica has it: soon, then once a second. */
static const struct backoff acquire_backoff = { 150 * 1000, 1000000, 150 };

static flow_step_fn acquire_look, acquire_looked, acquire_queue, acquire_queued, acquire_claim,
    acquire_claimed;
static flow_end_fn acquire_end;

static const struct flow_step acquire_steps[] = {
	{ "look", acquire_look },
	{ "looked", acquire_looked },
	{ "queue", acquire_queue },
	{ "queued", acquire_queued },
	{ "claim", acquire_claim },
	{ "claimed", acquire_claimed },
	{ NULL, NULL },
};

static const struct flow_kind acquire_kind = { "tenant_acquire", acquire_steps, acquire_end, NULL };

/* ---- whose the row is ---- */

static enum flow_rc
acquire_look(struct flow *f)
{
	struct row_acquisition *a = FLOW_OF(f, struct row_acquisition, &acquire_kind);

	a->looked_us = clock_mono_us();
	return row_select(f, a->tenants->catalog, a->claim->id, &a->result);
}

static enum flow_rc
acquire_read(struct row_acquisition *a)
{
	struct err err = { 0 };

	if (!row_read(&a->result, a->claim->id, a->tenants->seal, a->row, &err) ||
	    !tenant_provider_check(a->tenants, &a->row->tenant, &err))
		return flow_fail_err(&a->flow, &err);
	tenant_set_tls(a->tenants, &a->row->tenant);
	return FLOW_NEXT;
}

/* That the last attempt was refused is told again, with the time that is left: to ask the provider
 * would take a call from tenants that it does not refuse. Why is for operators. */
static enum flow_rc
acquire_refused(struct row_acquisition *a)
{
	struct err err = { 0 };

	row_error_read(a->row->last_error, a->row->refusals > 0 ? ERR_NEON : ERR_PROVISIONING,
	    "The attempt to make the tenant's database failed on another worker or replica. Try "
	    "again.",
	    &err);
	err.retry_after = a->row->wait_s;
	return flow_fail_err(&a->flow, &err);
}

/* The other's attempt is over: now a turn is waited for, no longer that attempt's end. */
static void
acquire_own_turn(struct row_acquisition *a)
{
	if (a->seen_elsewhere && !a->was_abandoned)
		flow_deadline(&a->flow, QUEUE_MAX_US);
	a->was_abandoned = true;
}

/* An attempt that failed while we waited for it is our waiters' failure too: to claim at once would
 * try again for each replica in turn, against a provider that is in trouble. One that had failed
 * before we came is tried again: that is what a new contact is for. So is one without attempts:
 * since the last one an application has asked for the database anew (row_profile.c). */
static enum flow_rc
acquire_failed_before(struct row_acquisition *a)
{
	if (a->row->wait_s > 0 || (a->seen_elsewhere && a->row->attempts > 0))
		return acquire_refused(a);
	acquire_own_turn(a);
	return flow_goto(&a->flow, acquire_queue);
}

static enum flow_rc
acquire_look_later(struct row_acquisition *a)
{
	flow_goto(&a->flow, acquire_look);
	return flow_sleep(&a->flow, &a->timer, backoff_us(&acquire_backoff, ++a->polls, 0));
}

/* An attempt that needs no turn, or has had it. */
static void
acquire_expect(struct row_acquisition *a)
{
	struct neon_pace pace = shared_pace(a->tenants->shared);

	*a->ready_at_us = clock_mono_us() + pace_longest_us(&pace);
}

static enum flow_rc
acquire_elsewhere(struct row_acquisition *a)
{
	neon_ticket_leave(a->tenants, a->ticket);
	if (!a->seen_elsewhere) {
		acquire_expect(a);
		flow_deadline(&a->flow, a->tenants->conf->provision_deadline_us + CLAIM_US);
	}
	a->seen_elsewhere = true;
	return acquire_look_later(a);
}

/* What the row says while it is not ours. lease_expired is the database's clock against its own
 * lease_until: the clocks of replicas are never compared. */
static enum flow_rc
acquire_looked(struct flow *f)
{
	struct row_acquisition *a = FLOW_OF(f, struct row_acquisition, &acquire_kind);
	enum flow_rc rc = catalog_check(f, &a->result, "tenant look");

	if (rc != FLOW_NEXT || pg_rows(&a->result) == 0)
		return rc;
	rc = acquire_read(a);
	if (rc != FLOW_NEXT)
		return rc;
	switch (a->row->tenant.state) {
	case TENANT_READY:
	case TENANT_SUSPENDED:
	case TENANT_DELETED:
		return FLOW_DONE;
	case TENANT_PROVISIONING:
		break;
	default: /* it has failed */
		return acquire_failed_before(a);
	}
	if (!a->row->lease_expired)
		return acquire_elsewhere(a);
	acquire_own_turn(a); /* the other was killed */
	return FLOW_NEXT;
}

/* ---- whose turn it is ---- */

/* With an address in the row nothing is created: that needs no turn. */
static enum flow_rc
acquire_queue(struct flow *f)
{
	struct row_acquisition *a = FLOW_OF(f, struct row_acquisition, &acquire_kind);

	if (row_is_complete(a->row)) {
		acquire_expect(a);
		return flow_goto(f, acquire_claim);
	}
	return neon_ticket_ask(f, a->tenants, a->ticket);
}

/* While it waits the row is looked at now and then: the tenant's client may have come back to
 * another worker, whose flow has the same ticket and may be the one that gets the turn. */
static enum flow_rc
acquire_queued(struct flow *f)
{
	struct row_acquisition *a = FLOW_OF(f, struct row_acquisition, &acquire_kind);
	uint64_t now = clock_mono_us();

	neon_ticket_read(a->tenants, a->ticket);
	if (a->ticket->state == TICKET_ELSEWHERE)
		return acquire_look_later(a);
	*a->ready_at_us = now + neon_ticket_ready_us(a->tenants, a->ticket);
	if (a->ticket->state == TICKET_HELD)
		return FLOW_NEXT;
	flow_goto(f, now - a->looked_us > QUEUE_LOOK_US ? acquire_look : acquire_queue);
	return flow_sleep(f, &a->timer, neon_ticket_pause_us(a->tenants, a->ticket));
}

static enum flow_rc
acquire_claim(struct flow *f)
{
	struct row_acquisition *a = FLOW_OF(f, struct row_acquisition, &acquire_kind);

	return row_claim(f, a->tenants->catalog, a->claim, &a->result);
}

/* One row back: the attempt is ours. None: the row exists and may not be claimed, so look at it. */
static enum flow_rc
acquire_claimed(struct flow *f)
{
	struct row_acquisition *a = FLOW_OF(f, struct row_acquisition, &acquire_kind);
	enum flow_rc rc = catalog_check(f, &a->result, "tenant claim");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&a->result) == 0) {
		neon_ticket_leave(a->tenants, a->ticket);
		return flow_goto(f, acquire_look);
	}
	rc = acquire_read(a);
	a->row->wait_s = 0;
	a->row->slot = a->ticket->state == TICKET_HELD ? a->claim->project_name : NULL;
	a->is_ours = true;
	return rc;
}

static void
acquire_end(struct flow *f, const struct err *err)
{
	struct row_acquisition *a = FLOW_OF(f, struct row_acquisition, &acquire_kind);

	(void)err;
	pg_clear(&a->result);
}

enum flow_rc
row_acquire(struct flow *f, struct row_acquisition *a)
{
	enum flow_rc rc = flow_call(f, &a->flow, &acquire_kind);

	flow_deadline(&a->flow, QUEUE_MAX_US);
	return rc;
}
