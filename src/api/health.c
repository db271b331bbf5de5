/* SPDX-License-Identifier: MIT */
/*
 * health: for load balancers and orchestrators. /healthz: this process and the loop of the worker
 * that took the request are alive; no dependency is checked, for a restart would not repair one.
 * OPTIONS / is the same for load balancers that ask so.
 * /readyz: whether to send traffic here: 503 while starting and draining, and until the catalog was
 * reached once. What is lost later is "degraded", not unready: much is served without it, and all
 * replicas share it, so that a 503 would take every one out at once.
 *
 * None needs a key or is in the access log: probes come every few seconds. The public door hears
 * names; reasons and figures are for the health listener.
 */
#include "api/handlers.h"
#include "api/health_look.h"
#include "api/health_report.h"
#include "api/respond.h"

#define READYZ_ARENA (64u << 10)

struct readyz {
	struct flow flow; /* first */
	struct http_exchange *x;
	const struct api_context *ctx;
	struct join_waiter waiters[HEALTH_SUBJECTS];
};

static flow_step_fn readyz_look, readyz_look_redis, readyz_answer;
static flow_end_fn readyz_end;
static flow_release_fn readyz_release;

static const struct flow_step readyz_steps[] = {
	{ "look", readyz_look },
	{ "look_redis", readyz_look_redis },
	{ "answer", readyz_answer },
	{ NULL, NULL },
};

static const struct flow_kind readyz_kind = { "readyz", readyz_steps, readyz_end, readyz_release };

/* A probe must see this moment, not a cache's memory of an earlier one. */
static void
set_fields(struct http_exchange *x)
{
	char id[REQUEST_ID_MAX + 1];

	request_id_choose(x, id);
	http_set(x, "X-Request-Id", id);
	http_set(x, "Cache-Control", "no-store");
}

static void
readyz_respond(struct http_exchange *x, const struct api_context *ctx)
{
	bool is_ready;
	struct buf b;

	buf_init(&b, HEALTH_REPORT_MAX);
	is_ready = health_report(ctx, &b);
	set_fields(x);
	if (!is_ready)
		http_set(x, "Retry-After", "1");
	respond_json(x, is_ready ? 200 : 503, &b);
	buf_free(&b);
}

static enum flow_rc
readyz_look(struct flow *f)
{
	struct readyz *r = FLOW_OF(f, struct readyz, &readyz_kind);

	health_looks_begin(r->ctx->looks);
	return health_look_wait(f, r->ctx->looks, HEALTH_CATALOG, &r->waiters[HEALTH_CATALOG]);
}

static enum flow_rc
readyz_look_redis(struct flow *f)
{
	struct readyz *r = FLOW_OF(f, struct readyz, &readyz_kind);

	return health_look_wait(f, r->ctx->looks, HEALTH_REDIS, &r->waiters[HEALTH_REDIS]);
}

static enum flow_rc
readyz_answer(struct flow *f)
{
	struct readyz *r = FLOW_OF(f, struct readyz, &readyz_kind);

	readyz_respond(r->x, r->ctx);
	return FLOW_DONE;
}

/* Aborted by a shutdown it answers all the same, by what is known. */
static void
readyz_end(struct flow *f, const struct err *err)
{
	struct readyz *r = FLOW_OF(f, struct readyz, &readyz_kind);

	if (err_is(err) && http_status(r->x) == 0)
		readyz_respond(r->x, r->ctx);
	http_end(r->x);
}

static void
readyz_release(struct flow *f)
{
	arena_free(f->arena);
}

/* Before the catalog was reached, and in a drain, the answer is known without a look. */
void
readyz_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	struct arena *arena;
	struct readyz *r;

	(void)match;
	if (atomic_load(&ctx->shared->phase) != API_SERVING || !catalog_was_reached(ctx->catalog)) {
		readyz_respond(x, ctx);
		http_end(x);
		return;
	}
	arena = arena_new(READYZ_ARENA);
	r = arena_first(arena, sizeof(*r));
	r->x = x;
	r->ctx = ctx;
	flow_start(&r->flow, &readyz_kind, ctx->worker, arena);
	http_attach(x, &r->flow);
}

void
healthz_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	(void)ctx;
	(void)match;
	set_fields(x);
	http_reply(x, 200, "application/json", SLICE_LIT("{\"status\":\"ok\"}"));
	http_end(x);
}

/* RFC 9110, 9.3.7; also what HAProxy asks by default. */
void
options_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	(void)ctx;
	(void)match;
	set_fields(x);
	http_set(x, "Allow", "OPTIONS");
	http_reply(x, 204, NULL, slice_of(NULL, 0));
	http_end(x);
}
