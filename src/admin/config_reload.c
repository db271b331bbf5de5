/* SPDX-License-Identifier: MIT */
/*
 * config_reload: POST /admin/reload. The configuration is read anew, by the main thread: 200 with
 * what has changed and what waits for a restart, or 422 with each reason and nothing changed. Who
 * leaves before that does not stop it.
 */
#include <stdlib.h>

#include "admin/admin_route.h"
#include "tenantgate/base/json.h"
#include "tenantgate/loop/timer.h"

#define LOOK_US (5 * 1000ull)

struct config_reload {
	struct admin_request req;  /* first */
	struct admin_reload *wish; /* held */
	struct timer timer;
};

static flow_step_fn reload_wish, reload_wait, reload_respond;
static flow_end_fn config_reload_end;
static flow_release_fn config_reload_release;

static const struct flow_step config_reload_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "ask", reload_wish },
	{ "wait", reload_wait },
	{ "respond", reload_respond },
	{ NULL, NULL },
};

static const struct flow_kind config_reload_kind = { "admin_reload", config_reload_steps,
	config_reload_end, config_reload_release };

static struct config_reload *
config_reload_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct config_reload, req.flow, &config_reload_kind);
}

/* refs_end_fn */
static void
reload_wish_end(struct refs *h)
{
	struct admin_reload *wish = (struct admin_reload *)(void *)h;

	free(wish->outcome);
	free(wish);
}

static enum flow_rc
reload_wish(struct flow *f)
{
	struct config_reload *c = config_reload_of(f);
	const struct admin_context *ctx = c->req.ctx;

	c->wish = calloc(1, sizeof(*c->wish));
	if (c->wish == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "a reload");
	refs_init(&c->wish->refs, reload_wish_end);
	atomic_init(&c->wish->is_done, false);
	c->wish->is_dry_run = c->req.is_dry_run;
	admin_change_begin(&c->req, NULL, NULL, NULL);
	ctx->reload(ctx->reload_arg, c->wish);
	return FLOW_NEXT;
}

static enum flow_rc
reload_wait(struct flow *f)
{
	struct config_reload *c = config_reload_of(f);

	if (atomic_load(&c->wish->is_done))
		return FLOW_NEXT;
	flow_goto(f, reload_wait);
	return flow_sleep(f, &c->timer, LOOK_US);
}

/* The first reason is the detail, too, for who looks at nothing else. */
static enum flow_rc
reload_refused(struct flow *f, const json_t *errors)
{
	struct admin_request *req = admin_request_of(f);
	const char *first = json_string_value(json_array_get(errors, 0));
	struct err err = { 0 };
	struct buf b;
	enum flow_rc rc;

	err_set(&err, ERR_CONF, "%s", first == NULL ? "The file cannot be read." : first);
	buf_init(&b, ADMIN_JSON_MAX);
	http_problem_put(&b, &err, req->request_id);
	b.len--; /* its brace */
	buf_puts(&b, ",\"errors\":");
	if (!json_put(&b, errors))
		b.failed = true;
	buf_putc(&b, '}');
	rc = admin_respond_as(f, err_status(err.code), "application/problem+json", &b);
	buf_free(&b);
	return rc;
}

/* Names alone: a value may be a long prompt. */
static json_t *
changed_names(const json_t *outcome)
{
	json_t *names = json_array();
	const json_t *list = json_object_get(outcome, "changed");

	for (size_t i = 0; i < json_array_size(list); i++)
		(void)json_array_append(names, json_object_get(json_array_get(list, i), "key"));
	return json_pack("{s:o, s:O}", "changed", names, "removed",
	    json_object_get(outcome, "removed"));
}

static enum flow_rc
reload_respond(struct flow *f)
{
	struct config_reload *c = config_reload_of(f);
	const char *text = c->wish->outcome == NULL ? "" : c->wish->outcome;
	json_t *outcome = json_loads(text, 0, NULL);
	enum flow_rc rc;

	if (outcome == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "what was reloaded");
	if (!c->wish->is_refused) {
		admin_change_tell(&c->req, changed_names(outcome));
		admin_change_done(&c->req);
		return admin_respond_json(f, 200, outcome);
	}
	admin_change_nothing(&c->req);
	rc = reload_refused(f, outcome);
	json_decref(outcome);
	return rc;
}

static void
config_reload_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

static void
config_reload_release(struct flow *f)
{
	struct config_reload *c = config_reload_of(f);

	if (c->wish != NULL)
		refs_give(&c->wish->refs);
	timer_free(&c->timer);
	admin_release(f);
}

void
config_reload_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct config_reload), &config_reload_kind);
}
