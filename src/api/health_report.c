/* SPDX-License-Identifier: MIT */
/*
 * health_report: what /readyz says: how each thing behind us is, by the conditions that its room
 * tells, and on the health listener why, with the figures of what is lent.
 */
#include "api/health_report.h"

#include "api/health_look.h"
#include "tenantgate/base/json.h"

/* ---- what is looked at, and is named in the response ---- */
typedef void check_fn(const struct api_context *, struct condition *);

/* A look may only have been refused, for what is known already: that is the reason to be told. */
static void
check_catalog(const struct api_context *ctx, struct condition *out)
{
	catalog_condition(ctx->catalog, out);
	health_look_condition(ctx->looks, HEALTH_CATALOG, out);
}

static void
check_redis(const struct api_context *ctx, struct condition *out)
{
	if (ctx->redis == NULL)
		return;
	redis_condition(ctx->redis, out);
	health_look_condition(ctx->looks, HEALTH_REDIS, out);
}

static void
check_limits(const struct api_context *ctx, struct condition *out)
{
	limiter_condition(ctx->limiter, out);
}

static void
check_model(const struct api_context *ctx, struct condition *out)
{
	model_condition(ctx->model, out);
}

static void
check_pools(const struct api_context *ctx, struct condition *out)
{
	pools_condition(ctx->pools, out);
}

static void
check_shares(const struct api_context *ctx, struct condition *out)
{
	model_shares_condition(ctx->model, out);
	api_budgets_condition(&ctx->shared->budgets, out);
}

static const struct {
	const char *name;
	check_fn *tell;
} checks[] = {
	{ "catalog", check_catalog },
	{ "redis", check_redis },
	{ "limits", check_limits },
	{ "model", check_model },
	{ "pools", check_pools },
	{ "shares", check_shares },
};

#define CHECKS (sizeof(checks) / sizeof(checks[0]))

/* ---- the response ---- */
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

/* At the public door a stranger learns which part is ill, and nothing about it. */
static const char *
check_word(const struct api_context *ctx, check_fn *tell, const struct condition *c)
{
	if (tell == check_redis && ctx->redis == NULL)
		return "not configured";
	if (tell == check_catalog && !catalog_was_reached(ctx->catalog))
		return "not reached yet";
	if (!c->is_ill)
		return "ok";
	return ctx->shows_reasons ? c->reason : "ill";
}

static void
put_checks(const struct api_context *ctx, struct buf *b)
{
	struct condition found[CHECKS] = { { .is_ill = false } };
	const char *comma = "";

	buf_puts(b, "\"checks\":{");
	for (size_t i = 0; i < CHECKS; i++) {
		checks[i].tell(ctx, &found[i]);
		buf_printf(b, "%s\"%s\":", i > 0 ? "," : "", checks[i].name);
		json_put_string(b, slice_str(check_word(ctx, checks[i].tell, &found[i])));
	}
	buf_puts(b, "},\"degraded\":[");
	for (size_t i = 0; i < CHECKS; i++) {
		if (!found[i].is_ill)
			continue;
		buf_printf(b, "%s\"%s\"", comma, checks[i].name);
		comma = ",";
	}
	buf_puts(b, "]");
}

static void
put_share(struct buf *b, const char *name, const struct share_stats *s)
{
	buf_printf(b,
	    "\"%s\":{\"capacity\":%llu,\"held\":%llu,\"holders\":%u,\"waiting\":%u,"
	    "\"longest_wait_ms\":%llu,\"granted_total\":%llu,\"refused_total\":%llu},",
	    name, (unsigned long long)s->capacity, (unsigned long long)s->held, s->holders,
	    s->waiting, (unsigned long long)(s->longest_wait_us / 1000),
	    (unsigned long long)s->granted_total, (unsigned long long)s->refused_total);
}

static void
put_budget(struct buf *b, const char *name, struct share_budget *budget)
{
	struct share_stats stats;

	share_stats(budget, &stats);
	put_share(b, name, &stats);
}

static void
put_helpers(struct buf *b, struct offload *offload)
{
	struct offload_stats s;

	offload_stats(offload, &s);
	buf_printf(b,
	    "\"helpers\":{\"threads\":%u,\"running\":%u,\"waiting\":%u,\"longest_wait_ms\":%llu,"
	    "\"done_total\":%llu,\"refused_total\":%llu},",
	    s.helpers, s.running, s.waiting, (unsigned long long)(s.longest_wait_us / 1000),
	    (unsigned long long)s.done_total, (unsigned long long)s.refused_total);
}

static void
put_pools(struct buf *b, struct pools *pools)
{
	struct pool_stats s;

	pools_stats(pools, &s);
	buf_printf(b,
	    "\"pools\":{\"pools\":%u,\"server_idle\":%u,\"server_active\":%u,\"server_login\":%u,"
	    "\"client_waiting\":%u}",
	    s.pools, s.server_idle, s.server_active, s.server_login, s.client_waiting);
}

static void
put_figures(const struct api_context *ctx, struct buf *b)
{
	const struct api_budgets *budgets = &ctx->shared->budgets;
	struct share_stats streams, embeddings, reranks;

	model_shares_stats(ctx->model, &streams, &embeddings, &reranks);
	buf_puts(b, ",\"figures\":{");
	put_share(b, "model_streams", &streams);
	put_share(b, "embedding_calls", &embeddings);
	put_share(b, "rerank_calls", &reranks);
	put_budget(b, "ingests", budgets->ingests);
	put_budget(b, "document_bytes", budgets->documents);
	put_budget(b, "vector_bytes", budgets->vectors);
	put_budget(b, "spool_bytes", budgets->spool);
	put_budget(b, "extractors", budgets->parsers);
	put_helpers(b, ctx->offload);
	put_pools(b, ctx->pools);
	buf_puts(b, "}");
}

bool
health_report(const struct api_context *ctx, struct buf *b)
{
	enum api_phase phase = atomic_load(&ctx->shared->phase);

	buf_printf(b, "{\"status\":\"%s\",", phase_name(phase));
	put_checks(ctx, b);
	if (ctx->shows_reasons)
		put_figures(ctx, b);
	buf_puts(b, "}");
	return phase == API_SERVING && catalog_was_reached(ctx->catalog);
}
