/* SPDX-License-Identifier: MIT */
/*
 * keeper: a flow of its own beside the attempt.
 *
 *	[nap] --> [renew] --> [look] --> [nap] ...     until let go
 *	                         |
 *	                         +--> the row is another's, or the lease ran out unrenewed:
 *	                              the attempt is aborted
 *
 * It has copies of all it says to the catalog, for it may outlive the attempt by a turn.
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
	struct flow *work;	 /* borrowed; NULL once let go */
	char id[TENANT_ID_MAX + 1];
	char attempt[ATTEMPT_ID_LEN + 1];
	struct row_claim claim; /* borrows id and attempt */
	struct timer timer;
	struct pg_result result; /* owned */
	uint64_t valid_until_us; /* monotonic, no later than the row says */
	uint64_t asked_us;
	bool is_stopped; /* by its holder: the flow's end frees it */
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

	r->asked_us = clock_mono_us();
	return row_renew(f, r->tenants->catalog, &r->claim, &r->result);
}

static void
work_stop(struct lease_renewer *r, enum err_code code, const char *why)
{
	log_event(LOG_WARNING, "tenant.lease_lost", NULL, "%s: %s", r->id, why);
	if (r->work != NULL)
		flow_abort(r->work, code, why);
	r->work = NULL;
}

static enum flow_rc
renewer_check(struct flow *f)
{
	struct lease_renewer *r = FLOW_OF(f, struct lease_renewer, &renewer_kind);
	bool said = r->result.status == PG_OK;

	if (said && pg_changed(&r->result) == 1)
		r->valid_until_us = r->asked_us + r->tenants->conf->lease_us;
	else if (said)
		work_stop(r, ERR_PROVISIONING, "another attempt has taken over");
	else if (clock_mono_us() >= r->valid_until_us)
		work_stop(r, ERR_CATALOG, "the catalog could not be reached to renew the lease");
	return r->work == NULL ? FLOW_DONE : flow_goto(f, renewer_wait);
}

/* Whoever started it may still hold it: it lives until both are through. */
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
		flow_abort(&r->flow, ERR_SHUTDOWN, "the attempt is over");
}
