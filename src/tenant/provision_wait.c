/* SPDX-License-Identifier: MIT */
/*
 * provision_wait: a request's wait for a tenant's database, no longer than provision_wait.
 *
 *	[wait: a child flow in the shared flow's join, with a deadline] --> [check]
 *
 * The child is a flow of its own so that its deadline (this request has waited long enough) can be
 * told from the shared flow's failure. Leaving never stops the provisioning.
 */
#include <stdlib.h>

#include "tenant/provision.h"
#include "tenant/neon_ticket.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/mutation.h"

/* Under way or in the queue, in one process; a request for one more gets a 503. A bound on memory
 * (some 15 kB each), not on the provider, who has the queue for that. */
#define PROVISIONS_MAX 4096

struct provision_waiter {
	struct flow flow;
	struct join_waiter waiter;
	struct tenants *tenants;      /* borrowed */
	struct tenant_record *record; /* borrowed: the parent's reference */
};

struct provision_wait {
	struct flow flow;
	struct provision_waiter waiter;
	struct err why;		      /* the child's outcome */
	struct tenants *tenants;      /* borrowed */
	struct tenant_record *record; /* a reference: what the shared flow fills */
	struct tenant *out;	      /* borrowed: the caller's, filled when ready */
};

static flow_step_fn provision_waiter_join;

static const struct flow_step provision_waiter_steps[] = { { "wait", provision_waiter_join },
	{ NULL, NULL } };

static const struct flow_kind provision_waiter_kind = { "provision_waiter", provision_waiter_steps,
	NULL, NULL };

static flow_step_fn provision_wait_join, provision_wait_check;
static flow_release_fn provision_wait_release;

static const struct flow_step provision_wait_steps[] = {
	{ "wait", provision_wait_join },
	{ "check", provision_wait_check },
	{ NULL, NULL },
};

static const struct flow_kind provision_wait_kind = { "provision_wait", provision_wait_steps, NULL,
	provision_wait_release };

/* The provisioning may have ended between the request's step and this one, and another of the same
 * tenant begun: only the one whose record we hold is ours to wait for. */
static enum flow_rc
provision_waiter_join(struct flow *f)
{
	struct provision_waiter *w = FLOW_OF(f, struct provision_waiter, &provision_waiter_kind);
	struct provision_handle *h = map_get(w->tenants->provisions,
	    slice_str(mutated(MUTATION_PROVISION, w->record->tenant.id)));

	if (h != NULL && h->record == w->record)
		return join_wait(&h->join, f, &w->waiter);
	return FLOW_NEXT;
}

static enum flow_rc
provision_wait_join(struct flow *f)
{
	struct provision_wait *w = FLOW_OF(f, struct provision_wait, &provision_wait_kind);
	enum flow_rc rc;

	w->waiter.tenants = w->tenants;
	w->waiter.record = w->record;
	rc = flow_try(f, &w->waiter.flow, &provision_waiter_kind, &w->why);
	flow_deadline(&w->waiter.flow, w->tenants->conf->provision_wait_us);
	return rc;
}

static int
seconds_rounded_up(uint64_t us)
{
	uint64_t s = (us + 999999) / 1000000;

	return s > 0 ? (int)s : 1;
}

/* When the database should have been ready by now, more have come that take turns with it, or it
 * takes longer than any of the last: half of what it would be from the beginning. */
static uint64_t
ready_left_us(struct tenants *ts, uint64_t ready_at_us)
{
	struct neon_ticket one = { .all = atomic_load(&ts->shared->provisions) };
	uint64_t now = clock_mono_us();

	return ready_at_us > now ? ready_at_us - now : neon_ticket_ready_us(ts, &one) / 2;
}

/* A request has waited long enough, or has missed the end. */
static enum flow_rc
fail_not_ready(struct provision_wait *w)
{
	struct provision_handle *h = map_get(w->tenants->provisions,
	    slice_str(mutated(MUTATION_PROVISION, w->record->tenant.id)));
	struct err err = { 0 };

	err.retry_after =
	    seconds_rounded_up(h != NULL ? ready_left_us(w->tenants, h->ready_at_us) : 0);
	err_set(&err, ERR_PROVISIONING,
	    "The tenant's database is not ready yet. Try again in %d s.", err.retry_after);
	return flow_fail_err(&w->flow, &err);
}

