/* SPDX-License-Identifier: MIT */
/*
 * neon_change: see the header.
 *
 *	[project] --> [projected] --> [noted] --> [find] --> [found] --> [endpoint] --> [endpointed]
 *	    |  its quotas are as wished   ^          the row has its id ----^                |
 *	    +-----------------------------+                                                  v
 *						    [operations] <---------------------------+
 *
 * The project comes first: a quota can be taken back, for Neon has a value that means none, and a
 * compute's size cannot. What Neon has after it is in the row before the endpoint is asked for, so
 * that a refusal there, or a kill, knows what to go back to. Neon changes a running compute by
 * operations, which lock the project; they are waited for, so that what is called applied is.
 */
#include "tenant/neon_change.h"

#include <stdio.h>

#include "tenantgate/base/log.h"

static flow_step_fn change_project, change_projected, change_noted, change_find, change_found,
    change_endpoint, change_endpointed;
static flow_end_fn change_end;

static const struct flow_step neon_change_steps[] = {
	{ "project", change_project },
	{ "projected", change_projected },
	{ "noted", change_noted },
	{ "find", change_find },
	{ "found", change_found },
	{ "endpoint", change_endpoint },
	{ "endpointed", change_endpointed },
	{ NULL, NULL },
};

const struct flow_kind neon_change_kind = { "neon_change", neon_change_steps, change_end, NULL };

/* A value that is not to be had, whoever asks and when. A key that is refused (401), a project that
 * is locked or gone, and too many calls are not about the value. */
static bool
is_about_values(const struct neon_call *c)
{
	switch (c->outcome == NEON_REFUSED ? c->response.status : 0) {
	case 400:
	case 402:
	case 403:
	case 406:
	case 409:
	case 412:
	case 422:
		return true;
	}
	return false;
}

/* FLOW_NEXT when Neon has done it. */
static enum flow_rc
change_check(struct neon_change *c, const char *what)
{
	struct err err = { 0 };
	char message[128];

	if (c->call.outcome == NEON_DONE)
		return FLOW_NEXT;
	c->is_refused = is_about_values(&c->call);
	neon_read_message(buf_view(&c->call.response.body), message, sizeof(message));
	if (c->is_refused)
		err_set(&err, ERR_NEON_REFUSED,
		    "Neon refuses it: \"%s\" (status %d). Nothing was changed; ask for what the "
		    "plan at Neon has.",
		    message, c->call.response.status);
	else
		err_set(&err, ERR_NEON,
		    "Neon has not done it yet; it is asked again by itself, or when the same is "
		    "sent "
		    "again.");
	err_cause(&err, "Neon's API, %s: %s", what, c->call.why);
	err.retry_after = c->call.response.retry_after_s;
	return flow_fail_err(&c->flow, &err);
}

static enum flow_rc
change_patch(struct neon_change *c, enum neon_part part)
{
	const struct tenant_row *row = c->row;

	neon_call_reset(&c->call);
	buf_printf(&c->call.path, "/projects/%s", row->project_id);
	if (part == NEON_ENDPOINT)
		buf_printf(&c->call.path, "/endpoints/%s", row->endpoint_id);
	neon_settings_put_patch(&c->call.body, c->wished, part);
	return neon_call_run(&c->flow, &c->call, "PATCH");
}

/* ---- the project ---- */

static enum flow_rc
change_project(struct flow *f)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);

	if (!neon_settings_differ(c->wished, c->applied, NEON_PROJECT))
		return flow_goto(f, change_find);
	return change_patch(c, NEON_PROJECT);
}

static enum flow_rc
change_projected(struct flow *f)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);
	enum flow_rc rc = change_check(c, "change of a project");

	if (rc != FLOW_NEXT)
		return rc;
	neon_settings_copy(c->applied, c->wished, NEON_PROJECT);
	buf_reset(&c->text);
	if (!json_put(&c->text, c->applied))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's settings");
	return row_wish_note(f, c->tenants->catalog, c->claim, c->text.data, &c->result);
}

static enum flow_rc
change_noted(struct flow *f)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);

	return row_check(f, &c->result, "note what Neon has");
}

/* ---- its endpoint ---- */

/* Of a project that was adopted by its name the row may have none. */
static enum flow_rc
change_find(struct flow *f)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);

	if (!neon_settings_differ(c->wished, c->applied, NEON_ENDPOINT))
		return FLOW_DONE;
	if (c->row->endpoint_id[0] != '\0')
		return flow_goto(f, change_endpoint);
	neon_call_reset(&c->call);
	buf_printf(&c->call.path, "/projects/%s/endpoints", c->row->project_id);
	return neon_call_run(f, &c->call, "GET");
}

static enum flow_rc
change_found(struct flow *f)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);
	enum flow_rc rc = change_check(c, "list of endpoints");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!neon_read_endpoint(c->call.json, c->row, &err))
		return flow_fail_err(f, &err);
	return FLOW_NEXT;
}

static enum flow_rc
change_endpoint(struct flow *f)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);

	return change_patch(c, NEON_ENDPOINT);
}

static enum flow_rc
change_endpointed(struct flow *f)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);
	enum flow_rc rc = change_check(c, "change of an endpoint");

	if (rc != FLOW_NEXT)
		return rc;
	neon_settings_copy(c->applied, c->wished, NEON_ENDPOINT);
	return neon_wait(f, &c->waiter, c->tenants, c->row);
}

static void
change_end(struct flow *f, const struct err *err)
{
	struct neon_change *c = FLOW_OF(f, struct neon_change, &neon_change_kind);

	(void)err;
	pg_clear(&c->result);
	buf_free(&c->text);
	neon_call_free(&c->call);
}

void
neon_change_init(struct neon_change *c, struct tenants *ts, struct tenant_row *row,
    const struct row_wish *claim, const json_t *wished, json_t *applied)
{
	memset(c, 0, sizeof(*c));
	neon_call_init(&c->call, ts, row);
	buf_init(&c->text, NEON_SETTINGS_SIZE);
	c->tenants = ts;
	c->row = row;
	c->claim = claim;
	c->wished = wished;
	c->applied = applied;
}
