/* SPDX-License-Identifier: MIT */
/*
 * access_log: one JSON line a request, written where the story ends. Ids, sizes, times and codes:
 * no secret, no prompt, no document text.
 */
#include "api/answer.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

#define LINE_MAX_BYTES	(16u << 10)
#define PATH_SHOWN_MAX	1024	/* a byte may become six, and a line must never be lost */

static void
put_field(struct buf *b, const char *name, struct slice value)
{
	if (value.len == 0)
		return;
	buf_printf(b, ",\"%s\":", name);
	json_put_string(b, value);
}

static struct slice
cut(struct slice s, size_t max)
{
	return slice_of(s.p, s.len < max ? s.len : max);
}

/* Where a route has an id in its path, the path tells what the id was. */
static void
put_request(struct buf *b, const struct visit *v)
{
	put_field(b, "request_id", slice_str(v->request_id));
	put_field(b, "tenant", slice_str(v->tenant_id));
	put_field(b, "key", slice_str(v->caller.key_id));
	put_field(b, "remote", slice_str(http_remote(v->x)));
	put_field(b, "route", slice_str(v->flow.kind->name));
	put_field(b, "method", http_method(v->x));
	put_field(b, "path", cut(http_path(v->x), PATH_SHOWN_MAX));
}

/* "t_embed":1.234 for each step that took time, in milliseconds. */
static void
put_step_times(struct buf *b, const struct flow *f)
{
	const struct flow_step *s = f->kind->steps;

	for (unsigned i = 0; s[i].name != NULL && i < FLOW_STEPS_MAX; i++)
		if (f->step_us[i] > 0)
			buf_printf(b, ",\"t_%s\":%u.%03u", s[i].name, f->step_us[i] / 1000,
			    f->step_us[i] % 1000);
}

static const char *
ended_by(const struct err *err)
{
	if (!err_is(err))
		return "done";
	switch (err->code) {
	case ERR_CLIENT_GONE:
		return "client";
	case ERR_SHUTDOWN:
		return "shutdown";
	case ERR_TIMEOUT:
	case ERR_MODEL_TIMEOUT:
	case ERR_REQUEST_TIMEOUT:
		return "deadline";
	default:
		return "error";
	}
}

static void
put_outcome(struct buf *b, const struct visit *v, const struct err *err)
{
	uint64_t us = flow_age_us(&v->flow);
	int status = err->code == ERR_CLIENT_GONE ? 499 : http_status(v->x);

	buf_printf(b, ",\"status\":%d,\"bytes_in\":%llu,\"bytes_out\":%llu,\"t_total\":%llu.%03u",
	    status, (unsigned long long)http_bytes_in(v->x),
	    (unsigned long long)http_bytes_out(v->x), (unsigned long long)(us / 1000),
	    (unsigned)(us % 1000));
	buf_printf(b, ",\"ended_by\":\"%s\"", ended_by(err));
	if (err_is(err)) {
		put_field(b, "code", slice_str(err_slug(err->code)));
		put_field(b, "detail", slice_str(err->detail));
		put_field(b, "step", slice_str(flow_step_name(&v->flow)));
	}
}

void
answer_log(const struct visit *v, const struct err *err)
{
	char when[CLOCK_ISO_SIZE];
	struct buf b;

	buf_init(&b, LINE_MAX_BYTES);
	clock_iso(clock_wall_us(), when);
	buf_printf(&b, "{\"time\":\"%s\",\"level\":\"info\",\"event\":\"access\"", when);
	put_request(&b, v);
	put_outcome(&b, v, err);
	put_step_times(&b, &v->flow);
	if (v->usage.input_tokens > 0 || v->usage.output_tokens > 0)
		buf_printf(&b, ",\"tokens_in\":%llu,\"tokens_out\":%llu",
		    (unsigned long long)v->usage.input_tokens,
		    (unsigned long long)v->usage.output_tokens);
	if (v->verdict.mode != NULL)
		buf_printf(&b, ",\"limit\":\"%s\",\"limit_by\":\"%s\"",
		    v->verdict.allowed ? "allowed" : "refused", v->verdict.mode);
	buf_putc(&b, '}');
	if (!b.failed)
		log_line(&b);
	buf_free(&b);
}
