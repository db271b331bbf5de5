/* SPDX-License-Identifier: MIT */
/*
 * ask: waiting for a tenant's database, for as long as a request may.
 *
 *	[wait: a seat in the shared flow's join, under provision_wait] --> [judge]
 *
 * The seat is a flow of its own, so that its deadline is told from the shared flow's failures.
 */
#include <stdlib.h>

#include "tenant/provision.h"
#include "tenantgate/base/alloc.h"

#define PROVISIONS_MAX    64 /* on one worker; more are told to come again */
#define RETRY_AFTER_S 2

struct provision_waiter {
	struct flow flow;
	struct join_waiter waiter;
	struct tenants *tenants;      /* borrowed */
	struct tenant_record *record; /* borrowed: the asker's reference */
};

struct provision_wait {
	struct flow flow;
	struct provision_waiter waiter;
	struct err why;		      /* the seat's */
	struct tenants *tenants;      /* borrowed */
	struct tenant_record *record; /* a reference: the one that gets filled */
	struct tenant *out;	      /* borrowed */
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

static enum flow_rc
provision_waiter_join(struct flow *f)
{
	struct provision_waiter *s = FLOW_OF(f, struct provision_waiter, &provision_waiter_kind);
	struct provision_handle *d =
	    map_get(s->tenants->provisions, slice_str(s->record->tenant.id));

	if (d != NULL && d->record == s->record)
		return join_wait(&d->join, f, &s->waiter);
	return FLOW_NEXT;
}

static enum flow_rc
provision_wait_join(struct flow *f)
{
	struct provision_wait *a = FLOW_OF(f, struct provision_wait, &provision_wait_kind);
	enum flow_rc rc;

	a->waiter.tenants = a->tenants;
	a->waiter.record = a->record;
	rc = flow_try(f, &a->waiter.flow, &provision_waiter_kind, &a->why);
	flow_deadline(&a->waiter.flow, a->tenants->conf->provision_wait_us);
	return rc;
}

static enum flow_rc
fail_provisioning(struct flow *f, const char *why)
{
	struct err err = { 0 };

	err_set(&err, ERR_PROVISIONING, "%s", why);
	err.retry_after = RETRY_AFTER_S;
	return flow_fail_err(f, &err);
}

static enum flow_rc
provision_wait_check(struct flow *f)
{
	struct provision_wait *a = FLOW_OF(f, struct provision_wait, &provision_wait_kind);

	if (a->why.code == ERR_TIMEOUT)
		return fail_provisioning(f, "the tenant's database is being made");
	if (err_is(&a->why))
		return flow_fail_err(f, &a->why);
	if (!a->record->filled)
		return fail_provisioning(f, "the tenant's database could not be made just now");
	return tenant_check_state(f, &a->record->tenant, a->out);
}

static void
provision_wait_release(struct flow *f)
{
	struct provision_wait *a = FLOW_OF(f, struct provision_wait, &provision_wait_kind);

	lookup_unref(&a->record->base);
	free(a);
}

static enum flow_rc
provision_wait_start(struct flow *f, struct tenants *ts, struct tenant *t)
{
	struct provision_handle *d = map_get(ts->provisions, slice_str(t->id));
	struct provision_wait *a;

	if (d == NULL && map_count(ts->provisions) >= PROVISIONS_MAX)
		return fail_provisioning(f, "many databases are being made");
	if (d == NULL)
		d = provision_start(ts, t->id);
	if (d == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "making a database");
	a = xcalloc(1, sizeof(*a));
	a->tenants = ts;
	a->record = d->record;
	lookup_ref(&a->record->base);
	a->out = t;
	return flow_call(f, &a->flow, &provision_wait_kind);
}

enum flow_rc
tenant_provision(struct flow *f, struct tenants *ts, struct tenant *t)
{
	switch (t->state) {
	case TENANT_READY:
		return FLOW_NEXT;
	case TENANT_SUSPENDED:
		return flow_fail(f, ERR_SUSPENDED, "the tenant is suspended");
	case TENANT_UNKNOWN:
		if (!ts->conf->lazy)
			return flow_fail(f, ERR_NOT_FOUND, "there is no such tenant");
		break;
	case TENANT_PROVISIONING:
	case TENANT_FAILED:
		break;
	}
	return provision_wait_start(f, ts, t);
}
