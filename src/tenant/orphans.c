/* SPDX-License-Identifier: MIT */
/*
 * orphans: the inventory, and who is missing on either side.
 *
 *	[list] <--> [page] --> [rows] <--> [known] --> [confirm] <--> [confirmed]
 *	    --> [branches] --> [owner] --> [tenant] --+
 *	            ^                                 |
 *	            +---------------------------------+   the last: done
 *
 * Projects come before rows: a database that is made in between is in the rows, or its row says
 * that it is being made. A tenant whose project was not listed is asked for by its id, for a
 * listing may lag; only a 404 says that it is gone.
 */
#include "tenant/orphans_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenant/row_sql.h"
#include "tenantgate/base/alloc.h"

#define PAGES_MAX 64 /* 25,600 projects: against a cursor that never ends */
#define ROWS_PAGE 1000

static flow_step_fn orphans_list, orphans_page, orphans_rows, orphans_known, orphans_confirm,
    orphans_confirmed, orphans_branches, orphans_owner, orphans_tenant;
static flow_end_fn orphans_end;

static const struct flow_step orphans_steps[] = {
	{ "list", orphans_list },
	{ "page", orphans_page },
	{ "rows", orphans_rows },
	{ "known", orphans_known },
	{ "confirm", orphans_confirm },
	{ "confirmed", orphans_confirmed },
	{ "branches", orphans_branches },
	{ "owner", orphans_owner },
	{ "tenant", orphans_tenant },
	{ NULL, NULL },
};

static const struct flow_kind orphans_kind = { "tenant_orphans", orphans_steps, orphans_end, NULL };

static struct tenant_orphans *
orphans_of(struct flow *f)
{
	return FLOW_OF(f, struct tenant_orphans, &orphans_kind);
}

/* ---- what Neon has ---- */

static enum flow_rc
orphans_list(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	const char *org = text_or_null(o->tenants->conf->neon_org_id);

	if (o->tenants->conf->provider != PROVIDER_NEON)
		return flow_fail(f, ERR_INVALID_FIELD,
		    "Orphans are looked for at Neon; with another provider there is no such list. "
		    "Set provider = neon, or leave it.");
	if (o->pages == PAGES_MAX)
		return flow_fail(f, ERR_NEON,
		    "Neon's list of projects does not end. Try again later, or look at the number "
		    "of projects of the account.");
	neon_call_reset(&o->call);
	buf_printf(&o->call.path, "/projects?limit=%d", NEON_PAGE);
	if (org != NULL) {
		buf_puts(&o->call.path, "&org_id=");
		name_url_encode(&o->call.path, slice_str(org));
	}
	if (o->cursor[0] != '\0') {
		buf_puts(&o->call.path, "&cursor=");
		name_url_encode(&o->call.path, slice_str(o->cursor));
	}
	return neon_call_run(f, &o->call, "GET");
}

/* A neon_project_fn. */
static bool
orphans_add(const char *id, const char *name, void *arg)
{
	struct tenant_orphans *o = arg;
	struct orphan_project *p = xcalloc(1, sizeof(*p));

	snprintf(p->id, sizeof(p->id), "%s", id);
	snprintf(p->name, sizeof(p->name), "%s", name);
	if (!map_put(o->projects, slice_str(id), p)) {
		free(p);
		return false;
	}
	return true;
}

static enum flow_rc
orphans_page(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	enum flow_rc rc = neon_check(f, &o->call, "list of projects");
	struct err err = { 0 };
	unsigned length;

	if (rc != FLOW_NEXT)
		return rc;
	if (!neon_read_projects(o->call.json, orphans_add, o, &length, o->cursor, &err))
		return flow_fail_err(f, &err);
	o->pages++;
	if (length == NEON_PAGE && o->cursor[0] != '\0')
		return flow_goto(f, orphans_list);
	o->seen = (unsigned)map_count(o->projects);
	return FLOW_NEXT;
}

/* ---- what the catalog has ---- */

static enum flow_rc
orphans_rows(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	struct pg_query q = {
		.sql = "SELECT tenant_id, project_id FROM public.tenants WHERE provider" PG_EQUALS
		       "'neon' AND project_id IS NOT NULL AND tenant_id" PG_ABOVE "$1"
		       " ORDER BY tenant_id LIMIT 1000",
		.params = { PG_TEXT(o->last) },
		.param_count = 1,
	};

	_Static_assert(ROWS_PAGE == 1000, "the statement's number");
	return catalog_run(f, o->tenants->catalog, CATALOG_TENANTS, SLICE_LIT("orphans"), &q,
	    &o->result);
}

static void
orphans_miss(struct tenant_orphans *o, const char *tenant, const char *project)
{
	struct orphan_tenant *t = xcalloc(1, sizeof(*t));

	snprintf(t->id, sizeof(t->id), "%s", tenant);
	snprintf(t->project_id, sizeof(t->project_id), "%s", project);
	TAILQ_INSERT_TAIL(&o->missing, t, link);
	o->missing_count++;
}

