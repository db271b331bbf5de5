/* SPDX-License-Identifier: MIT */
/*
 * tenant_set: PATCH /admin/tenants/{tenant}. Changes what a tenant may have, and what Neon gives
 * its database.
 *
 *	... --> [look] --> [write] --> [written] --> [wait] --> [look_again] --> [respond]
 *	          ^            |           |            ^                            |
 *	          +------------|-----------+            +----------------------------+
 *	           the row is another now                 Neon does not have it yet
 *
 * What is computed from the row, and checked, is written only over that same row. What Neon is
 * asked for is in the row then, and is asked for by itself whatever becomes of this request; it
 * waits for that a while, so as to say what Neon says. A refusal leaves the row as it was. Where
 * another process is at it, or was killed at it, there is nothing here to wait for: then the row is
 * looked at again and again, with a [pause] before [look_again].
 */
#include "admin/admin_route.h"
#include "admin/tenant_wish_form.h"
#include "tenantgate/base/clock.h"

#define SET_LOOKS_MAX 8
#define SET_WAIT_US   (8 * 1000000ull) /* for Neon; then 202 */
#define SET_PAUSE_US  (100 * 1000ull)  /* between two looks */

struct tenant_set {
	struct admin_request req; /* first */
	struct tenant_change_request asked;
	struct tenant_wish_view view;
	struct tenant_wishes wishes;
	struct pg_result looked, written; /* owned; view borrows of the first */
	json_t *wished;			  /* owned: of Neon, by this request */
	unsigned looks;
	uint64_t until_us; /* monotonic: as long as Neon is waited for */
	struct timer timer;
	unsigned pauses;
};

static flow_step_fn tenant_set_read, tenant_set_look, tenant_set_write, tenant_set_written,
    tenant_set_wait, tenant_set_look_again, tenant_set_respond, tenant_set_pause;
static flow_end_fn tenant_set_end;

static const struct flow_step tenant_set_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "body", admin_body },
	{ "parse", admin_parse },
	{ "read", tenant_set_read },
	{ "look", tenant_set_look },
	{ "write", tenant_set_write },
	{ "written", tenant_set_written },
	{ "wait", tenant_set_wait },
	{ "pause", tenant_set_pause },
	{ "look_again", tenant_set_look_again },
	{ "respond", tenant_set_respond },
	{ NULL, NULL },
};

static const struct flow_kind tenant_set_kind = { "admin_tenant_set", tenant_set_steps,
	tenant_set_end, admin_release };

static struct tenant_set *
tenant_set_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_set, req.flow, &tenant_set_kind);
}

static enum flow_rc
tenant_set_read(struct flow *f)
{
	static const char *const names[] = { "plan", "region", "settings", "compute", "quotas",
		NULL };
	struct tenant_set *s = tenant_set_of(f);
	struct err err = { 0 };

	return wish_form_read(&s->req, names, &s->asked, &err) ? FLOW_NEXT : flow_fail_err(f, &err);
}

/* ---- the row ---- */

static enum flow_rc
tenant_set_look(struct flow *f)
{
	struct tenant_set *s = tenant_set_of(f);

	if (s->looks++ == SET_LOOKS_MAX)
		return flow_fail(f, ERR_CONFLICT,
		    "The tenant's row is changed by others all the time; send it again in a "
		    "moment.");
	tenant_wish_view_free(&s->view);
	tenant_wishes_free(&s->wishes);
	return tenant_wish_look(f, s->req.api->tenants, s->req.tenant_id, &s->looked);
}

/* FLOW_NEXT with the view of a tenant that there is. */
static enum flow_rc
tenant_set_view(struct tenant_set *s)
{
	struct flow *f = &s->req.flow;
	enum flow_rc rc = catalog_check(f, &s->looked, "look at the tenant");
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	tenant_wish_view_free(&s->view);
	if (tenant_wish_read(&s->looked, &s->view, &err))
		return wish_form_alive(f, &s->view);
	if (err_is(&err))
		return flow_fail_err(f, &err);
	return flow_fail(f, ERR_NOT_FOUND,
	    "There is no tenant of this id; PUT /admin/tenants/{id} makes it.");
}

