/* SPDX-License-Identifier: MIT */
/*
 * neon-api-serve: one request, from its first step to its response.
 *
 *	[delay] --> [check: key, faults] --> [body] --> [prepare: query] --> [result] --> [respond]
 *
 * The flow is not attached to its exchange: a client that leaves changes nothing, as Neon does what
 * it was asked to whether or not anybody waits for the response.
 */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "neon-api.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/random.h"

#define BODY_MAX (64 * 1024)

static flow_step_fn serve_delay, serve_delay_again, serve_check, serve_body, serve_prepare,
    serve_result, serve_respond;
static flow_end_fn serve_end;
static flow_release_fn serve_release;

static const struct flow_step serve_steps[] = {
	{ "delay", serve_delay },
	{ "again", serve_delay_again },
	{ "check", serve_check },
	{ "body", serve_body },
	{ "prepare", serve_prepare },
	{ "result", serve_result },
	{ "respond", serve_respond },
	{ NULL, NULL },
};

static const struct flow_kind serve_kind = { "request", serve_steps, serve_end, serve_release };

static flow_step_fn knobs_body, knobs_respond;

static const struct flow_step knobs_steps[] = {
	{ "body", knobs_body },
	{ "respond", knobs_respond },
	{ NULL, NULL },
};

static const struct flow_kind knobs_kind = { "knobs", knobs_steps, serve_end, serve_release };

static struct neon_request *
neon_request_of(struct flow *f)
{
	struct neon_request *r = (struct neon_request *)(void *)f;

	_Static_assert(offsetof(struct neon_request, flow) == 0, "a flow comes first");
	assert(f->magic == FLOW_MAGIC && r->magic == NEON_REQUEST_MAGIC);
	return r;
}

static void
reply_json(struct http_exchange *x, int status, struct slice body)
{
	http_set(x, "X-Stand-In", "tenantgate stand-in for the Neon API");
	http_reply(x, status, "application/json", body);
}

static void
serve_error_code(struct http_exchange *x, int status, const char *code, const char *message)
{
	char id[25];
	struct buf b;

	id_random(id, 24);
	buf_init(&b, 4096);
	buf_printf(&b, "{\"request_id\":\"%s\",\"code\":\"%s\",\"message\":", id, code);
	json_put_string(&b, slice_str(message));
	buf_putc(&b, '}');
	reply_json(x, status, buf_view(&b));
	buf_free(&b);
}

void
serve_error(struct http_exchange *x, int status, const char *message)
{
	serve_error_code(x, status, "", message);
}

static void
serve_retry_after(struct neon_request *r, int retry_after)
{
	char seconds[12];

	snprintf(seconds, sizeof(seconds), "%d", retry_after);
	if (retry_after > 0)
		http_set(r->x, "Retry-After", seconds);
}

static enum flow_rc
serve_fault(struct neon_request *r)
{
	serve_retry_after(r, r->fault.retry_after);
	serve_error(r->x, r->fault.status, "This failure was asked for by a knob.");
	return FLOW_DONE;
}

static enum flow_rc
serve_limited(struct neon_request *r, int retry_after)
{
	serve_retry_after(r, retry_after);
	serve_error(r->x, 429, "Too many requests.");
	return FLOW_DONE;
}

/* A creation that made nothing, in Neon's words (neonctl's issue 255). */
static enum flow_rc
serve_projects_limit(struct neon_request *r)
{
	char message[96];

	snprintf(message, sizeof(message), "user projects limit of %u exceeded, got %u",
	    r->api->projects_max, r->api->projects_max);
	serve_error_code(r->x, 422, "PROJECTS_LIMIT_EXCEEDED", message);
	return FLOW_DONE;
}

/* As the knob says at the moment: a test may hold requests for as long as it likes. */
static enum flow_rc
serve_delay(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);
	const struct neon_api *api = r->api;
	bool ours = api->delay_route[0] == '\0' || strcmp(api->delay_route, r->route->name) == 0;
	uint64_t spent = flow_age_us(f), left = api->delay_us > spent ? api->delay_us - spent : 0;

	if (!ours || left == 0)
		return flow_goto(f, serve_check);
	return flow_sleep(f, &r->timer, left < LOOK_US ? left : LOOK_US);
}

static enum flow_rc
serve_delay_again(struct flow *f)
{
	return flow_goto(f, serve_delay);
}

/* A fault with `after` is only remembered here: the work is done, then serve_respond() fails. */
static enum flow_rc
serve_check(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);
	struct slice given = http_header(r->x, "Authorization");
	char want[300];
	int retry_after;

	snprintf(want, sizeof(want), "Bearer %s", r->api->api_key);
	if (!slice_is(given, want))
		return flow_fail(f, ERR_UNAUTHENTICATED, "The API key is not valid.");
	if (!limits_take(r->api, r->route->name, &retry_after))
		return serve_limited(r, retry_after);
	r->fault = knobs_take_fault(r->api, r->route->name);
	if (r->fault.status != 0 && !r->fault.after)
		return serve_fault(r);
	if (r->api->lose_responses > 0 && strcmp(r->route->name, "POST /projects") == 0) {
		r->api->lose_responses--;
		r->lose_response = true;
	}
	return FLOW_NEXT;
}