static enum flow_rc
orphans_too_many(struct flow *f)
{
	return flow_fail(f, ERR_NEON,
	    "More than %d projects or tenants have no other side: that is another account's list. "
	    "Look at neon_api_key and neon_org_id.",
	    ORPHANS_MAX);
}

/* A map_each_fn: what is left has no tenant. */
static bool
orphans_unknown(struct slice key, void *value, void *arg)
{
	struct tenant_orphans *o = arg;
	struct orphan_project *p = value, *copy = xcalloc(1, sizeof(*copy));

	(void)key;
	*copy = *p;
	TAILQ_INSERT_TAIL(&o->unknown, copy, link);
	return true;
}

static enum flow_rc
orphans_known(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	enum flow_rc rc = catalog_check(f, &o->result, "projects of tenants");
	unsigned rows;

	if (rc != FLOW_NEXT)
		return rc;
	rows = pg_rows(&o->result);
	for (unsigned i = 0; i < rows; i++) {
		const char *tenant = pg_text(&o->result, i, 0);
		const char *project = pg_text(&o->result, i, 1);

		if (!map_del(o->projects, slice_str(project)))
			orphans_miss(o, tenant, project);
	}
	if (o->missing_count > ORPHANS_MAX)
		return orphans_too_many(f);
	if (rows > 0)
		snprintf(o->last, sizeof(o->last), "%s", pg_text(&o->result, rows - 1, 0));
	if (rows == ROWS_PAGE)
		return flow_goto(f, orphans_rows);
	map_each(o->projects, orphans_unknown, o);
	return FLOW_NEXT;
}

/* ---- tenants without project ---- */

static enum flow_rc
orphans_confirm(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	const struct orphan_tenant *t = TAILQ_FIRST(&o->missing);

	if (t == NULL)
		return flow_goto(f, orphans_branches);
	neon_call_reset(&o->call);
	buf_printf(&o->call.path, "/projects/%s", t->project_id);
	return neon_call_run(f, &o->call, "GET");
}

static enum flow_rc
orphans_confirmed(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	struct orphan_tenant *t = TAILQ_FIRST(&o->missing);
	bool is_gone = o->call.outcome == NEON_REFUSED && o->call.response.status == 404;
	enum flow_rc rc = is_gone ? FLOW_NEXT : neon_check(f, &o->call, "project of a tenant");

	if (rc != FLOW_NEXT)
		return rc;
	TAILQ_REMOVE(&o->missing, t, link);
	if (is_gone) {
		TAILQ_INSERT_TAIL(&o->gone, t, link);
		o->gone_count++;
	} else {
		free(t);
	}
	return flow_goto(f, orphans_confirm);
}

/* ---- projects without tenant ---- */

static enum flow_rc
orphans_branches(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	const struct orphan_project *p = TAILQ_FIRST(&o->unknown);

	if (p == NULL)
		return FLOW_DONE;
	neon_call_reset(&o->call);
	buf_printf(&o->call.path, "/projects/%s/branches", p->id);
	return neon_call_run(f, &o->call, "GET");
}

static void
orphans_pass(struct tenant_orphans *o)
{
	struct orphan_project *p = TAILQ_FIRST(&o->unknown);

	TAILQ_REMOVE(&o->unknown, p, link);
	free(p);
}

static enum flow_rc
orphans_owner(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	struct orphan_project *p = TAILQ_FIRST(&o->unknown);
	bool is_gone = o->call.outcome == NEON_REFUSED && o->call.response.status == 404;
	enum flow_rc rc = is_gone ? FLOW_NEXT : neon_check(f, &o->call, "list of branches");

	if (rc != FLOW_NEXT)
		return rc;
	if (!is_gone && orphan_is_ours(o->call.json, o->tenants->conf->environment, p))
		return orphan_look_tenant(f, o->tenants, p, &o->result);
	orphans_pass(o);
	return flow_goto(f, orphans_branches);
}

static enum flow_rc
orphans_tenant(struct flow *f)
{
	struct tenant_orphans *o = orphans_of(f);
	struct orphan_project *p = TAILQ_FIRST(&o->unknown);
	enum flow_rc rc = catalog_check(f, &o->result, "tenant of a project");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&o->result) > 0) {
		orphans_pass(o);
	} else if (o->orphan_count == ORPHANS_MAX) {
		return orphans_too_many(f);
	} else {
		TAILQ_REMOVE(&o->unknown, p, link);
		TAILQ_INSERT_TAIL(&o->orphans, p, link);
		o->orphan_count++;
	}
	return flow_goto(f, orphans_branches);
}

static void
orphans_end(struct flow *f, const struct err *err)
{
	struct tenant_orphans *o = orphans_of(f);

	(void)err;
	neon_call_reset(&o->call);
	pg_clear(&o->result);
}

enum flow_rc
tenant_orphans_find(struct flow *f, struct tenant_orphans *o)
{
	return flow_call(f, &o->flow, &orphans_kind);
}