/* What is as wished may be so by a statement of ours whose answer was lost: that stays noted. */
static void
tenant_set_note(struct tenant_set *s)
{
	const char *id = s->req.tenant_id;

	if (s->wishes.is_change)
		admin_change_begin(&s->req, id, wish_form_json(id, &s->view),
		    wish_form_planned_json(id, &s->view, &s->wishes, &s->asked));
	else if (!admin_change_is_noted(&s->req))
		admin_change_nothing(&s->req);
}

/* What is as wished already is not written, but gone on with where Neon does not have it yet. */
static enum flow_rc
tenant_set_write(struct flow *f)
{
	struct tenant_set *s = tenant_set_of(f);
	struct tenants *ts = s->req.api->tenants;
	enum flow_rc rc = tenant_set_view(s);
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (!tenant_wishes_make(ts, &s->view, &s->asked, &s->wishes, &err))
		return flow_fail_err(f, &err);
	if (s->req.is_dry_run)
		return wish_form_respond(f, 200,
		    wish_form_planned_json(s->req.tenant_id, &s->view, &s->wishes, &s->asked));
	json_decref(s->wished);
	s->wished = json_incref(s->wishes.wished);
	s->until_us = clock_mono_us() + SET_WAIT_US;
	tenant_set_note(s);
	if (!s->wishes.is_change)
		return flow_goto(f, tenant_set_wait);
	return tenant_change_write(f, ts, s->req.tenant_id, s->view.version, &s->wishes,
	    &s->written);
}

static enum flow_rc
tenant_set_written(struct flow *f)
{
	struct tenant_set *s = tenant_set_of(f);
	enum flow_rc rc = admin_change_check(f, &s->written, "change the tenant");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&s->written) == 0) {
		admin_change_missed(&s->req, &s->written);
		return flow_goto(f, tenant_set_look);
	}
	tenant_forget(s->req.api->tenants, s->req.tenant_id);
	return FLOW_NEXT;
}

/* ---- what Neon says ---- */

static bool
neon_can_be_asked(const struct tenant_set *s)
{
	return s->view.is_neon && s->view.is_made && strcmp(s->view.state, "ready") == 0;
}

static enum flow_rc
tenant_set_wait(struct flow *f)
{
	struct tenant_set *s = tenant_set_of(f);
	struct tenants *ts = s->req.api->tenants;
	uint64_t now = clock_mono_us();

	if (!neon_can_be_asked(s) || now >= s->until_us ||
	    (!s->wishes.is_change && !s->view.is_pending))
		return FLOW_NEXT;
	tenant_wish_begin(ts, s->req.tenant_id);
	return tenant_wish_wait(f, ts, s->req.tenant_id, s->until_us - now);
}

/* The first look comes at once: what was begun here is over. */
static enum flow_rc
tenant_set_pause(struct flow *f)
{
	struct tenant_set *s = tenant_set_of(f);

	return s->pauses++ == 0 ? FLOW_NEXT : flow_sleep(f, &s->timer, SET_PAUSE_US);
}

static enum flow_rc
tenant_set_look_again(struct flow *f)
{
	struct tenant_set *s = tenant_set_of(f);

	return tenant_wish_look(f, s->req.api->tenants, s->req.tenant_id, &s->looked);
}

/* Neon's answer to a failure for now is not waited for: it comes when it comes. */
static enum flow_rc
tenant_set_respond(struct flow *f)
{
	struct tenant_set *s = tenant_set_of(f);
	enum flow_rc rc = tenant_set_view(s);

	if (rc != FLOW_NEXT)
		return rc;
	if (s->view.is_pending && neon_can_be_asked(s) && s->view.neon_error[0] == '\0' &&
	    clock_mono_us() < s->until_us)
		return flow_goto(f, tenant_set_wait);
	if (s->view.is_refused_by_neon && !json_equal(s->view.wished, s->wished)) {
		admin_change_refused(&s->req);
		return flow_fail(f, ERR_NEON_REFUSED, "%s", s->view.neon_error);
	}
	return wish_form_respond(f, s->view.is_pending && neon_can_be_asked(s) ? 202 : 200,
	    wish_form_json(s->req.tenant_id, &s->view));
}

static void
tenant_set_end(struct flow *f, const struct err *err)
{
	struct tenant_set *s = tenant_set_of(f);

	json_decref(s->wished);
	tenant_wish_view_free(&s->view);
	tenant_wishes_free(&s->wishes);
	pg_clear(&s->looked);
	pg_clear(&s->written);
	admin_end(&s->req, err);
}

void
tenant_set_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct tenant_set), &tenant_set_kind);
}
