/* SPDX-License-Identifier: MIT */
/*
 * request_trace: the trace that a request is part of, and, where a collector wants them, its spans:
 * one of the request, under it one for each step that took time, and one for what a model was asked
 * in a step. Of steps their sums of time are known: a span of one that ran several times is as long
 * as all of these, and the spans stand one behind the other, in the order of the table.
 *
 * Names are those of OpenTelemetry's semantic conventions for HTTP and for generative AI. Ids,
 * sizes, times and codes: no prompt, no text of a document, no sentence of an error.
 */
#include <stdio.h>
#include <string.h>

#include "api/request.h"
#include "api/route.h"
#include "api/span_json.h"
#include "tenantgate/api/otlp.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/model/gen_ai.h"

#define SPANS_MAX  (64u << 10) /* bytes of one request's */
#define STATES_MAX (32u << 10) /* bytes of the header's lines */
#define STATE_NAME "tracestate: "

/* Several lines are one list (RFC 9110, 5.3). Without memory none goes on. */
static void
keep_tracestate(struct request *req)
{
	unsigned lines = http_header_count(req->x, "tracestate");
	struct slice list;
	struct buf all;

	buf_init(&all, STATES_MAX);
	for (unsigned i = 0; i < lines; i++) {
		if (i > 0)
			buf_putc(&all, ',');
		buf_slice(&all, http_header_at(req->x, "tracestate", i));
	}
	list = trace_state_cut(buf_view(&all));
	if (!all.failed && list.len > 0)
		req->tracestate = arena_alloc(req->flow.arena, sizeof(STATE_NAME) + list.len);
	if (req->tracestate != NULL)
		(void)snprintf(req->tracestate, sizeof(STATE_NAME) + list.len, STATE_NAME "%.*s",
		    (int)list.len, list.p);
	buf_free(&all);
}

/* Two traceparents are none: nobody knows which of them a proxy believed. */
void
request_trace_begin(struct request *req)
{
	struct slice parent = http_header(req->x, "traceparent");

	if (http_header_count(req->x, "traceparent") > 1)
		parent = slice_of(NULL, 0);
	if (trace_context_begin(&req->trace, parent))
		keep_tracestate(req);
	else
		req->trace.is_sampled = otlp_samples(req->ctx->otlp, req->trace.chance);
}

/* The user's id leaves us as a pseudonym alone. */
struct model_asker
request_asker(struct request *req)
{
	trace_line(&req->trace, trace_step_span(&req->trace, req->flow.step), req->traceparent);
	return (struct model_asker){
		.tenant = slice_str(req->tenant_id),
		.user = slice_str(req->user_id),
		.traceparent = slice_str(req->traceparent),
		.tracestate = req->tracestate,
	};
}

/* ---- the spans ---- */

/* A refusal of a client's fault is no failure of the server (HTTP spans, "Status"). */
static const char *
server_error(const struct request *req, const struct err *err)
{
	bool is_ours = req->flow.result >= 500 || err->code == ERR_CLIENT_GONE ||
	    (err_is(err) && req->flow.result < 400);

	return err_is(err) && is_ours ? err_slug(err->code) : NULL;
}

static void
put_request_span(struct buf *b, const struct request *req, const struct err *err,
    const struct span *times)
{
	struct slice method = http_method(req->x);
	const char *path = req->route->path;
	struct span s = *times;
	char name[160];

	(void)snprintf(name, sizeof(name), "%.*s %s", (int)method.len, method.p, path);
	s.id = req->trace.span;
	s.parent = req->trace.parent;
	s.is_remote = s.parent[0] != '\0';
	s.name = slice_str(name);
	s.kind = SPAN_SERVER;
	span_begin(b, &s);
	span_put_text(b, "http.request.method", method);
	span_put_text(b, "http.route", slice_str(path));
	span_put_text(b, "url.scheme", SLICE_LIT("http"));
	span_put_number(b, "http.response.status_code", req->flow.result);
	span_put_text(b, "client.address", slice_str(http_remote(req->x)));
	span_put_text(b, "tenantgate.tenant.id",
	    slice_str(mutated(MUTATION_TRACE, req->tenant_id)));
	span_put_text(b, "tenantgate.request.id", slice_str(req->request_id));
	span_end(b, &s, server_error(req, err));
}

