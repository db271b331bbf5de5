/* SPDX-License-Identifier: MIT */
/*
 * adopt_project: a project of Neon's that is to be a tenant's.
 *
 *	[project] --> [name] --> [owner] --> [uri] --> [filled]
 *
 * It is not taken when its annotations name another environment or tenant, or its name is one that
 * tenantgate gives and not this tenant's. What says nothing is anybody's, and so the caller's.
 */
#include <stdio.h>

#include "tenant/adopt.h"
#include "tenant/neon_read.h"
#include "tenantgate/base/json.h"

static flow_step_fn adopt_project_get, adopt_project_name, adopt_project_owner, adopt_project_uri,
    adopt_project_filled, adopt_mark_send, adopt_mark_done;
static flow_end_fn adopt_project_end;

static const struct flow_step project_look_steps[] = {
	{ "project", adopt_project_get },
	{ "name", adopt_project_name },
	{ "owner", adopt_project_owner },
	{ "uri", adopt_project_uri },
	{ "filled", adopt_project_filled },
	{ NULL, NULL },
};

static const struct flow_step project_mark_steps[] = {
	{ "mark", adopt_mark_send },
	{ "marked", adopt_mark_done },
	{ NULL, NULL },
};

static const struct flow_kind project_look_kind = { "adopt_project", project_look_steps,
	adopt_project_end, NULL };
static const struct flow_kind project_mark_kind = { "adopt_mark", project_mark_steps,
	adopt_project_end, NULL };

static struct adopt_project *
adopt_project_of(struct flow *f)
{
	return FLOW_OF(f, struct adopt_project, &project_look_kind);
}

static enum flow_rc
adopt_project_get(struct flow *f)
{
	struct adopt_project *p = adopt_project_of(f);

	neon_call_reset(&p->call);
	buf_printf(&p->call.path, "/projects/%s", p->row->project_id);
	return neon_call_run(f, &p->call, "GET");
}

static enum flow_rc
adopt_check(struct adopt_project *p, const char *what)
{
	if (p->call.outcome == NEON_REFUSED && p->call.response.status == 404)
		return flow_fail(&p->flow, ERR_NOT_FOUND,
		    "Neon has no project %s, or none that neon_api_key may see, with database %s "
		    "and role %s. Look at the id.",
		    p->row->project_id, NEON_DATABASE, NEON_ROLE);
	return neon_check(&p->flow, &p->call, what);
}

static enum flow_rc
adopt_is_anothers(struct adopt_project *p, const char *what)
{
	return flow_fail(&p->flow, ERR_CONFLICT,
	    "Project %s is another tenant's, or another environment's: its %s says so. Take "
	    "another one, or let that one go there first.",
	    p->row->project_id, what);
}

static enum flow_rc
adopt_project_name(struct flow *f)
{
	struct adopt_project *p = adopt_project_of(f);
	enum flow_rc rc = adopt_check(p, "project to be adopted");

	if (rc != FLOW_NEXT)
		return rc;
	neon_read_name(p->call.json, p->name);
	if (name_is_given(p->name) && strcmp(p->name, p->row->project_name) != 0)
		return adopt_is_anothers(p, "name");
	neon_call_reset(&p->call);
	buf_printf(&p->call.path, "/projects/%s/branches", p->row->project_id);
	return neon_call_run(f, &p->call, "GET");
}

/* The first releases noted the tenant and no environment; the environment is in the name then. */
static bool
notes_allow(const struct adopt_project *p)
{
	const char *environment = p->tenants->conf->environment;
	char old[PROJECT_NAME_SIZE];
	enum neon_owner owner;

	name_project_old(old, environment, p->row->tenant.id);
	owner = neon_read_owner(p->call.json, environment, p->row->tenant.id,
	    strcmp(p->name, old) == 0);
	return owner == OWNER_OURS || (owner == OWNER_UNTOLD && !neon_read_is_noted(p->call.json));
}

static enum flow_rc
adopt_project_owner(struct flow *f)
{
	struct adopt_project *p = adopt_project_of(f);
	enum flow_rc rc = adopt_check(p, "list of branches");

	if (rc != FLOW_NEXT)
		return rc;
	if (!notes_allow(p))
		return adopt_is_anothers(p, "annotation");
	neon_read_main_branch(p->call.json, p->row);
	return FLOW_NEXT;
}

static enum flow_rc
adopt_project_uri(struct flow *f)
{
	return neon_call_uri(f, &adopt_project_of(f)->call);
}

static enum flow_rc
adopt_project_filled(struct flow *f)
{
	struct adopt_project *p = adopt_project_of(f);
	enum flow_rc rc = adopt_check(p, "connection URI");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!neon_read_uri(p->call.json, p->row, &err))
		return flow_fail_err(f, &err);
	neon_endpoint_from_host(p->row);
	return FLOW_DONE;
}

static void
adopt_project_end(struct flow *f, const struct err *err)
{
	struct adopt_project *p = (struct adopt_project *)flow_checked(f, f->kind);

	(void)err;
	neon_call_free(&p->call);
}

enum flow_rc
adopt_project_look(struct flow *f, struct adopt_project *p, struct tenants *ts,
    struct tenant_row *row)
{
	neon_call_init(&p->call, ts, row);
	p->tenants = ts;
	p->row = row;
	p->name[0] = '\0';
	return flow_call(f, &p->flow, &project_look_kind);
}

/* ---- the mark ---- */

/* PATCH /projects/{id}: harmless when it is repeated. */
static enum flow_rc
adopt_mark_send(struct flow *f)
{
	struct adopt_project *p = FLOW_OF(f, struct adopt_project, &project_mark_kind);

	neon_call_reset(&p->call);
	buf_printf(&p->call.path, "/projects/%s", p->row->project_id);
	buf_puts(&p->call.body, "{\"project\":{\"name\":");
	json_put_string(&p->call.body, slice_str(p->row->project_name));
	buf_puts(&p->call.body, "}}");
	return neon_call_run(f, &p->call, "PATCH");
}

static enum flow_rc
adopt_mark_done(struct flow *f)
{
	return neon_check(f, &FLOW_OF(f, struct adopt_project, &project_mark_kind)->call,
	    "name of the adopted project");
}

enum flow_rc
adopt_project_mark(struct flow *f, struct adopt_project *p, struct tenants *ts,
    struct tenant_row *row)
{
	neon_call_init(&p->call, ts, row);
	p->tenants = ts;
	p->row = row;
	return flow_call(f, &p->flow, &project_mark_kind);
}
