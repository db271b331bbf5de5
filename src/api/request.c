/* SPDX-License-Identifier: MIT */
/*
 * visit: the beginning and the end that the stories share.
 *
 * What always holds: the tenant is known before a limit is counted, the limit is minded before
 * anything is made, and no body is accepted before both.
 */
#include "api/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/respond.h"
#include "api/route.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/map.h"
#include "tenantgate/base/secret.h"

#define MINUTE_US (60 * 1000000ull)

struct request *
request_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match, size_t size, const struct flow_kind *kind)
{
	size_t body_max = api_route_body_max(match->route, ctx->conf);
	struct arena *arena = arena_new(REQUEST_ARENA_MAX + body_max);
	struct request *req = arena_first(arena, size);

	req->magic = REQUEST_MAGIC;
	req->ctx = ctx;
	req->x = x;
	req->route = match->route;
	req->params = match->params;
	request_id_choose(x, req->request_id);
	http_set(x, "X-Request-Id", req->request_id);
	buf_init(&req->body, body_max);
	flow_start(&req->flow, kind, ctx->worker, arena);
	req->flow.request_id = req->request_id;
	flow_deadline(&req->flow, api_route_timeout_us(req->route, ctx->conf));
	http_attach(x, &req->flow);
	return req;
}

/* Of two, whoever stands before us may have believed the other one. */
static bool
named_once(const struct request *req, const char *header, enum err_code code, struct err *err)
{
	if (http_header_count(req->x, header) > 1)
		err_set(err, code, "%s may be given once only.", header);
	return !err_is(err);
}

enum flow_rc
request_caller(struct flow *f)
{
	struct request *req = request_of(f);
	struct err err = { 0 };

	if (!named_once(req, "Authorization", ERR_BAD_REQUEST, &err))
		return flow_fail_err(f, &err);
	return auth_check(f, req->ctx->auth, http_header(req->x, "Authorization"), &req->caller);
}

enum flow_rc
request_tenant(struct flow *f)
{
	struct request *req = request_of(f);
	struct err err = { 0 };

	if (!api_route_allows(req->route, req->caller.kind, &err) ||
	    !named_once(req, "X-Tenant-Id", ERR_INVALID_TENANT, &err) ||
	    !auth_tenant(&req->caller, http_header(req->x, "X-Tenant-Id"), req->tenant_id, &err))
		return flow_fail_err(f, &err);
	return tenant_lookup(f, req->ctx->tenants, req->tenant_id, &req->tenant);
}

static struct slice
rule_key(const struct request *req, char out[LIMIT_KEY_MAX + 1], const char *what, const char *id)
{
	int n = snprintf(out, LIMIT_KEY_MAX + 1, "tg:limit:%.40s:%s:%s", req->ctx->environment,
	    what, id);

	assert(n > 0 && n <= LIMIT_KEY_MAX);
	return slice_of(out, (size_t)n);
}

enum flow_rc
request_limit(struct flow *f)
{
	struct request *req = request_of(f);
	const struct api_conf *conf = req->ctx->conf;
	unsigned tenant_count = req->tenant.requests_per_minute;

	if (tenant_count == 0)
		tenant_count = conf->tenant_requests_per_minute;
	req->rules[0] = (struct limit_rule){
		.key = rule_key(req, req->rule_keys[0], "tenant", req->tenant_id),
		.count = tenant_count,
		.period_us = MINUTE_US,
		.burst = conf->burst,
	};
	req->rules[1] = (struct limit_rule){
		.key = rule_key(req, req->rule_keys[1], "key", req->caller.key_id),
		.count = conf->key_requests_per_minute,
		.period_us = MINUTE_US,
		.burst = conf->burst,
	};
	return limit_check(f, req->ctx->limiter, req->rules, 2, &req->verdict);
}

/* Takes the limiter's verdict, then the database: at once when the tenant is ready. */
enum flow_rc
request_database(struct flow *f)
{
	struct request *req = request_of(f);
	struct err err = { 0 };

	respond_limits(req->x, &req->verdict);
	if (!req->verdict.allowed) {
		err_set(&err, ERR_RATE_LIMITED, "More than %u requests a minute for this %s.",
		    req->verdict.limit, req->verdict.which == 0 ? "tenant" : "key");
		err.retry_after = (int)req->verdict.retry_after_s;
		return flow_fail_err(f, &err);
	}
	return tenant_provision(f, req->ctx->tenants, &req->tenant);
}

enum flow_rc
request_borrow(struct flow *f)
{
	struct request *req = request_of(f);
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];

	tenant_target(&req->tenant, &target, key);
	return pool_borrow(f, req->ctx->pools, &target, &req->lease);
}

/* No ingest lives longer than its deadline: what is older was left behind. */
static bool
reconcile_is_due(const struct request *req, uint64_t now_us)
{
	struct slice tenant = slice_str(req->tenant_id);
	const uint64_t *last_us = map_get(req->ctx->reconciled, tenant);
	uint64_t *now;

	if (last_us != NULL && now_us < *last_us + req->ctx->conf->ingest_timeout_us)
		return false;
	now = malloc(sizeof(*now));
	if (now == NULL)
		return false;
	*now = now_us;
	if (map_put(req->ctx->reconciled, tenant, now))
		return true;
	free(now);
	return false;
}

void
request_reconcile(struct request *req, const char *document_id)
{
	const struct api_context *ctx = req->ctx;
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];

	if (ctx->reconciled == NULL || req->tenant.state != TENANT_READY ||
	    (document_id[0] == '\0' && !reconcile_is_due(req, clock_mono_us())))
		return;
	tenant_target(&req->tenant, &target, key);
	documents_reconcile(ctx->worker, ctx->catalog, ctx->pools, &target, req->tenant_id,
	    document_id, document_id[0] == '\0' ? ctx->conf->ingest_timeout_us : 0);
}

void
request_end(struct request *req, const struct err *err)
{
	pool_return(&req->lease, POOL_DIRTY);
	if (!err_is(err))
		request_reconcile(req, "");
	/* Perhaps it is not where its record says any more: the catalog knows. */
	if (err->code == ERR_DATABASE)
		tenant_forget(req->ctx->tenants, req->tenant_id);
	http_attach(req->x, NULL);
	if (err_is(err) && http_status(req->x) == 0)
		http_problem(req->x, err, req->request_id);
	if (req->route->in_access_log && req->ctx->conf->access_log)
		access_log_write(req, err);
	http_end(req->x);
	req->x = NULL;
}

void
request_release(struct flow *f)
{
	struct request *req = request_of(f);

	buf_free(&req->body);
	bytes_wipe(&req->tenant, sizeof(req->tenant));
	arena_free(f->arena);
}
