/* SPDX-License-Identifier: MIT */
/*
 * neon_list: every page of the projects whose name is like the tenant's.
 *
 *	[fetch] --> [read] --> done: the last page
 *	   ^           |
 *	   +-----------+  a full page, and a cursor
 *
 * What always holds: an inventory is whole, or it is a failure. Nothing is created because of
 * what a partial one does not show.
 */
#include "tenant/neon.h"

#define PAGES_MAX 64 /* 25,600 projects like ours: against a cursor that never ends */

static flow_step_fn neon_list_fetch, neon_list_read;
static flow_end_fn neon_list_end;

static const struct flow_step neon_list_steps[] = {
	{ "fetch", neon_list_fetch },
	{ "read", neon_list_read },
	{ NULL, NULL },
};

static const struct flow_kind neon_list_kind = { "neon_list", neon_list_steps, neon_list_end,
	NULL };

/* GET /projects: `search` matches parts of names and ids, so that one listing shows the name and
 * the old one, and neon_read_page() compares. org_id is needed with a personal key, and implied by
 * an organization's. */
static enum flow_rc
neon_list_fetch(struct flow *f)
{
	struct neon_list *l = FLOW_OF(f, struct neon_list, &neon_list_kind);
	const char *org = l->tenants->conf->neon_org_id;
	struct buf *path = &l->call.path;

	if (l->pages == PAGES_MAX)
		return flow_fail(f, ERR_NEON,
		    "Neon's list of projects does not end. Try again later, or look at the number "
		    "of projects of the account.");
	neon_call_reset(&l->call);
	buf_printf(path, "/projects?limit=%d&search=", NEON_PAGE);
	name_url_encode(path, slice_str(l->stem));
	if (org != NULL && org[0] != '\0') {
		buf_puts(path, "&org_id=");
		name_url_encode(path, slice_str(org));
	}
	if (l->found.cursor[0] != '\0') {
		buf_puts(path, "&cursor=");
		name_url_encode(path, slice_str(l->found.cursor));
	}
	return neon_call_run(f, &l->call, "GET");
}

static enum flow_rc
neon_list_read(struct flow *f)
{
	struct neon_list *l = FLOW_OF(f, struct neon_list, &neon_list_kind);
	enum flow_rc rc = neon_check(f, &l->call, "list of projects");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!neon_read_page(l->call.json, &l->names, &l->found, &err))
		return flow_fail_err(f, &err);
	l->pages++;
	/* The last page has a cursor too: a page that is not full is the last. */
	if (l->found.page_length < NEON_PAGE || l->found.cursor[0] == '\0')
		return FLOW_DONE;
	return flow_goto(f, neon_list_fetch);
}

static void
neon_list_end(struct flow *f, const struct err *err)
{
	struct neon_list *l = FLOW_OF(f, struct neon_list, &neon_list_kind);

	(void)err;
	neon_call_free(&l->call);
}

enum flow_rc
neon_list_all(struct flow *f, struct neon_list *l, struct tenants *ts, struct tenant_row *row)
{
	neon_call_init(&l->call, ts, row);
	l->tenants = ts;
	name_project_stem(l->stem, ts->conf->environment, row->tenant.id);
	name_project(l->names.name, ts->conf->environment, row->tenant.id);
	name_project_old(l->names.old_name, ts->conf->environment, row->tenant.id);
	l->pages = 0;
	memset(&l->found, 0, sizeof(l->found));
	return flow_call(f, &l->flow, &neon_list_kind);
}