/* The queue's end, as it is for the last of them. */
static void
too_many(struct tenants *ts, struct err *err)
{
	struct neon_ticket last = { .before = PROVISIONS_MAX, .all = PROVISIONS_MAX };

	err->retry_after = seconds_rounded_up(neon_ticket_ready_us(ts, &last));
	err_set(err, ERR_PROVISIONING,
	    "%d databases are being made or wait for that, and there is memory for no more. Try "
	    "again in %d s.",
	    PROVISIONS_MAX, err->retry_after);
}

/* The record is not filled when the shared flow ended before the child had joined it, and failed:
 * its reason is gone with it. */
static enum flow_rc
provision_wait_check(struct flow *f)
{
	struct provision_wait *w = FLOW_OF(f, struct provision_wait, &provision_wait_kind);

	if (w->why.code == ERR_TIMEOUT)
		return fail_not_ready(w);
	if (err_is(&w->why))
		return flow_fail_err(f, &w->why);
	if (!w->record->filled)
		return fail_not_ready(w);
	return tenant_check_state(f, w->tenants, w->record, w->out);
}

static void
provision_wait_release(struct flow *f)
{
	struct provision_wait *w = FLOW_OF(f, struct provision_wait, &provision_wait_kind);

	lookup_unref(&w->record->base);
	free(w);
}

/* The tenant's provisioning on this worker, which is started if there is none; NULL with err set.
 * The ceiling keeps a key that may name any tenant from filling the worker, and the provider, with
 * invented ones. */
static struct provision_handle *
provision_at(struct tenants *ts, const char *id, struct err *err)
{
	struct provision_handle *h =
	    map_get(ts->provisions, slice_str(mutated(MUTATION_PROVISION, id)));

	if (h != NULL)
		return h;
	if (atomic_load(&ts->shared->provisions) >= PROVISIONS_MAX) {
		too_many(ts, err);
		return NULL;
	}
	h = provision_start(ts, id);
	if (h == NULL)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's database");
	return h;
}

bool
tenant_begin(struct tenants *ts, const char *id, struct err *err)
{
	return provision_at(ts, id, err) != NULL;
}

bool
tenant_would_begin(const struct tenants *ts, const char *id)
{
	return ts->conf->lazy && map_get(ts->provisions, slice_str(id)) == NULL;
}

static enum flow_rc
provision_wait_start(struct flow *f, struct tenants *ts, struct tenant *t)
{
	struct err err = { 0 };
	struct provision_handle *h = provision_at(ts, t->id, &err);
	struct provision_wait *w;

	if (h == NULL)
		return flow_fail_err(f, &err);
	w = xcalloc(1, sizeof(*w));
	w->tenants = ts;
	w->record = h->record;
	lookup_ref(&w->record->base);
	w->out = t;
	return flow_call(f, &w->flow, &provision_wait_kind);
}

enum flow_rc
tenant_provision(struct flow *f, struct tenants *ts, struct tenant *t)
{
	switch (t->state) {
	case TENANT_READY:
		tenant_upgrade(ts, t);
		return FLOW_NEXT;
	case TENANT_SUSPENDED:
		return flow_fail(f, ERR_SUSPENDED, TENANT_SUSPENDED_DETAIL);
	case TENANT_DELETED:
		return flow_fail(f, ERR_DELETED, TENANT_DELETED_DETAIL);
	case TENANT_UNKNOWN:
		if (!ts->conf->lazy)
			return flow_fail(f, ERR_NOT_FOUND,
			    "There is no such tenant, and none is created on first contact. Use "
			    "another tenant id, or ask the operator to create it.");
		break;
	case TENANT_PROVISIONING:
	case TENANT_FAILED:
		break;
	}
	return provision_wait_start(f, ts, t);
}
