/* SPDX-License-Identifier: MIT */
/*
 * neon_end: see the header.
 *
 *	[start] --> [switch] --> [switched]: done			suspend, resume
 *	   |
 *	   +--> [branches] --> [read] --> [delete] --> [deleted]	the row's project, unless it
 *	   |                    404 |        ^             |		says that it is another's
 *	   +--------------------> [list] <---|-------------+
 *	                             |       +--- one is ours
 *	                          [check] --> [owners] --> [owned] --> done: none is ours
 *
 * What always holds: a project is deleted when the tenant's row has its id and its annotations do
 * not name another, or when they name exactly this environment and tenant. Nothing else is: of what
 * only has the name the ids are told. The list comes last, for a creation that was killed before it
 * was saved, and it is whole (neon_list.c). While a creation may still arrive the deletion is not
 * over, whatever was found and deleted: a creation is sent twice where Neon has answered 500, and
 * nobody would look for what the second one makes.
 */
#include "tenant/neon_end.h"

#include <stdio.h>

#include "tenantgate/base/log.h"

#define LOOK_AGAIN_S 3 /* while a creation may still arrive */

static flow_step_fn neon_end_start, neon_end_switch, neon_end_switched, neon_end_branches,
    neon_end_read, neon_end_delete, neon_end_deleted, neon_end_list, neon_end_check,
    neon_end_owners, neon_end_owned;
static flow_end_fn neon_end_free;

static const struct flow_step neon_end_steps[] = {
	{ "start", neon_end_start },
	{ "switch", neon_end_switch },
	{ "switched", neon_end_switched },
	{ "branches", neon_end_branches },
	{ "read", neon_end_read },
	{ "delete", neon_end_delete },
	{ "deleted", neon_end_deleted },
	{ "list", neon_end_list },
	{ "check", neon_end_check },
	{ "owners", neon_end_owners },
	{ "owned", neon_end_owned },
	{ NULL, NULL },
};

const struct flow_kind neon_end_kind = { "neon_end", neon_end_steps, neon_end_free, NULL };

static bool
is_gone(const struct neon_end *e)
{
	return e->call.outcome == NEON_REFUSED && e->call.response.status == 404;
}

/* neon_check()'s sentences are those of a creation. */
static enum flow_rc
neon_end_failed(struct neon_end *e, const char *what)
{
	struct err err = { 0 };

	err_set(&err, ERR_NEON,
	    "Neon did not do it; it is tried again by itself, or when it is asked for again.");
	err_cause(&err, "Neon's API, %s: %s", what, e->call.why);
	err.retry_after = e->call.response.retry_after_s;
	return flow_fail_err(&e->flow, &err);
}

static enum flow_rc
neon_end_start(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	if (e->order != TENANT_DELETE)
		return FLOW_NEXT;
	return flow_goto(f, e->project_id[0] != '\0' ? neon_end_branches : neon_end_list);
}

/* ---- its endpoint ---- */

/* Without a project there is nothing yet that could be disabled: the row keeps it from being
 * made. */
static enum flow_rc
neon_end_switch(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);
	bool is_off = e->order == TENANT_SUSPEND;

	if (e->row->project_id[0] == '\0' || e->row->endpoint_id[0] == '\0')
		return FLOW_DONE;
	buf_printf(&e->call.path, "/projects/%s/endpoints/%s", e->row->project_id,
	    e->row->endpoint_id);
	buf_printf(&e->call.body, "{\"endpoint\":{\"disabled\":%s}}", is_off ? "true" : "false");
	return neon_call_run(f, &e->call, "PATCH");
}

static enum flow_rc
neon_end_switched(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	if (is_gone(e))
		log_event(LOG_WARNING, "neon.endpoint_gone", NULL,
		    "Neon has no endpoint %s of project %s (tenant %s), which was to be disabled "
		    "or enabled; look whether somebody has deleted it.",
		    e->row->endpoint_id, e->row->project_id, e->row->tenant.id);
	else if (e->call.outcome != NEON_DONE)
		return neon_end_failed(e, "change of an endpoint");
	return FLOW_DONE;
}

/* ---- the row's project ---- */

static enum flow_rc
neon_end_branches(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	neon_call_reset(&e->call);
	buf_printf(&e->call.path, "/projects/%s/branches", e->project_id);
	return neon_call_run(f, &e->call, "GET");
}

