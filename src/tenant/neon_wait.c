/* SPDX-License-Identifier: MIT */
/*
 * neon_wait: waits until the project's operations are over.
 *
 *	[pause] --> [look] --> [read] --> done: none is running, or there is no such project
 *	   ^                      |
 *	   +----------------------+  some are running
 *
 * One listing serves for all operations of a project. Each look is a call of the account's rate, so
 * it comes when it is likely to be the last one: by what the last creations took (neon_pace.h). A
 * project that was not made just now is looked at once.
 */
#include "tenant/neon.h"
#include "tenant/tenants_shared.h"
#include "tenantgate/base/clock.h"

static flow_step_fn neon_wait_pause, neon_wait_look, neon_wait_read;
static flow_end_fn neon_wait_end;

static const struct flow_step neon_wait_steps[] = {
	{ "pause", neon_wait_pause },
	{ "look", neon_wait_look },
	{ "read", neon_wait_read },
	{ NULL, NULL },
};

static const struct flow_kind neon_wait_kind = { "neon_wait", neon_wait_steps, neon_wait_end,
	NULL };

/* What was done since the creation was answered counts: the address was saved meanwhile. */
static enum flow_rc
neon_wait_pause(struct flow *f)
{
	struct neon_waiter *w = FLOW_OF(f, struct neon_waiter, &neon_wait_kind);
	struct neon_pace pace = shared_pace(w->tenants->shared);
	uint64_t us = pace_look_us(&pace, w->looks), spent = 0;

	if (w->looks == 0 && !w->row->is_new)
		return FLOW_NEXT;
	if (w->looks == 0)
		spent = clock_mono_us() - w->row->made_at_us;
	return us > spent ? flow_sleep(f, &w->timer, us - spent) : FLOW_NEXT;
}

static enum flow_rc
neon_wait_look(struct flow *f)
{
	struct neon_waiter *w = FLOW_OF(f, struct neon_waiter, &neon_wait_kind);

	w->looks++;
	neon_call_reset(&w->call);
	buf_printf(&w->call.path, "/projects/%s/operations?limit=100", w->row->project_id);
	return neon_call_run(f, &w->call, "GET");
}

static enum flow_rc
neon_wait_done(struct neon_waiter *w, uint64_t since_us, const struct neon_operations *ops)
{
	if (w->row->is_new)
		w->row->operations_us = pace_estimate_us(w->running_us, since_us, ops->took_us);
	return FLOW_DONE;
}

static enum flow_rc
setup_failed(struct flow *f, const char *action)
{
	struct err err = { 0 };

	err_set(&err, ERR_NEON,
	    "The provider failed to set up the tenant's database. Try again in a minute.");
	err_cause(&err, "Neon's operation %s failed", action);
	return flow_fail_err(f, &err);
}

/* The listing goes back six months: an adopted project may have failed at something long ago, so
 * for it a failed operation decides nothing. Whether its database works is seen at the login. */
static enum flow_rc
neon_wait_read(struct flow *f)
{
	struct neon_waiter *w = FLOW_OF(f, struct neon_waiter, &neon_wait_kind);
	uint64_t since_us = clock_mono_us() - w->row->made_at_us;
	struct neon_operations ops;
	struct err err = { 0 };
	enum flow_rc rc;

	w->is_gone = w->call.outcome == NEON_REFUSED && w->call.response.status == 404;
	if (w->is_gone)
		return FLOW_DONE;
	rc = neon_check(f, &w->call, "list of operations");
	if (rc != FLOW_NEXT)
		return rc;
	if (!neon_read_operations(w->call.json, &ops, &err))
		return flow_fail_err(f, &err);
	if (ops.failed > 0 && w->row->is_new)
		return setup_failed(f, ops.failed_action);
	if (ops.running == 0)
		return neon_wait_done(w, since_us, &ops);
	w->running_us = since_us;
	return flow_goto(f, neon_wait_pause);
}

static void
neon_wait_end(struct flow *f, const struct err *err)
{
	struct neon_waiter *w = FLOW_OF(f, struct neon_waiter, &neon_wait_kind);

	(void)err;
	neon_call_free(&w->call);
}

enum flow_rc
neon_wait(struct flow *f, struct neon_waiter *w, struct tenants *ts, struct tenant_row *row)
{
	neon_call_init(&w->call, ts, row);
	w->tenants = ts;
	w->row = row;
	w->is_gone = false;
	w->looks = 0;
	w->running_us = 0;
	return flow_call(f, &w->flow, &neon_wait_kind);
}