static enum flow_rc
serve_body(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);

	if (strcmp(r->route->method, "POST") != 0 && strcmp(r->route->method, "PATCH") != 0)
		return FLOW_NEXT;
	return http_read_body(f, r->x, &r->body);
}

static enum flow_rc
serve_prepare(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);
	struct err err = { 0 };

	if (r->body.len > 0) {
		r->json = json_read_object(buf_view(&r->body), &err);
		if (r->json == NULL)
			return flow_fail_err(f, &err);
	}
	if (!r->route->prepare(r, &err))
		return flow_fail_err(f, &err);
	return catalog_run(f, r->api->catalog, CATALOG_TENANTS, NEON_API_HOLDER, &r->query,
	    &r->result);
}

/* A statement that found no project starts nothing. */
static enum flow_rc
serve_result(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);
	enum flow_rc rc = catalog_check(f, &r->result, "the stand-in's own tables");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&r->result) > 0 && strcmp(pg_text(&r->result, 0, 0), LOCKED) == 0) {
		serve_error(r->x, 423, "The project already has running operations.");
		return FLOW_DONE;
	}
	if (r->route->then != NULL && pg_changed(&r->result) > 0)
		r->route->then(r);
	if (r->route->result_sql == NULL)
		return FLOW_NEXT;
	r->query = (struct pg_query){
		.sql = r->route->result_sql,
		.params = { PG_TEXT(r->id) },
		.param_count = 1,
	};
	return catalog_run(f, r->api->catalog, CATALOG_TENANTS, NEON_API_HOLDER, &r->query,
	    &r->result);
}

static enum flow_rc
serve_respond(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);
	enum flow_rc rc = catalog_check(f, &r->result, "the stand-in's own tables");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&r->result) == 0 && r->route->then != NULL && r->route->result_sql != NULL)
		return serve_projects_limit(r);
	if (pg_rows(&r->result) == 0)
		return flow_fail(f, ERR_NOT_FOUND, "Project not found.");
	if (r->fault.status != 0)
		return serve_fault(r);
	if (r->lose_response) {
		http_stream_begin(r->x, r->route->status, "application/json");
		http_stream_break(r->x);
		return FLOW_DONE;
	}
	reply_json(r->x, r->route->status, pg_value(&r->result, 0, 0));
	return FLOW_DONE;
}

static void
serve_end(struct flow *f, const struct err *err)
{
	struct neon_request *r = neon_request_of(f);

	if (err_is(err))
		serve_error(r->x, err_status(err->code), err->detail);
	http_end(r->x);
	r->api->parallel--;
}

static void
serve_release(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);

	pg_clear(&r->result);
	json_decref(r->json);
	buf_free(&r->body);
	arena_free(f->arena);
	free(r);
}

/* ---- /_knobs and /_stats: no key, no delay, not counted ---- */

static enum flow_rc
knobs_body(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);

	return http_read_body(f, r->x, &r->body);
}

static enum flow_rc
knobs_respond(struct flow *f)
{
	struct neon_request *r = neon_request_of(f);
	struct err err = { 0 };

	r->json = json_read_object(buf_view(&r->body), &err);
	if (r->json == NULL || !knobs_set(r->api, r->json, &err))
		return flow_fail_err(f, &err);
	reply_json(r->x, 200, SLICE_LIT("{}"));
	return FLOW_DONE;
}

static void
serve_stats(struct neon_api *api, struct http_exchange *x)
{
	struct buf b;

	buf_init(&b, 16384);
	stats_put(api, &b);
	reply_json(x, 200, buf_view(&b));
	http_end(x);
	buf_free(&b);
}

static void
neon_request_start(struct neon_api *api, struct http_exchange *x, const struct neon_request *like,
    const struct flow_kind *kind)
{
	struct neon_request *r = xmalloc(sizeof(*r));

	*r = *like;
	r->magic = NEON_REQUEST_MAGIC;
	r->api = api;
	r->x = x;
	buf_init(&r->body, BODY_MAX);
	if (++api->parallel > api->parallel_peak)
		api->parallel_peak = api->parallel;
	flow_start(&r->flow, kind, api->worker, arena_new(1 << 20));
}

void
serve_request(struct http_exchange *x, void *arg)
{
	struct neon_api *api = arg;
	struct neon_request like = { 0 };

	if (slice_is(http_path(x), "/_stats")) {
		serve_stats(api, x);
		return;
	}
	if (slice_is(http_path(x), "/_knobs") && slice_is(http_method(x), "POST")) {
		neon_request_start(api, x, &like, &knobs_kind);
		return;
	}
	like.route = route_find(http_method(x), http_path(x), like.id);
	if (like.route == NULL) {
		serve_error(x, 404, "The stand-in does not have this route.");
		http_end(x);
		return;
	}
	stats_count(api, like.route->name);
	neon_request_start(api, x, &like, &serve_kind);
}
