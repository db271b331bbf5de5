/* SPDX-License-Identifier: MIT */
/*
 * orphan_remove: the object of orphans.c, and how one of its projects goes.
 *
 *	[claim] --> [delete] --> [deleted] --> [release] --> [released]
 *	   |                         |
 *	   |                         +-- no clear answer: the claim stays
 *	   +-- it has a tenant by now: not removed
 *
 * Neon's deletion is soft: it can recover a project for 7 days. Deleted already (404) is deleted.
 */
#include <stdlib.h>

#include "tenant/orphans_internal.h"
#include "tenant/removal_claim.h"
#include "tenant/row_sql.h"
#include "tenantgate/base/alloc.h"

struct orphan_removal {
	struct flow flow;
	struct tenant_orphans *orphans; /* borrowed, as the next two */
	const struct orphan_project *project;
	bool *is_gone;
};

static flow_step_fn removal_take, removal_delete, removal_deleted, removal_release_claim,
    removal_released;
static flow_release_fn removal_release;

static const struct flow_step removal_steps[] = {
	{ "claim", removal_take },
	{ "delete", removal_delete },
	{ "deleted", removal_deleted },
	{ "release", removal_release_claim },
	{ "released", removal_released },
	{ NULL, NULL },
};

static const struct flow_kind removal_kind = { "orphan_remove", removal_steps, NULL,
	removal_release };

/* While a database is made its project is there before the row has its id. */
enum flow_rc
orphan_look_tenant(struct flow *f, struct tenants *ts, const struct orphan_project *p,
    struct pg_result *out)
{
	struct pg_query q = {
		.sql = "SELECT 1 FROM public.tenants WHERE project_id" PG_EQUALS "$1"
		       " OR (tenant_id" PG_EQUALS "$2 AND project_id IS NULL"
		       " AND (" IS_PROVISIONING " OR posted_at IS NOT NULL))"
		       " UNION ALL SELECT 1 FROM public.vector_databases"
		       " WHERE vector_db_id" PG_EQUALS "$1 AND user_id" PG_DIFFERS REMOVAL_USER,
		.params = { PG_TEXT(p->id), PG_TEXT(p->tenant) },
		.param_count = 2,
	};

	return catalog_run(f, ts->catalog, CATALOG_TENANTS, SLICE_LIT("orphans"), &q, out);
}

static enum flow_rc
removal_take(struct flow *f)
{
	struct orphan_removal *r = FLOW_OF(f, struct orphan_removal, &removal_kind);

	return removal_claim_take(f, r->orphans->tenants->catalog, r->project->id,
	    r->project->tenant, &r->orphans->result);
}

static enum flow_rc
removal_delete(struct flow *f)
{
	struct orphan_removal *r = FLOW_OF(f, struct orphan_removal, &removal_kind);
	struct neon_call *call = &r->orphans->call;
	enum flow_rc rc = catalog_check(f, &r->orphans->result, "tenant of a project");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&r->orphans->result) == 0)
		return FLOW_DONE;
	neon_call_reset(call);
	buf_printf(&call->path, "/projects/%s", r->project->id);
	return neon_call_run(f, call, "DELETE");
}

static enum flow_rc
removal_deleted(struct flow *f)
{
	struct orphan_removal *r = FLOW_OF(f, struct orphan_removal, &removal_kind);
	const struct neon_call *call = &r->orphans->call;

	*r->is_gone = call->outcome == NEON_DONE ||
	    (call->outcome == NEON_REFUSED && call->response.status == 404);
	if (*r->is_gone || call->outcome == NEON_REFUSED || call->outcome == NEON_UNSENT)
		return FLOW_NEXT;
	return neon_check(f, call, "deletion of a project");
}

static enum flow_rc
removal_release_claim(struct flow *f)
{
	struct orphan_removal *r = FLOW_OF(f, struct orphan_removal, &removal_kind);

	return removal_claim_drop(f, r->orphans->tenants->catalog, r->project->id,
	    &r->orphans->result);
}

/* One that was not released is over by itself. */
static enum flow_rc
removal_released(struct flow *f)
{
	struct orphan_removal *r = FLOW_OF(f, struct orphan_removal, &removal_kind);

	if (*r->is_gone)
		return FLOW_DONE;
	return neon_check(f, &r->orphans->call, "deletion of a project");
}

static void
removal_release(struct flow *f)
{
	free(FLOW_OF(f, struct orphan_removal, &removal_kind));
}

static const struct orphan_project *
project_at(const struct tenant_orphans *o, unsigned i)
{
	const struct orphan_project *p = TAILQ_FIRST(&o->orphans);

	while (i-- > 0)
		p = TAILQ_NEXT(p, link);
	return p;
}

enum flow_rc
tenant_orphan_remove(struct flow *f, struct tenant_orphans *o, unsigned i, bool *is_gone)
{
	struct orphan_removal *r = xcalloc(1, sizeof(*r));

	*is_gone = false;
	r->orphans = o;
	r->project = project_at(o, i);
	r->is_gone = is_gone;
	return flow_call(f, &r->flow, &removal_kind);
}

/* ---- the object ---- */

struct tenant_orphans *
tenant_orphans_new(struct tenants *ts)
{
	struct tenant_orphans *o = xcalloc(1, sizeof(*o));

	o->tenants = ts;
	o->projects = map_new(0, free);
	neon_call_init(&o->call, ts, &o->row);
	TAILQ_INIT(&o->missing);
	TAILQ_INIT(&o->gone);
	TAILQ_INIT(&o->unknown);
	TAILQ_INIT(&o->orphans);
	return o;
}

static void
tenants_drop(struct orphan_tenants *list)
{
	struct orphan_tenant *t;

	while ((t = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, t, link);
		free(t);
	}
}

static void
projects_drop(struct orphan_projects *list)
{
	struct orphan_project *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, p, link);
		free(p);
	}
}

void
tenant_orphans_free(struct tenant_orphans *o)
{
	if (o == NULL)
		return;
	tenants_drop(&o->missing);
	tenants_drop(&o->gone);
	projects_drop(&o->unknown);
	projects_drop(&o->orphans);
	map_free(o->projects);
	neon_call_free(&o->call);
	pg_clear(&o->result);
	free(o);
}

unsigned
tenant_orphans_projects(const struct tenant_orphans *o)
{
	return o->orphan_count;
}

unsigned
tenant_orphans_tenants(const struct tenant_orphans *o)
{
	return o->gone_count;
}

unsigned
tenant_orphans_seen(const struct tenant_orphans *o)
{
	return o->seen;
}

struct orphan
tenant_orphan_project(const struct tenant_orphans *o, unsigned i)
{
	const struct orphan_project *p = project_at(o, i);

	return (struct orphan){ p->id, p->name, p->tenant };
}

struct orphan
tenant_orphan_tenant(const struct tenant_orphans *o, unsigned i)
{
	const struct orphan_tenant *t = TAILQ_FIRST(&o->gone);

	while (i-- > 0)
		t = TAILQ_NEXT(t, link);
	return (struct orphan){ t->project_id, "", t->id };
}
