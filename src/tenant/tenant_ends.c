/* SPDX-License-Identifier: MIT */
/*
 * tenant_ends: orders, waits for what they leave to be done, and the watch over what is owed:
 *
 *	[list] --> [listed] --> [end] of one, and another ... --> [rest] --> [list]
 *
 * The watch is what goes on after a crash, or when the provider was away. It carries out one after
 * another, so that a thousand tenants are no burst of calls; of several replicas the lease in each
 * row decides. Whatever fails, it looks again.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/row_end.h"
#include "tenant/tenant_end.h"
#include "tenantgate/base/alloc.h"

struct end_waiter {
	struct flow flow;
	struct join_waiter waiter;
	struct tenants *tenants; /* borrowed */
	struct err why;		 /* not looked at: the row says what came of it */
	char id[TENANT_ID_MAX + 1];
};

struct ends_watch {
	struct flow flow;
	struct end_waiter waiter;
	struct tenants *tenants; /* borrowed */
	struct pg_result result; /* owned */
	struct timer timer;
	unsigned next; /* row of the result */
};

static flow_step_fn watch_list, watch_listed, watch_end, watch_rest;
static flow_release_fn watch_release;

static const struct flow_step ends_watch_steps[] = {
	{ "list", watch_list },
	{ "listed", watch_listed },
	{ "end", watch_end },
	{ "rest", watch_rest },
	{ NULL, NULL },
};

static const struct flow_kind ends_watch_kind = { "tenant_ends_watch", ends_watch_steps, NULL,
	watch_release };

static flow_step_fn end_waiter_join;

static const struct flow_step end_waiter_steps[] = { { "wait", end_waiter_join }, { NULL, NULL } };

static const struct flow_kind end_waiter_kind = { "tenant_end_wait", end_waiter_steps, NULL, NULL };

/* ---- one tenant ---- */

enum flow_rc
tenant_order(struct flow *f, struct tenants *ts, const char *id, enum tenant_order order,
    const char *reason, struct pg_result *out)
{
	return row_end_order(f, ts->catalog, id, order, reason, out);
}

void
tenant_end_begin(struct tenants *ts, const char *id)
{
	(void)tenant_end_handle(ts, id); /* without memory the watch comes to it */
}

/* It may be over since the step that asked. */
static enum flow_rc
end_waiter_join(struct flow *f)
{
	struct end_waiter *w = FLOW_OF(f, struct end_waiter, &end_waiter_kind);
	struct end_handle *h = map_get(w->tenants->ends, slice_str(w->id));

	return h != NULL ? join_wait(&h->join, f, &w->waiter) : FLOW_NEXT;
}

static enum flow_rc
end_wait(struct flow *f, struct end_waiter *w, struct tenants *ts, const char *id, uint64_t us)
{
	enum flow_rc rc;

	memset(w, 0, sizeof(*w));
	w->tenants = ts;
	snprintf(w->id, sizeof(w->id), "%s", id);
	rc = flow_try(f, &w->flow, &end_waiter_kind, &w->why);
	flow_deadline(&w->flow, us);
	return rc;
}

enum flow_rc
tenant_end_wait(struct flow *f, struct tenants *ts, const char *id, uint64_t us)
{
	struct end_waiter *w = arena_alloc(f->arena, sizeof(*w));

	return w != NULL ? end_wait(f, w, ts, id, us) : FLOW_NEXT;
}

bool
tenant_is_heard(const struct tenants *ts)
{
	return ts->redis != NULL && redis_is_up(ts->redis);
}

uint64_t
tenant_unheard_us(const struct tenants *ts)
{
	return ts->conf->cache_ttl_us + (ts->redis != NULL ? ts->conf->redis_ttl_us : 0);
}

/* ---- the watch ---- */

static enum flow_rc
watch_list(struct flow *f)
{
	struct ends_watch *w = FLOW_OF(f, struct ends_watch, &ends_watch_kind);

	w->next = 0;
	return row_end_list(f, w->tenants->catalog, &w->result);
}

static enum flow_rc
watch_listed(struct flow *f)
{
	struct ends_watch *w = FLOW_OF(f, struct ends_watch, &ends_watch_kind);

	return flow_goto(f, w->result.status == PG_OK ? watch_end : watch_rest);
}

static enum flow_rc
watch_end(struct flow *f)
{
	struct ends_watch *w = FLOW_OF(f, struct ends_watch, &ends_watch_kind);
	const char *id;

	if (w->next == pg_rows(&w->result))
		return FLOW_NEXT;
	id = pg_text(&w->result, w->next++, 0);
	tenant_end_begin(w->tenants, id);
	flow_goto(f, watch_end);
	return end_wait(f, &w->waiter, w->tenants, id, w->tenants->conf->lease_us);
}

/* A page that was full is followed by the next at once: what has failed rests by its row. */
static enum flow_rc
watch_rest(struct flow *f)
{
	struct ends_watch *w = FLOW_OF(f, struct ends_watch, &ends_watch_kind);
	bool is_full = w->result.status == PG_OK && pg_rows(&w->result) == END_PAGE;

	pg_clear(&w->result);
	flow_goto(f, watch_list);
	return flow_sleep(f, &w->timer, is_full ? 1000 : w->tenants->conf->lease_us);
}

static void
watch_release(struct flow *f)
{
	struct ends_watch *w = FLOW_OF(f, struct ends_watch, &ends_watch_kind);

	pg_clear(&w->result);
	free(w);
}

void
tenant_ends_watch(struct tenants *ts)
{
	struct ends_watch *w = xcalloc(1, sizeof(*w));

	w->tenants = ts;
	flow_start(&w->flow, &ends_watch_kind, ts->worker, NULL);
}
