/* SPDX-License-Identifier: MIT */
/*
 * neon_wait: waits until the project's operations are over.
 *
 *	[poll] --> [read] --> done: none is running, or there is no such project
 *	   ^          |
 *	   +-- sleep -+  some are running
 *
 * One listing serves for all operations of a project, less and less often: 40 requests a second is
 * all that Neon grants an account on a route.
 */
#include "tenant/neon.h"

#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"

static const struct backoff wait_backoff = { 500 * 1000, 5 * 1000000, 150 };

static flow_step_fn neon_wait_poll, neon_wait_read;
static flow_end_fn neon_wait_end;

static const struct flow_step neon_wait_steps[] = {
	{ "poll", neon_wait_poll },
	{ "read", neon_wait_read },
	{ NULL, NULL },
};

static const struct flow_kind neon_wait_kind = { "neon_wait", neon_wait_steps, neon_wait_end,
	NULL };

static enum flow_rc
neon_wait_poll(struct flow *f)
{
	struct neon_waiter *w = FLOW_OF(f, struct neon_waiter, &neon_wait_kind);

	neon_call_reset(&w->call);
	buf_printf(&w->call.path, "/projects/%s/operations?limit=100", w->row->project_id);
	return neon_call_run(f, &w->call, "GET");
}

/* The listing goes back six months: an adopted project may have failed at something long ago, so
 * for it a failed operation decides nothing. Whether its database works is seen at the login. */
static enum flow_rc
neon_wait_read(struct flow *f)
{
	struct neon_waiter *w = FLOW_OF(f, struct neon_waiter, &neon_wait_kind);
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
		return flow_fail(f, ERR_NEON,
		    "Neon failed to set up the project (operation %s). Try again in a minute.",
		    ops.failed_action);
	if (ops.running == 0)
		return FLOW_DONE;
	flow_goto(f, neon_wait_poll);
	return flow_sleep(f, &w->timer, backoff_us(&wait_backoff, ++w->polls, 0));
}

static void
neon_wait_end(struct flow *f, const struct err *err)
{
	struct neon_waiter *w = FLOW_OF(f, struct neon_waiter, &neon_wait_kind);

	(void)err;
	neon_call_free(&w->call);
}

enum flow_rc
neon_wait(struct flow *f, struct neon_waiter *w, struct tenants *ts, const struct tenant_row *row)
{
	neon_call_init(&w->call, ts);
	w->row = row;
	w->is_gone = false;
	w->polls = 0;
	return flow_call(f, &w->flow, &neon_wait_kind);
}
