/* SPDX-License-Identifier: MIT */
/*
 * neon_owner: asks each project of an inventory whose it is. A name does not say it: people give
 * names too, and the first releases' may be two tenants'.
 *
 *	[branches] <--> [read] --> done: after the last
 */
#include <stdio.h>

#include "tenant/neon.h"

static flow_step_fn owner_branches, owner_read;
static flow_end_fn owner_end;

static const struct flow_step owner_steps[] = {
	{ "branches", owner_branches },
	{ "read", owner_read },
	{ NULL, NULL },
};

static const struct flow_kind owner_kind = { "neon_owner", owner_steps, owner_end, NULL };

/* The annotations are those of branches: a project has none. */
static enum flow_rc
owner_branches(struct flow *f)
{
	struct neon_owners *o = FLOW_OF(f, struct neon_owners, &owner_kind);

	if (o->looked == o->found->hits)
		return FLOW_DONE;
	neon_call_reset(&o->call);
	buf_printf(&o->call.path, "/projects/%s/branches", o->found->hit[o->looked].id);
	return neon_call_run(f, &o->call, "GET");
}

/* An old name without a word of ours is disputed too: it may be the tenant's, and hold what they
 * stored. One that says it is another's is theirs, unless it has the name that only this tenant's
 * can have. */
static void
owner_count(struct neon_owners *o, const struct neon_hit *hit)
{
	enum neon_owner owner = neon_read_owner(o->call.json, o->tenants->conf->environment,
	    o->row->tenant.id, hit->has_old_name);
	size_t used = strlen(o->ids);

	if (owner == OWNER_ANOTHER && hit->has_old_name)
		return;
	if (owner == OWNER_OURS) {
		o->ours++;
		snprintf(o->ours_id, sizeof(o->ours_id), "%s", hit->id);
	} else {
		o->disputed++;
	}
	snprintf(o->ids + used, sizeof(o->ids) - used, "%s%s", used > 0 ? ", " : "", hit->id);
}

/* 404: deleted since it was listed. */
static enum flow_rc
owner_read(struct flow *f)
{
	struct neon_owners *o = FLOW_OF(f, struct neon_owners, &owner_kind);
	const struct neon_hit *hit = &o->found->hit[o->looked++];
	enum flow_rc rc;

	flow_goto(f, owner_branches);
	if (o->call.outcome == NEON_REFUSED && o->call.response.status == 404)
		return FLOW_NEXT;
	rc = neon_check(f, &o->call, "list of branches");
	if (rc == FLOW_NEXT)
		owner_count(o, hit);
	return rc;
}

static void
owner_end(struct flow *f, const struct err *err)
{
	(void)err;
	neon_call_free(&(FLOW_OF(f, struct neon_owners, &owner_kind))->call);
}

enum flow_rc
neon_owners_ask(struct flow *f, struct neon_owners *o, struct tenants *ts, struct tenant_row *row,
    const struct neon_inventory *found)
{
	neon_call_init(&o->call, ts, row);
	o->tenants = ts;
	o->row = row;
	o->found = found;
	o->looked = o->ours = o->disputed = 0;
	o->ours_id[0] = o->ids[0] = '\0';
	return flow_call(f, &o->flow, &owner_kind);
}
