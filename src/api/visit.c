/* SPDX-License-Identifier: MIT */
/*
 * visit: the beginning and the end that the stories share.
 *
 * What always holds: the tenant is known before a limit is counted, the limit is minded before
 * anything is made, and no body is accepted before both.
 */
#include "api/visit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/answer.h"
#include "api/route.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/map.h"
#include "tenantgate/base/secret.h"

#define MINUTE_US (60 * 1000000ull)

struct visit *
visit_start(struct http_exchange *x, const struct api_rooms *rooms,
    const struct api_route_match *match, size_t size, const struct flow_kind *kind)
{
	size_t body_max = api_route_body_max(match->route, rooms->conf);
	struct arena *arena = arena_new(VISIT_ARENA_MAX + body_max);
	struct visit *v = arena_alloc(arena, size);

	assert(v != NULL);
	v->rooms = rooms;
	v->x = x;
	v->route = match->route;
	v->params = match->params;
	answer_request_id(x, v->request_id);
	http_set(x, "X-Request-Id", v->request_id);
	buf_init(&v->body, body_max);
	flow_start(&v->flow, kind, rooms->worker, arena);
	v->flow.request_id = v->request_id;
	flow_deadline(&v->flow, api_route_timeout_us(v->route, rooms->conf));
	http_attach(x, &v->flow);
	return v;
}

/* Of two, whoever stands before us may have believed the other one. */
static bool
named_once(const struct visit *v, const char *header, enum err_code code, struct err *err)
{
	if (http_header_count(v->x, header) > 1)
		err_set(err, code, "%s may be given once only.", header);
	return !err_is(err);
}

enum flow_rc
visit_caller(struct flow *f)
{
	struct visit *v = visit_of(f);
	struct err err = { 0 };

	if (!named_once(v, "Authorization", ERR_BAD_REQUEST, &err))
		return flow_fail_err(f, &err);
	return auth_check(f, v->rooms->auth, http_header(v->x, "Authorization"), &v->caller);
}

enum flow_rc
visit_tenant(struct flow *f)
{
	struct visit *v = visit_of(f);
	struct err err = { 0 };

	if (!api_route_allows(v->route, v->caller.kind, &err) ||
	    !named_once(v, "X-Tenant-Id", ERR_INVALID_TENANT, &err) ||
	    !auth_tenant(&v->caller, http_header(v->x, "X-Tenant-Id"), v->tenant_id, &err))
		return flow_fail_err(f, &err);
	return tenant_lookup(f, v->rooms->tenants, v->tenant_id, &v->tenant);
}

static struct slice
ask_key(const struct visit *v, char out[LIMIT_KEY_MAX + 1], const char *what, const char *id)
{
	int n = snprintf(out, LIMIT_KEY_MAX + 1, "tg:limit:%.40s:%s:%s", v->rooms->environment,
	    what, id);

	assert(n > 0 && n <= LIMIT_KEY_MAX);
	return slice_of(out, (size_t)n);
}

enum flow_rc
visit_limit(struct flow *f)
{
	struct visit *v = visit_of(f);
	const struct api_conf *conf = v->rooms->conf;
	unsigned tenant_count = v->tenant.requests_per_minute;

	if (tenant_count == 0)
		tenant_count = conf->tenant_requests_per_minute;
	v->asks[0] = (struct limit_rule){
		.key = ask_key(v, v->ask_keys[0], "tenant", v->tenant_id),
		.count = tenant_count,
		.period_us = MINUTE_US,
		.burst = conf->burst,
	};
	v->asks[1] = (struct limit_rule){
		.key = ask_key(v, v->ask_keys[1], "key", v->caller.key_id),
		.count = conf->key_requests_per_minute,
		.period_us = MINUTE_US,
		.burst = conf->burst,
	};
	return limit_check(f, v->rooms->limiter, v->asks, 2, &v->verdict);
}

/* Takes the limiter's verdict, then the database: at once when the tenant is ready. */
enum flow_rc
visit_database(struct flow *f)
{
	struct visit *v = visit_of(f);
	struct err err = { 0 };

	answer_limits(v->x, &v->verdict);
	if (!v->verdict.allowed) {
		err_set(&err, ERR_RATE_LIMITED, "More than %u requests a minute for this %s.",
		    v->verdict.limit, v->verdict.which == 0 ? "tenant" : "key");
		err.retry_after = (int)v->verdict.retry_after_s;
		return flow_fail_err(f, &err);
	}
	return tenant_provision(f, v->rooms->tenants, &v->tenant);
}

enum flow_rc
visit_borrow(struct flow *f)
{
	struct visit *v = visit_of(f);
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];

	tenant_target(&v->tenant, &target, key);
	return pool_borrow(f, v->rooms->pools, &target, &v->lease);
}

/* No ingest lives longer than its deadline: what is older was left behind. */
static bool
mending_is_due(const struct visit *v, uint64_t now_us)
{
	struct slice tenant = slice_str(v->tenant_id);
	const uint64_t *last_us = map_get(v->rooms->mended, tenant);
	uint64_t *now;

	if (last_us != NULL && now_us < *last_us + v->rooms->conf->ingest_timeout_us)
		return false;
	now = malloc(sizeof(*now));
	if (now == NULL)
		return false;
	*now = now_us;
	if (map_put(v->rooms->mended, tenant, now))
		return true;
	free(now);
	return false;
}

void
visit_mend(struct visit *v, const char *document_id)
{
	const struct api_rooms *rooms = v->rooms;
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];

	if (rooms->mended == NULL || v->tenant.state != TENANT_READY ||
	    (document_id[0] == '\0' && !mending_is_due(v, clock_mono_us())))
		return;
	tenant_target(&v->tenant, &target, key);
	documents_reconcile(rooms->worker, rooms->catalog, rooms->pools, &target, v->tenant_id,
	    document_id, document_id[0] == '\0' ? rooms->conf->ingest_timeout_us : 0);
}

void
visit_end(struct visit *v, const struct err *err)
{
	pool_return(&v->lease, POOL_DIRTY);
	if (!err_is(err))
		visit_mend(v, "");
	/* Perhaps it is not where its record says any more: the catalog knows. */
	if (err->code == ERR_DATABASE)
		tenant_forget(v->rooms->tenants, v->tenant_id);
	http_attach(v->x, NULL);
	if (err_is(err) && http_status(v->x) == 0)
		http_problem(v->x, err, v->request_id);
	if (v->route->in_access_log && v->rooms->conf->access_log)
		answer_log(v, err);
	http_end(v->x);
	v->x = NULL;
}

void
visit_release(struct flow *f)
{
	struct visit *v = visit_of(f);

	buf_free(&v->body);
	bytes_wipe(&v->tenant, sizeof(v->tenant));
	arena_free(f->arena);
}
