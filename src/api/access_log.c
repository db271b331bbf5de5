/* SPDX-License-Identifier: MIT */
/*
 * access_log: one JSON line for each request, written where its handler ends. Ids, sizes, times and
 * codes: no secret, no prompt, no document text. A path is as the client sent it, without its
 * query, which may hold a title.
 */
#include "api/respond.h"
#include "tenantgate/auth/issuer.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"

#define LINE_MAX_BYTES (16u << 10)
#define PATH_SHOWN_MAX 1024 /* a byte may become six (\u001f), and the line must still fit */

/* Absent rather than empty: a line says only what is known. */
static void
log_put_field(struct buf *b, const char *name, struct slice value)
{
	if (value.len == 0)
		return;
	buf_printf(b, ",\"%s\":", name);
	json_put_string(b, value);
}

static struct slice
log_truncate(struct slice s, size_t max)
{
	return slice_of(s.p, s.len < max ? s.len : max);
}

static void
log_line_begin(struct buf *b, const char *request_id)
{
	char when[CLOCK_ISO_SIZE];

	buf_init(b, LINE_MAX_BYTES);
	clock_iso(clock_wall_us(), when);
	buf_printf(b, "{\"time\":\"%s\",\"level\":\"info\",\"event\":\"access\"", when);
	log_put_field(b, "request_id", slice_str(request_id));
}

/* Without memory for a line the request is served all the same. */
static void
log_line_end(struct buf *b)
{
	buf_putc(b, '}');
	if (!b->failed)
		log_line(b);
	buf_free(b);
}

/* What could not be read of a request is absent. */
static void
log_put_target(struct buf *b, const struct http_exchange *x)
{
	log_put_field(b, "method", http_method(x));
	log_put_field(b, "path", log_truncate(http_path(x), PATH_SHOWN_MAX));
}

/* "route" is the handler's name, the same for all its paths; "path" has the id, where a route has
 * one in its path. */
static void
log_put_request(struct buf *b, const struct request *req)
{
	log_put_field(b, "trace_id", slice_str(req->trace.id));
	log_put_field(b, "tenant", slice_str(mutated(MUTATION_ACCESS_LOG, req->tenant_id)));
	log_put_field(b, "user", slice_str(req->user_id));
	log_put_field(b, "key", slice_str(req->caller.key_id));
	log_put_field(b, "token", slice_str(req->caller.token_id));
	if (req->caller.profile != NULL)
		log_put_field(b, "issuer", slice_str(req->caller.profile->issuer));
	log_put_field(b, "remote", slice_str(http_remote(req->x)));
	log_put_field(b, "tls", slice_str(http_tls_version(req->x)));
	log_put_field(b, "route", slice_str(req->flow.kind->name));
	log_put_target(b, req->x);
}

/* "t_embed":1.234 for each step that took a microsecond or more, waits included, in milliseconds. A
 * step that ran several times has its sum. */
static void
log_put_step_times(struct buf *b, const struct flow *f)
{
	const struct flow_step *s = f->kind->steps;

	for (unsigned i = 0; s[i].name != NULL && i < FLOW_STEPS_MAX; i++)
		if (f->step_us[i] > 0)
			buf_printf(b, ",\"t_%s\":%u.%03u", s[i].name, f->step_us[i] / 1000,
			    f->step_us[i] % 1000);
}

/* Who or what ended the request: for counting, where "code" is too fine. */
static const char *
log_ended_by(const struct err *err)
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
log_put_response(struct buf *b, const struct http_exchange *x, const struct err *err)
{
	buf_printf(b, ",\"status\":%d,\"bytes_in\":%llu,\"bytes_out\":%llu", http_result(x, err),
	    (unsigned long long)http_bytes_in(x), (unsigned long long)http_bytes_out(x));
}

static void
log_put_end(struct buf *b, const struct err *err)
{
	buf_printf(b, ",\"ended_by\":\"%s\"", log_ended_by(err));
	if (!err_is(err))
		return;
	log_put_field(b, "code", slice_str(err_slug(err->code)));
	log_put_field(b, "detail", slice_str(err->detail));
	log_put_field(b, "cause", slice_str(err->cause));
}

static void
log_put_usage(struct buf *b, const struct request *req)
{
	unsigned long long tokens_in = req->usage.input_tokens + req->spent.embedding.input_tokens +
	    req->spent.former.input_tokens;

	if (req->model_name != NULL)
		log_put_field(b, "model", slice_str(req->model_name));
	if (tokens_in > 0 || req->usage.output_tokens > 0)
		buf_printf(b, ",\"tokens_in\":%llu,\"tokens_out\":%llu", tokens_in,
		    (unsigned long long)req->usage.output_tokens);
	if (req->verdict.mode != NULL)
		buf_printf(b, ",\"limit\":\"%s\",\"limit_by\":\"%s\"",
		    req->verdict.allowed ? "allowed" : "refused", req->verdict.mode);
}

/* The one that was running or waiting when the request failed. A limit is a limit, wherever it was
 * found: that of failed logins is asked about before the tenant is. */
static const char *
log_step(const struct request *req, const struct err *err)
{
	return err->code == ERR_RATE_LIMITED ? "limit" : flow_step_name(&req->flow);
}

static void
log_put_age(struct buf *b, const struct flow *f)
{
	uint64_t us = flow_age_us(f);

	buf_printf(b, ",\"t_total\":%llu.%03u", (unsigned long long)(us / 1000),
	    (unsigned)(us % 1000));
}

void
access_log_write(const struct request *req, const struct err *err)
{
	struct buf b;

	if (!req->conf->access_log)
		return;
	log_line_begin(&b, req->request_id);
	log_put_request(&b, req);
	log_put_response(&b, req->x, err);
	log_put_age(&b, &req->flow);
	log_put_end(&b, err);
	if (err_is(err))
		log_put_field(&b, "step", slice_str(log_step(req, err)));
	log_put_step_times(&b, &req->flow);
	log_put_usage(&b, req);
	log_line_end(&b);
}

void
access_log_refusal(const struct http_exchange *x, const struct api_conf *conf,
    const char *request_id, const struct err *err)
{
	struct buf b;

	if (!conf->access_log)
		return;
	log_line_begin(&b, request_id);
	log_put_field(&b, "remote", slice_str(http_remote(x)));
	log_put_target(&b, x);
	log_put_response(&b, x, err);
	log_put_end(&b, err);
	log_line_end(&b);
}

void
access_log_admin(const struct http_exchange *x, const struct api_conf *conf, const struct flow *f,
    const char *key_id, const char *tenant, const struct err *err)
{
	struct buf b;

	if (!conf->access_log)
		return;
	log_line_begin(&b, f->request_id);
	log_put_field(&b, "trace_id", slice_str(f->trace_id));
	log_put_field(&b, "tenant", slice_str(tenant));
	log_put_field(&b, "key", slice_str(key_id));
	log_put_field(&b, "remote", slice_str(http_remote(x)));
	log_put_field(&b, "route", slice_str(f->kind->name));
	log_put_target(&b, x);
	log_put_response(&b, x, err);
	log_put_age(&b, f);
	log_put_end(&b, err);
	if (err_is(err))
		log_put_field(&b, "step", slice_str(flow_step_name(f)));
	log_put_step_times(&b, f);
	log_line_end(&b);
}