static enum flow_rc
neon_end_is_anothers(struct neon_end *e)
{
	struct err err = { 0 };

	err_set(&err, ERR_NEON,
	    "The project says that it is another tenant's, and is not deleted. Ask the operator to "
	    "look at it.");
	err_cause(&err,
	    "the annotations of project %s, which is in the row of tenant %s, name another: "
	    "correct public.tenants.project_id, or the annotations",
	    e->project_id, e->row->tenant.id);
	return flow_fail_err(&e->flow, &err);
}

static enum flow_rc
neon_end_read(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	if (is_gone(e))
		return flow_goto(f, neon_end_list);
	if (e->call.outcome != NEON_DONE)
		return neon_end_failed(e, "list of branches");
	if (neon_read_owner(e->call.json, e->tenants->conf->environment, e->row->tenant.id, true) ==
	    OWNER_ANOTHER)
		return neon_end_is_anothers(e);
	return FLOW_NEXT;
}

static enum flow_rc
neon_end_delete(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	neon_call_reset(&e->call);
	buf_printf(&e->call.path, "/projects/%s", e->project_id);
	return neon_call_run(f, &e->call, "DELETE");
}

/* 404: an earlier try was answered, and nobody has heard it. */
static enum flow_rc
neon_end_deleted(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);
	const json_t *size;

	if (!is_gone(e) && e->call.outcome != NEON_DONE)
		return neon_end_failed(e, "deletion of a project");
	e->deleted++;
	size = json_object_get(json_object_get(e->call.json, "project"), "synthetic_storage_size");
	if (json_is_integer(size) && strcmp(e->project_id, e->row->project_id) == 0)
		snprintf(e->stored_bytes, sizeof(e->stored_bytes), "%lld",
		    (long long)json_integer_value(size));
	log_event(LOG_NOTICE, "neon.project_deleted", NULL,
	    "Project %s of tenant %s is deleted; Neon can recover it for 7 days.", e->project_id,
	    e->row->tenant.id);
	return FLOW_NEXT;
}

/* ---- those of its name ---- */

static enum flow_rc
neon_end_list(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	return neon_list_all(f, &e->list, e->tenants, e->row);
}

static enum flow_rc
neon_end_none_found(struct neon_end *e)
{
	int left = neon_grace_s(e->tenants->conf) - e->row->posted_ago_s;
	struct err err = { .retry_after = LOOK_AGAIN_S };

	if (!e->row->is_posted || left <= 0)
		return FLOW_DONE;
	err_set(&err, ERR_PROVISIONING,
	    "A creation of its database may still arrive; it is looked for until %d s from now.",
	    left);
	return flow_fail_err(&e->flow, &err);
}

static enum flow_rc
neon_end_check(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	if (e->list.found.hits == 0)
		return neon_end_none_found(e);
	if (e->list.found.hits > NEON_HITS_MAX || e->deleted > NEON_HITS_MAX)
		return flow_fail(f, ERR_NEON,
		    "Neon has too many projects of this tenant's name. The operator should look at "
		    "them in Neon's console.");
	return FLOW_NEXT;
}

static enum flow_rc
neon_end_owners(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	return neon_owners_ask(f, &e->owners, e->tenants, e->row, &e->list.found);
}

/* One after another, each followed by another look. */
static enum flow_rc
neon_end_owned(struct flow *f)
{
	struct neon_end *e = FLOW_OF(f, struct neon_end, &neon_end_kind);

	if (e->owners.ours > 0) {
		snprintf(e->project_id, sizeof(e->project_id), "%s", e->owners.ours_id);
		return flow_goto(f, neon_end_delete);
	}
	if (e->owners.disputed == 0)
		return neon_end_none_found(e);
	snprintf(e->projects_left, sizeof(e->projects_left), "%s", e->owners.ids);
	log_event(LOG_WARNING, "neon.projects_left", NULL,
	    "Projects %s have the name of tenant %s, which is deleted, and do not say whose they "
	    "are: they stay. Look at them in Neon's console.",
	    e->projects_left, e->row->tenant.id);
	return FLOW_DONE;
}

static void
neon_end_free(struct flow *f, const struct err *err)
{
	(void)err;
	neon_call_free(&(FLOW_OF(f, struct neon_end, &neon_end_kind))->call);
}

void
neon_end_init(struct neon_end *e, struct tenants *ts, struct tenant_row *row,
    enum tenant_order order)
{
	memset(e, 0, sizeof(*e));
	neon_call_init(&e->call, ts, row);
	e->tenants = ts;
	e->row = row;
	e->order = order;
	snprintf(e->project_id, sizeof(e->project_id), "%s", row->project_id);
}
