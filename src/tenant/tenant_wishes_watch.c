/* SPDX-License-Identifier: MIT */
/*
 * tenant_wishes_watch: waits for what is asked of Neon, and the watch over what is left pending:
 *
 *	[list] --> [listed] --> [begin] one, and another ... --> [rest] --> [list]
 *
 * The watch goes on after a kill, or when Neon was away. One after another, so that many are no
 * burst of calls; of several replicas the lease in each row decides.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/row_wish.h"
#include "tenant/tenant_wish.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/tenant/wishes.h"

#define ELSEWHERE_US \
	(200 * 1000ull) /* until the row of one that another process is at is read again */

struct wish_waiter {
	struct flow flow;
	struct join_waiter waiter;
	struct timer timer;
	struct tenants *tenants; /* borrowed */
	struct err why;		 /* not looked at: the row says what came of it */
	char id[TENANT_ID_MAX + 1];
};

struct wishes_watch {
	struct flow flow;
	struct wish_waiter waiter;
	struct tenants *tenants; /* borrowed */
	struct pg_result result; /* owned */
	struct timer timer;
	unsigned next; /* row of the result */
};

static flow_step_fn wishes_list, wishes_listed, wishes_begin, wishes_rest;
static flow_release_fn wishes_release;

static const struct flow_step wishes_watch_steps[] = {
	{ "list", wishes_list },
	{ "listed", wishes_listed },
	{ "begin", wishes_begin },
	{ "rest", wishes_rest },
	{ NULL, NULL },
};

static const struct flow_kind wishes_watch_kind = { "tenant_wishes_watch", wishes_watch_steps, NULL,
	wishes_release };

static flow_step_fn wish_waiter_join;

static const struct flow_step wish_waiter_steps[] = { { "wait", wish_waiter_join },
	{ NULL, NULL } };

static const struct flow_kind wish_waiter_kind = { "tenant_wish_wait", wish_waiter_steps, NULL,
	NULL };

/* ---- one tenant ---- */

void
tenant_wish_begin(struct tenants *ts, const char *id)
{
	(void)wish_handle_get(ts, id); /* without memory the watch comes to it */
}

static enum flow_rc
wish_waiter_join(struct flow *f)
{
	struct wish_waiter *w = FLOW_OF(f, struct wish_waiter, &wish_waiter_kind);
	struct wish_handle *h = map_get(w->tenants->wishes, slice_str(w->id));

	return h != NULL ? join_wait(&h->join, f, &w->waiter)
			 : flow_sleep(f, &w->timer, ELSEWHERE_US);
}

static enum flow_rc
wish_wait(struct flow *f, struct wish_waiter *w, struct tenants *ts, const char *id, uint64_t us)
{
	enum flow_rc rc;

	memset(w, 0, sizeof(*w));
	w->tenants = ts;
	snprintf(w->id, sizeof(w->id), "%s", id);
	rc = flow_try(f, &w->flow, &wish_waiter_kind, &w->why);
	flow_deadline(&w->flow, us);
	return rc;
}

enum flow_rc
tenant_wish_wait(struct flow *f, struct tenants *ts, const char *id, uint64_t us)
{
	struct wish_waiter *w = arena_alloc(f->arena, sizeof(*w));

	if (w == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the wait");
	return wish_wait(f, w, ts, id, us);
}

/* ---- the watch ---- */

static enum flow_rc
wishes_list(struct flow *f)
{
	struct wishes_watch *w = FLOW_OF(f, struct wishes_watch, &wishes_watch_kind);

	w->next = 0;
	return row_wish_list(f, w->tenants->catalog, &w->result);
}

static enum flow_rc
wishes_listed(struct flow *f)
{
	struct wishes_watch *w = FLOW_OF(f, struct wishes_watch, &wishes_watch_kind);

	return flow_goto(f, w->result.status == PG_OK ? wishes_begin : wishes_rest);
}

static enum flow_rc
wishes_begin(struct flow *f)
{
	struct wishes_watch *w = FLOW_OF(f, struct wishes_watch, &wishes_watch_kind);
	const char *id;

	if (w->next == pg_rows(&w->result))
		return FLOW_NEXT;
	id = pg_text(&w->result, w->next++, 0);
	tenant_wish_begin(w->tenants, id);
	flow_goto(f, wishes_begin);
	return wish_wait(f, &w->waiter, w->tenants, id, w->tenants->conf->lease_us);
}

static enum flow_rc
wishes_rest(struct flow *f)
{
	struct wishes_watch *w = FLOW_OF(f, struct wishes_watch, &wishes_watch_kind);
	bool is_full = w->result.status == PG_OK && pg_rows(&w->result) == WISH_PAGE;

	pg_clear(&w->result);
	flow_goto(f, wishes_list);
	return flow_sleep(f, &w->timer, is_full ? 1000 : w->tenants->conf->lease_us);
}

static void
wishes_release(struct flow *f)
{
	struct wishes_watch *w = FLOW_OF(f, struct wishes_watch, &wishes_watch_kind);

	pg_clear(&w->result);
	free(w);
}

void
tenant_wishes_watch(struct tenants *ts)
{
	struct wishes_watch *w = xcalloc(1, sizeof(*w));

	w->tenants = ts;
	flow_start(&w->flow, &wishes_watch_kind, ts->worker, NULL);
}
