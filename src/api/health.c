/* SPDX-License-Identifier: MIT */
/*
 * health: for load balancers and orchestrators. /healthz: this process and the loop of the worker
 * that took the request are alive; no dependency is checked, for a restart would not repair one.
 * /readyz: whether to send traffic here: 503 while starting and draining, and until the catalog was
 * reached once.
 *
 * Neither needs a key, has a flow or is in the access log: probes come every few seconds.
 */
#include "api/handlers.h"
#include "api/respond.h"
#include "tenantgate/base/json.h"

/* A probe must see this moment, not a cache's memory of an earlier one. */
static void
set_fields(struct http_exchange *x)
{
	char id[REQUEST_ID_MAX + 1];

	request_id_choose(x, id);
	http_set(x, "X-Request-Id", id);
	http_set(x, "Cache-Control", "no-store");
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

static const char *
phase_name(enum api_phase phase)
{
	switch (phase) {
	case API_STARTING:
		return "starting";
	case API_SERVING:
		return "ready";
	case API_DRAINING:
		return "draining";
	}
	return "unknown";
}

/* A Redis that is down, or of no use, is "degraded", not unready: records come from the catalog
 * then, and the limiter does what redis_failure_mode says. All replicas share that Redis: 503 would
 * take every one out at once. */
void
readyz_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	enum api_phase phase = atomic_load(&ctx->shared->phase);
	bool catalog = catalog_was_reached(ctx->catalog);
	struct condition redis = { 0 };
	bool ready = phase == API_SERVING && catalog;
	struct buf b;

	(void)match;
	if (ctx->redis != NULL)
		redis_condition(ctx->redis, &redis);
	buf_init(&b, 4096);
	buf_printf(&b,
	    "{\"status\":\"%s\",\"checks\":{\"catalog\":\"%s\",\"redis\":", phase_name(phase),
	    catalog ? "ok" : "not reached yet");
	if (ctx->redis == NULL)
		buf_puts(&b, "\"not configured\"");
	else
		json_put_string(&b, slice_str(redis.is_ill ? redis.reason : "ok"));
	buf_printf(&b, "},\"degraded\":[%s]}", redis.is_ill ? "\"redis\"" : "");
	set_fields(x);
	if (!ready)
		http_set(x, "Retry-After", "1");
	respond_json(x, ready ? 200 : 503, &b);
	buf_free(&b);
	http_end(x);
}
