/* SPDX-License-Identifier: MIT */
/*
 * config_show: GET /admin/config. Each key of each section of the configuration: the value that is
 * in force, where it was set, whether a reload applies it, and what the file had at the last reload
 * that only a restart applies. Secrets are left out of it where it is made, not here.
 */
#include "admin/admin_route.h"
#include "tenantgate/base/json.h"

static flow_step_fn config_respond;
static flow_end_fn config_end;

static const struct flow_step config_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "respond", config_respond },
	{ NULL, NULL },
};

static const struct flow_kind config_kind = { "admin_config", config_steps, config_end,
	admin_release };

static void
put_setting_member(struct buf *b, const char *name, const char *text)
{
	buf_printf(b, "\"%s\":", name);
	json_put_string(b, slice_str(text));
	buf_putc(b, ',');
}

/* The place is told where the origin is not the place itself. */
static void
put_setting(struct buf *b, const struct admin_setting *s)
{
	buf_putc(b, '{');
	put_setting_member(b, "section", s->section);
	put_setting_member(b, "key", s->key);
	buf_printf(b, "\"value\":%s,", s->value);
	if (s->unit != NULL)
		put_setting_member(b, "unit", s->unit);
	put_setting_member(b, "origin", s->origin);
	if (s->place != NULL && s->place != s->origin)
		put_setting_member(b, "place", s->place);
	if (s->in_file != NULL)
		buf_printf(b, "\"inFile\":%s,", s->in_file);
	buf_printf(b, "\"change\":\"%s\",\"isSecret\":%s}", s->needs_restart ? "restart" : "reload",
	    s->is_secret ? "true" : "false");
}

static enum flow_rc
config_respond(struct flow *f)
{
	const struct admin_context *ctx = admin_request_of(f)->ctx;
	enum flow_rc rc;
	struct buf b;

	buf_init(&b, ADMIN_JSON_MAX);
	buf_puts(&b, "{\"config\":[");
	for (unsigned i = 0; i < ctx->setting_count; i++) {
		if (i > 0)
			buf_putc(&b, ',');
		put_setting(&b, &ctx->settings[i]);
	}
	buf_puts(&b, "]}");
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
config_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

void
config_show_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct admin_request), &config_kind);
}
