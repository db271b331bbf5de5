/* SPDX-License-Identifier: MIT */
/*
 * about: GET /admin. Which build and which environment answer, and by which key: what an operator
 * asks first, and a tool before it does anything else.
 */
#include "admin/admin_route.h"

struct about {
	struct admin_request req; /* first */
};

static flow_step_fn about_respond;
static flow_end_fn about_end;

static const struct flow_step about_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "respond", about_respond },
	{ NULL, NULL },
};

static const struct flow_kind about_kind = { "admin_about", about_steps, about_end, admin_release };

static const char *
phase_word(enum api_phase phase)
{
	static const char *const words[] = {
		[API_STARTING] = "starting",
		[API_SERVING] = "serving",
		[API_DRAINING] = "draining",
	};

	return words[phase];
}

static enum flow_rc
about_respond(struct flow *f)
{
	struct admin_request *req = admin_request_of(f);

	return admin_respond_json(f, 200,
	    json_pack("{s:s, s:s, s:s, s:s}", "version", req->ctx->version, "environment",
		req->api->environment, "phase", phase_word(atomic_load(&req->api->shared->phase)),
		"key", req->caller.key_id));
}

static void
about_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

void
about_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct about), &about_kind);
}
