/* SPDX-License-Identifier: MIT */
/*
 * tenant_retract: what has changed is taken out of Redis and told to the other replicas, and once
 * more until Redis says that it has both: they may reach it where we cannot, and what it has of the
 * tenant would be as it was (its tokens not revoked, say) for as long as it keeps it.
 *
 *	[mark] --> [tell] --> [told] --> done
 *	  ^          |           |
 *	  |          v           v  Redis is not to be had, or takes nothing
 *	  +------- [wait] <------+
 *
 * A flow of its own, which nobody waits for. Redis keeps a record for tenant_redis_ttl at the most,
 * so after that nothing is owed; nor is it by a process that has ended.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/tenant_internal.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/loop/timer.h"

#define AGAIN_US	(1 * 1000000ull)
#define RETRACTIONS_MAX 1000 /* a worker; of more the other replicas hear when Redis's are over */

struct tenant_retraction {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	struct timer timer;
	struct redis_reply reply; /* owned */
	bool is_late;		  /* it was tried in vain */
	char id[TENANT_ID_MAX + 1];
};

static flow_step_fn retraction_mark, retraction_tell, retraction_told, retraction_wait;
static flow_release_fn retraction_release;

static const struct flow_step retraction_steps[] = {
	{ "mark", retraction_mark },
	{ "tell", retraction_tell },
	{ "told", retraction_told },
	{ "wait", retraction_wait },
	{ NULL, NULL },
};

static const struct flow_kind retraction_kind = { .name = "tenant_retract",
	.steps = retraction_steps,
	.release = retraction_release };

static struct tenant_retraction *
retraction_of(struct flow *f)
{
	return FLOW_OF(f, struct tenant_retraction, &retraction_kind);
}

/* Whether it has done what it was asked; the reply is given up. */
static bool
was_done(struct tenant_retraction *r)
{
	bool was = r->reply.status == REDIS_OK;

	redis_clear(&r->reply);
	return was;
}

static enum flow_rc
retraction_mark(struct flow *f)
{
	struct tenant_retraction *r = retraction_of(f);

	return tenants_unpublish_wait(f, r->tenants, r->id, &r->reply);
}

/* The first time they were told by whoever began this. */
static enum flow_rc
retraction_tell(struct flow *f)
{
	struct tenant_retraction *r = retraction_of(f);

	if (!was_done(r))
		return flow_goto(f, retraction_wait);
	if (r->is_late)
		drop_channel_tell(&r->tenants->drops,
		    slice_str(mutated(MUTATION_DROP_CHANNEL, r->id)), DROP_FORGET);
	return drop_channel_settle(f, &r->tenants->drops, &r->reply);
}

static enum flow_rc
retraction_told(struct flow *f)
{
	return was_done(retraction_of(f)) ? FLOW_DONE : FLOW_NEXT;
}

static enum flow_rc
retraction_wait(struct flow *f)
{
	struct tenant_retraction *r = retraction_of(f);

	r->is_late = true;
	flow_goto(f, retraction_mark);
	return flow_sleep(f, &r->timer, AGAIN_US);
}

static void
retraction_release(struct flow *f)
{
	struct tenant_retraction *r = retraction_of(f);

	r->tenants->retractions--;
	redis_clear(&r->reply);
	free(r);
}

void
tenant_retract(struct tenants *ts, const char *id)
{
	struct tenant_retraction *r;

	if (ts->redis == NULL || ts->retractions == RETRACTIONS_MAX)
		return;
	ts->retractions++;
	r = xcalloc(1, sizeof(*r));
	r->tenants = ts;
	snprintf(r->id, sizeof(r->id), "%s", id);
	flow_start(&r->flow, &retraction_kind, ts->worker, NULL);
	flow_deadline(&r->flow, ts->conf->redis_ttl_us);
}
