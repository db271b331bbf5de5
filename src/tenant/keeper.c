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
#include "tenant/keeper.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

struct keeper {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct flow *work;	 /* borrowed; NULL once let go */
	char id[TENANT_ID_MAX + 1];
	char attempt[ATTEMPT_ID_LEN + 1];
	struct row_claim claim; /* borrows id and attempt */
	struct timer nap;
	struct pg_result result; /* owned */
	uint64_t valid_until_us; /* monotonic, no later than the row says */
	uint64_t asked_us;
	bool is_let_go; /* by its holder: the flow's end frees it */
};

static enum flow_rc
keeper_nap(struct flow *f)
{
	struct keeper *k = (struct keeper *)f;

	return flow_sleep(f, &k->nap, k->tenants->conf->lease_us / 4);
}

static enum flow_rc
keeper_renew(struct flow *f)
{
	struct keeper *k = (struct keeper *)f;

	k->asked_us = clock_mono_us();
	return row_renew(f, k->tenants->catalog, &k->claim, &k->result);
}

static void
work_stop(struct keeper *k, enum err_code code, const char *why)
{
	log_event(LOG_WARNING, "tenant.lease_lost", NULL, "%s: %s", k->id, why);
	if (k->work != NULL)
		flow_abort(k->work, code, why);
	k->work = NULL;
}

static enum flow_rc
keeper_look(struct flow *f)
{
	struct keeper *k = (struct keeper *)f;
	bool said = k->result.status == PG_OK;

	if (said && pg_changed(&k->result) == 1)
		k->valid_until_us = k->asked_us + k->tenants->conf->lease_us;
	else if (said)
		work_stop(k, ERR_PROVISIONING, "another attempt has taken over");
	else if (clock_mono_us() >= k->valid_until_us)
		work_stop(k, ERR_CATALOG, "the catalog could not be reached to renew the lease");
	return k->work == NULL ? FLOW_DONE : flow_goto(f, keeper_nap);
}

static const struct flow_step keeper_steps[] = {
	{ "nap", keeper_nap },
	{ "renew", keeper_renew },
	{ "look", keeper_look },
	{ NULL, NULL },
};

/* Whoever started it may still hold it: it lives until both are through. */
static void
keeper_release(struct flow *f)
{
	struct keeper *k = (struct keeper *)f;

	pg_clear(&k->result);
	if (k->is_let_go)
		free(k);
}

static const struct flow_kind keeper_kind = { "tenant_lease", keeper_steps, NULL, keeper_release };

struct keeper *
keeper_start(struct tenants *ts, const struct row_claim *claim, struct flow *work)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->tenants = ts;
	k->work = work;
	k->claim = *claim;
	snprintf(k->id, sizeof(k->id), "%s", claim->id);
	snprintf(k->attempt, sizeof(k->attempt), "%s", claim->attempt);
	k->claim.id = k->id;
	k->claim.attempt = k->attempt;
	k->valid_until_us = clock_mono_us() + ts->conf->lease_us;
	flow_start(&k->flow, &keeper_kind, ts->worker, NULL);
	return k;
}

void
keeper_let_go(struct keeper **held)
{
	struct keeper *k = *held;

	*held = NULL;
	if (k == NULL)
		return;
	k->work = NULL;
	k->is_let_go = true;
	if (k->flow.state == FLOW_ENDED)
		free(k);
	else
		flow_abort(&k->flow, ERR_SHUTDOWN, "the attempt is over");
}
