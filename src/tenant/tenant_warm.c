/* SPDX-License-Identifier: MIT */
/*
 * tenant_warm: makes a tenant's database or wakes it, before somebody waits for it.
 *
 *	[work], for provision_wait: [lookup] --> [provision] --> [borrow] --> [ask] --> [asked]
 *	   |
 *	   +--> [check]: it answered, failed, or goes on behind
 *
 * By the tenant's own pool, so that the next request finds the connection there. The login that is
 * cut off by the deadline has reached the database all the same, which wakes from it.
 */
#include "tenant/tenant_internal.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/tenant/wishes.h"

struct warm_work {
	struct flow flow;
	struct tenants *tenants;   /* borrowed */
	const char *id;		   /* borrowed */
	struct tenant tenant;	   /* wiped by the parent */
	struct tenant_warmth *out; /* borrowed */
	struct pool_lease lease;
	struct pg_result result; /* owned */
	uint64_t began_us;
};

struct warm {
	struct flow flow;
	struct warm_work work;
	struct err why; /* the work's */
};

static flow_step_fn warm_lookup, warm_provision, warm_borrow, warm_ask, warm_asked;
static flow_end_fn warm_work_end;

static const struct flow_step warm_work_steps[] = {
	{ "lookup", warm_lookup },
	{ "provision", warm_provision },
	{ "borrow", warm_borrow },
	{ "ask", warm_ask },
	{ "asked", warm_asked },
	{ NULL, NULL },
};

static const struct flow_kind warm_work_kind = { "tenant_warm_work", warm_work_steps, warm_work_end,
	NULL };

static flow_step_fn warm_begin, warm_check;

static const struct flow_step warm_steps[] = {
	{ "work", warm_begin },
	{ "check", warm_check },
	{ NULL, NULL },
};

static const struct flow_kind warm_kind = { "tenant_warm", warm_steps, NULL, NULL };

/* ---- the work ---- */

static enum flow_rc
warm_lookup(struct flow *f)
{
	struct warm_work *w = FLOW_OF(f, struct warm_work, &warm_work_kind);

	return tenant_lookup(f, w->tenants, w->id, &w->tenant);
}

static enum flow_rc
warm_provision(struct flow *f)
{
	struct warm_work *w = FLOW_OF(f, struct warm_work, &warm_work_kind);

	w->out->state = w->tenant.state;
	w->began_us = clock_mono_us();
	if (w->tenant.state == TENANT_UNKNOWN)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no tenant of this id; PUT /admin/tenants/{id} makes it.");
	return tenant_provision(f, w->tenants, &w->tenant);
}

static enum flow_rc
warm_borrow(struct flow *f)
{
	struct warm_work *w = FLOW_OF(f, struct warm_work, &warm_work_kind);
	struct pool_target target;
	char key[TENANT_KEY_SIZE];
	struct err err = { 0 };

	if (w->out->state != TENANT_READY)
		w->out->made_us = clock_mono_us() - w->began_us;
	if (tenant_is_locked_out(w->tenants, &w->tenant, &err))
		return flow_fail_err(f, &err);
	tenant_target(&w->tenant, &target, key);
	return pool_borrow(f, w->tenants->pools, &target, &w->lease);
}

static enum flow_rc
warm_ask(struct flow *f)
{
	static const struct pg_query q = { .sql = "SELECT 1" };
	struct warm_work *w = FLOW_OF(f, struct warm_work, &warm_work_kind);

	return pool_read(f, &w->lease, &q, &w->result);
}

static enum flow_rc
warm_asked(struct flow *f)
{
	struct warm_work *w = FLOW_OF(f, struct warm_work, &warm_work_kind);
	enum flow_rc rc = pg_check(f, &w->result, pg_reason(&w->result)->code,
	    "The tenant's database did not answer");

	w->out->answered_us = clock_mono_us() - w->began_us;
	return rc;
}

static void
warm_work_end(struct flow *f, const struct err *err)
{
	struct warm_work *w = FLOW_OF(f, struct warm_work, &warm_work_kind);

	(void)err;
	pool_return(&w->lease, POOL_CLEAN);
	pg_clear(&w->result);
}

/* ---- no longer than a request would wait ---- */

static enum flow_rc
warm_begin(struct flow *f)
{
	struct warm *w = FLOW_OF(f, struct warm, &warm_kind);
	enum flow_rc rc = flow_try(f, &w->work.flow, &warm_work_kind, &w->why);

	flow_deadline(&w->work.flow, w->work.tenants->conf->provision_wait_us);
	return rc;
}

/* ERR_PROVISIONING is what a request is told that has waited so long. */
static enum flow_rc
warm_check(struct flow *f)
{
	struct warm *w = FLOW_OF(f, struct warm, &warm_kind);
	struct tenant_warmth *out = w->work.out;

	bytes_wipe(&w->work.tenant, sizeof(w->work.tenant));
	if (!err_is(&w->why))
		return FLOW_DONE;
	if (w->why.code != ERR_TIMEOUT &&
	    (w->why.code != ERR_PROVISIONING ||
		map_get(w->work.tenants->provisions, slice_str(w->work.id)) == NULL))
		return flow_fail_err(f, &w->why);
	out->is_cut_off = true;
	return FLOW_DONE;
}

enum flow_rc
tenant_warm(struct flow *f, struct tenants *ts, const char *id, struct tenant_warmth *out)
{
	struct warm *w = arena_alloc(f->arena, sizeof(*w));

	if (w == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's connection");
	memset(w, 0, sizeof(*w));
	*out = (struct tenant_warmth){ 0 };
	w->work = (struct warm_work){ .tenants = ts, .id = id, .out = out };
	return flow_call(f, &w->flow, &warm_kind);
}
