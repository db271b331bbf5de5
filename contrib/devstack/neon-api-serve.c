/* SPDX-License-Identifier: MIT */
/*
 * neon-api-serve: one request.
 *
 *	[delay] --> [gate: key, faults] --> [body] --> [ask] --> [form] --> [answer]
 *
 * A client that leaves changes nothing: Neon does what it was asked to, whether or not anybody
 * waits for the answer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "neon-api.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/random.h"

#define BODY_MAX (64 * 1024)

static void
reply_json(struct http_exchange *x, int status, struct slice body)
{
	http_set(x, "X-Stand-In", "tenantgate stand-in for the Neon API");
	http_reply(x, status, "application/json", body);
}

void
serve_error(struct http_exchange *x, int status, const char *message)
{
	char id[25];
	struct buf b;

	id_random(id, 24);
	buf_init(&b, 4096);
	buf_printf(&b, "{\"request_id\":\"%s\",\"code\":\"\",\"message\":", id);
	json_put_string(&b, slice_str(message));
	buf_putc(&b, '}');
	reply_json(x, status, buf_view(&b));
	buf_free(&b);
}

static enum flow_rc
serve_fault(struct neon_request *r)
{
	char seconds[12];

	snprintf(seconds, sizeof(seconds), "%d", r->neon_fault.retry_after);
	if (r->neon_fault.retry_after > 0)
		http_set(r->x, "Retry-After", seconds);
	serve_error(r->x, r->neon_fault.status, "made to fail");
	return FLOW_DONE;
}

static enum flow_rc
serve_delay(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;

	const struct neon_api *neon_api = r->neon_api;
	bool ours =
	    neon_api->delay_route[0] == '\0' || strcmp(neon_api->delay_route, r->route->name) == 0;

	return neon_api->delay_us > 0 && ours ? flow_sleep(f, &r->timer, neon_api->delay_us)
					      : FLOW_NEXT;
}

static enum flow_rc
serve_gate(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;
	struct slice given = http_header(r->x, "Authorization");
	char want[300];

	snprintf(want, sizeof(want), "Bearer %s", r->neon_api->api_key);
	if (!slice_is(given, want))
		return flow_fail(f, ERR_UNAUTHENTICATED, "the API key is not valid");
	r->neon_fault = knobs_take_fault(r->neon_api, r->route->name);
	if (r->neon_fault.status != 0 && !r->neon_fault.after)
		return serve_fault(r);
	if (r->neon_api->lose_next > 0 && strcmp(r->route->name, "POST /projects") == 0) {
		r->neon_api->lose_next--;
		r->is_lost = true;
	}
	return FLOW_NEXT;
}

static enum flow_rc
serve_body(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;

	if (strcmp(r->route->method, "POST") != 0)
		return FLOW_NEXT;
	return http_read_body(f, r->x, &r->body);
}

static enum flow_rc
serve_prepare(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;
	struct err err = { 0 };

	if (r->body.len > 0) {
		r->json = json_read_object(buf_view(&r->body), &err);
		if (r->json == NULL)
			return flow_fail_err(f, &err);
	}
	if (!r->route->prepare(r, &err))
		return flow_fail_err(f, &err);
	return catalog_run(f, r->neon_api->catalog, &r->query, &r->result);
}

static enum flow_rc
serve_form(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;
	enum flow_rc rc = catalog_check(f, &r->result, "the stand-in's own tables");

	if (rc != FLOW_NEXT)
		return rc;
	if (r->route->then != NULL && (r->route->form != NULL || pg_rows(&r->result) > 0))
		r->route->then(r);
	if (r->route->form == NULL)
		return FLOW_NEXT;
	r->query = (struct pg_query){
		.sql = r->route->form,
		.params = { PG_TEXT(r->id) },
		.param_count = 1,
	};
	return catalog_run(f, r->neon_api->catalog, &r->query, &r->result);
}

static enum flow_rc
serve_respond(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;
	enum flow_rc rc = catalog_check(f, &r->result, "the stand-in's own tables");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&r->result) == 0)
		return flow_fail(f, ERR_NOT_FOUND, "project not found");
	if (r->neon_fault.status != 0)
		return serve_fault(r);
	if (r->is_lost) {
		http_stream_begin(r->x, r->route->status, "application/json");
		http_stream_break(r->x);
		return FLOW_DONE;
	}
	reply_json(r->x, r->route->status, pg_value(&r->result, 0, 0));
	return FLOW_DONE;
}

static const struct flow_step serve_steps[] = {
	{ "delay", serve_delay },
	{ "gate", serve_gate },
	{ "body", serve_body },
	{ "ask", serve_prepare },
	{ "form", serve_form },
	{ "answer", serve_respond },
	{ NULL, NULL },
};

static void
serve_end(struct flow *f, const struct err *err)
{
	struct neon_request *r = (struct neon_request *)f;

	if (err_is(err))
		serve_error(r->x, err_status(err->code), err->detail);
	http_end(r->x);
	r->neon_api->parallel--;
}

static void
serve_release(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;

	pg_clear(&r->result);
	json_decref(r->json);
	buf_free(&r->body);
	arena_free(f->arena);
	free(r);
}

static const struct flow_kind serve_kind = { "request", serve_steps, serve_end, serve_release };

/* ---- knobs and counts: no key, no delay ---- */

static enum flow_rc
knobs_body(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;

	return http_read_body(f, r->x, &r->body);
}

static enum flow_rc
knobs_respond(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)f;
	struct err err = { 0 };

	r->json = json_read_object(buf_view(&r->body), &err);
	if (r->json == NULL || !knobs_set(r->neon_api, r->json, &err))
		return flow_fail_err(f, &err);
	reply_json(r->x, 200, SLICE_LIT("{}"));
	return FLOW_DONE;
}

static const struct flow_step knobs_steps[] = {
	{ "body", knobs_body },
	{ "answer", knobs_respond },
	{ NULL, NULL },
};

static const struct flow_kind knobs_kind = { "knobs", knobs_steps, serve_end, serve_release };

static void
serve_stats(struct neon_api *neon_api, struct http_exchange *x)
{
	struct buf b;

	buf_init(&b, 16384);
	stats_put(neon_api, &b);
	reply_json(x, 200, buf_view(&b));
	http_end(x);
	buf_free(&b);
}

static void
request_start(struct neon_api *neon_api, struct http_exchange *x, const struct neon_request *like,
    const struct flow_kind *kind)
{
	struct neon_request *r = xmalloc(sizeof(*r));

	*r = *like;
	r->neon_api = neon_api;
	r->x = x;
	buf_init(&r->body, BODY_MAX);
	if (++neon_api->parallel > neon_api->parallel_peak)
		neon_api->parallel_peak = neon_api->parallel;
	flow_start(&r->flow, kind, neon_api->worker, arena_new(1 << 20));
}

void
serve_request(struct http_exchange *x, void *arg)
{
	struct neon_api *neon_api = arg;
	struct neon_request like = { 0 };

	if (slice_is(http_path(x), "/_stats")) {
		serve_stats(neon_api, x);
		return;
	}
	if (slice_is(http_path(x), "/_knobs") && slice_is(http_method(x), "POST")) {
		request_start(neon_api, x, &like, &knobs_kind);
		return;
	}
	like.route = route_find(http_method(x), http_path(x), like.id);
	if (like.route == NULL) {
		serve_error(x, 404, "this route is not in the stand-in");
		http_end(x);
		return;
	}
	stats_count(neon_api, like.route->name);
	request_start(neon_api, x, &like, &serve_kind);
}