/* "chat" of an answer's, "embeddings" of vectors' ("retrieval" is a search in the database). */
static const char *
step_operation(const char *step)
{
	static const char *const operations[][2] = { { "answer", "chat" },
		{ "embed", "embeddings" }, { "search", "retrieval" } };

	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (strcmp(step, operations[i][0]) == 0)
			return operations[i][1];
	return NULL;
}

static void
put_gen_ai(struct buf *b, const struct request *req, const char *operation, const char *model)
{
	span_put_text(b, "gen_ai.operation.name", slice_str(operation));
	if (model == NULL)
		return;
	span_put_text(b, "gen_ai.provider.name",
	    slice_str(gen_ai_provider_of(req->ctx->model, model)));
	span_put_text(b, "gen_ai.request.model", slice_str(model));
	if (strcmp(operation, "chat") == 0) {
		span_put_number(b, "gen_ai.usage.input_tokens", req->usage.input_tokens);
		span_put_number(b, "gen_ai.usage.output_tokens", req->usage.output_tokens);
	} else {
		span_put_number(b, "gen_ai.usage.input_tokens", req->spent.embedding.input_tokens);
	}
}

static const char *
operation_model(const struct request *req, const char *operation)
{
	if (strcmp(operation, "chat") == 0)
		return req->model_name;
	return strcmp(operation, "embeddings") == 0 ? model_embedding_name(req->ctx->model) : NULL;
}

/* An answer goes on until the request's end. */
static void
put_step_span(struct buf *b, const struct request *req, const struct err *err, unsigned step,
    const struct span *times)
{
	const char *step_name = req->flow.kind->steps[step].name;
	const char *operation = step_operation(step_name), *model = NULL;
	bool is_last = step == req->flow.step && err_is(err);
	char parent[SPAN_ID_LEN + 1], name[160];
	struct span s = *times;

	(void)snprintf(name, sizeof(name), "%s", step_name);
	if (operation != NULL && (model = operation_model(req, operation)) != NULL)
		(void)snprintf(name, sizeof(name), "%s %s", operation, model);
	trace_span_write(req->trace.span, parent);
	s.id = trace_step_span(&req->trace, step);
	s.parent = parent;
	s.name = slice_str(name);
	s.kind = operation != NULL ? SPAN_CLIENT : SPAN_INTERNAL;
	span_begin(b, &s);
	if (operation != NULL)
		put_gen_ai(b, req, operation, model);
	span_put_text(b, "tenantgate.tenant.id",
	    slice_str(mutated(MUTATION_TRACE, req->tenant_id)));
	span_put_text(b, "tenantgate.step", slice_str(step_name));
	span_end(b, &s, is_last ? err_slug(err->code) : NULL);
}

static unsigned
put_spans(struct buf *b, const struct request *req, const struct err *err)
{
	const struct flow *f = &req->flow;
	uint64_t end_us = clock_wall_us(), at_us = end_us - flow_age_us(f);
	struct span times = { .trace = &req->trace, .begin_us = at_us, .end_us = end_us };
	unsigned n = 1;

	put_request_span(b, req, err, &times);
	for (unsigned i = 0; i < FLOW_STEPS_MAX && f->kind->steps[i].name != NULL; i++) {
		bool is_answer = strcmp(f->kind->steps[i].name, "answer") == 0;

		if (f->step_us[i] == 0)
			continue;
		times.begin_us = at_us;
		at_us += f->step_us[i];
		times.end_us = is_answer && end_us > at_us ? end_us : at_us;
		buf_putc(b, ',');
		put_step_span(b, req, err, i, &times);
		n++;
	}
	return n;
}

void
request_trace_end(struct request *req, const struct err *err)
{
	struct buf b;
	unsigned n;

	if (req->ctx->otlp == NULL || !req->trace.is_sampled || !req->route->in_access_log)
		return;
	buf_init(&b, SPANS_MAX);
	n = put_spans(&b, req, err);
	if (!b.failed)
		otlp_add(req->ctx->otlp, buf_view(&b), n);
	buf_free(&b);
}
