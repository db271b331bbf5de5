/* SPDX-License-Identifier: MIT */
/*
 * passwords_reseal: POST /admin/reseal: the passwords of tenants' databases that another key has
 * sealed are sealed with the first of seal_keys. Killed or cut off anywhere: the same request again
 * goes on with what is left.
 */
#include "admin/admin_progress.h"
#include "admin/admin_route.h"

struct passwords_reseal {
	struct admin_request req; /* first */
	struct tenants_resealing state;
};

static flow_step_fn reseal_count, reseal_counted, reseal_some, reseal_told;
static flow_end_fn passwords_reseal_end;

static const struct flow_step passwords_reseal_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "count", reseal_count },
	{ "counted", reseal_counted },
	{ "some", reseal_some },
	{ "told", reseal_told },
	{ NULL, NULL },
};

static const struct flow_kind passwords_reseal_kind = { "admin_reseal", passwords_reseal_steps,
	passwords_reseal_end, admin_release };

static struct passwords_reseal *
passwords_reseal_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct passwords_reseal, req.flow, &passwords_reseal_kind);
}

static json_t *
resealing_json(const struct tenants_resealing *s)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "passwords", (json_int_t)s->passwords, "toReseal",
	    (json_int_t)s->left, "resealed", (json_int_t)s->resealed, "unopened",
	    (json_int_t)s->unopened);
}

static enum flow_rc
reseal_count(struct flow *f)
{
	struct passwords_reseal *p = passwords_reseal_of(f);

	return tenants_reseal_count(f, p->req.api->tenants, &p->state);
}

static enum flow_rc
reseal_counted(struct flow *f)
{
	struct passwords_reseal *p = passwords_reseal_of(f);

	if (p->req.is_dry_run)
		return admin_progress_done(f, resealing_json(&p->state));
	admin_change_begin(&p->req, NULL, NULL, NULL);
	return FLOW_NEXT;
}

static enum flow_rc
reseal_some(struct flow *f)
{
	struct passwords_reseal *p = passwords_reseal_of(f);

	return tenants_reseal_some(f, p->req.api->tenants, &p->state);
}

static enum flow_rc
reseal_told(struct flow *f)
{
	struct passwords_reseal *p = passwords_reseal_of(f);

	if (p->state.is_done && p->state.resealed == 0)
		admin_change_nothing(&p->req);
	if (p->state.is_done)
		return admin_progress_done(f, resealing_json(&p->state));
	admin_progress_tell(&p->req, resealing_json(&p->state));
	flow_goto(f, reseal_some);
	return admin_progress_flush(f);
}

/* Also of one that was cut off: what it has sealed stays, and is told. */
static void
passwords_reseal_end(struct flow *f, const struct err *err)
{
	struct passwords_reseal *p = passwords_reseal_of(f);

	admin_change_tell(&p->req, resealing_json(&p->state));
	admin_progress_end(&p->req, err);
	admin_end(&p->req, err);
}

void
passwords_reseal_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct passwords_reseal), &passwords_reseal_kind);
}
