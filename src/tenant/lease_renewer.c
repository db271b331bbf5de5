/* SPDX-License-Identifier: MIT */
/*
 * lease_renewer: a flow of its own beside the attempt.
 *
 *	[wait] --> [renew] --> [check] --> [wait] ...     until renewer_stop()
 *	                          |
 *	                          +--> the row is another attempt's, or the lease ran out before it
 *	                               could be renewed: the attempt is aborted
 *
 * What always holds: the renewer owns a copy of all it sends to the catalog, for it outlives the
 * attempt by a turn of the loop. Its memory goes when both renewer_stop() was called and the flow
 * has ended, whichever comes last.
 *
 * A lost lease is no danger to the row, whose writes name the attempt. It is aborted to keep it
 * from the provider, which knows no attempts.
 */
#include "tenant/lease_renewer.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

struct lease_renewer {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct flow *work;	 /* borrowed: the attempt; NULL once stopped or aborted */
	char id[TENANT_ID_MAX + 1];
	char attempt[ATTEMPT_ID_LEN + 1];
	struct row_claim claim; /* borrows id and attempt */
	struct timer timer;
	struct pg_result result; /* owned */
	/* Monotonic: a lease's length after the last good renewal was sent, so no later than the
	 * row says; before the first one, a lease's length after renewer_start(). */
	uint64_t valid_until_us;
	uint64_t sent_us;	 /* monotonic: when the renewal under way was sent */
	bool is_stopped;	 /* by its holder: the flow's end frees it */
};

static flow_step_fn renewer_wait, renewer_renew, renewer_check;
static flow_release_fn renewer_release;

static const struct flow_step renewer_steps[] = {
	{ "wait", renewer_wait },
	{ "renew", renewer_renew },
	{ "check", renewer_check },
	{ NULL, NULL },
};

static const struct flow_kind renewer_kind = { "tenant_lease", renewer_steps, NULL,
	renewer_release };

/* Three renewals fall into a lease, so that two may fail before it is lost. */
static enum flow_rc
renewer_wait(struct flow *f)
{
	struct lease_renewer *r = FLOW_OF(f, struct lease_renewer, &renewer_kind);

	return flow_sleep(f, &r->timer, r->tenants->conf->lease_us / 4);
}

static enum flow_rc
renewer_renew(struct flow *f)
{
	struct lease_renewer *r = FLOW_OF(f, struct lease_renewer, &renewer_kind);

	r->sent_us = clock_mono_us();
	return row_renew(f, r->tenants->catalog, &r->claim, &r->result);
}

static void
renewer_abort_work(struct lease_renewer *r, enum err_code code, const char *why)
{
	log_event(LOG_WARNING, "tenant.lease_lost", NULL,
	    "The attempt to provision tenant %s was stopped. %s", r->id, why);
	if (r->work != NULL)
		flow_abort(r->work, code, why);
	r->work = NULL;
}

/* No row changed: the row is another attempt's, or not provisioning any more. No result at all: the
 * lease holds until its time, and the next try may be in time. */
static enum flow_rc
renewer_check(struct flow *f)
{
	struct lease_renewer *r = FLOW_OF(f, struct lease_renewer, &renewer_kind);
	bool answered = r->result.status == PG_OK;

	if (answered && pg_changed(&r->result) == 1)
		r->valid_until_us = r->sent_us + r->tenants->conf->lease_us;
	else if (answered)
		renewer_abort_work(r, ERR_PROVISIONING, ATTEMPT_LOST_DETAIL);
	else if (clock_mono_us() >= r->valid_until_us)
		renewer_abort_work(r, ERR_CATALOG,
		    "The catalog could not be reached to renew the attempt's lease. Try again in a "
		    "moment.");
	return r->work == NULL ? FLOW_DONE : flow_goto(f, renewer_wait);
}

/* The flow may end by itself (the lease was lost) while its holder still points to it. */
static void
renewer_release(struct flow *f)
{
	struct lease_renewer *r = FLOW_OF(f, struct lease_renewer, &renewer_kind);

	pg_clear(&r->result);
	if (r->is_stopped)
		free(r);
}

struct lease_renewer *
renewer_start(struct tenants *ts, const struct row_claim *claim, struct flow *work)
{
	struct lease_renewer *r = xcalloc(1, sizeof(*r));

	r->tenants = ts;
	r->work = work;
	r->claim = *claim;
	snprintf(r->id, sizeof(r->id), "%s", claim->id);
	snprintf(r->attempt, sizeof(r->attempt), "%s", claim->attempt);
	r->claim.id = r->id;
	r->claim.attempt = r->attempt;
	r->valid_until_us = clock_mono_us() + ts->conf->lease_us;
	flow_start(&r->flow, &renewer_kind, ts->worker, NULL);
	return r;
}

void
renewer_stop(struct lease_renewer **held)
{
	struct lease_renewer *r = *held;

	*held = NULL;
	if (r == NULL)
		return;
	r->work = NULL;
	r->is_stopped = true;
	if (r->flow.state == FLOW_ENDED)
		free(r);
	else
		flow_abort(&r->flow, ERR_SHUTDOWN, "The attempt is over.");
}
