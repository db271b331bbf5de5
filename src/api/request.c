/* SPDX-License-Identifier: MIT */
/*
 * request: the beginning and the end that all handlers share (see the header).
 *
 * What always holds: the tenant is known before a limit is counted, the limit is checked before
 * anything is provisioned, and no body is read before both. Whatever step fails, request_end() runs
 * once, so every request has one response and one line in the access log.
 */
#include "api/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/cors_preflight.h"
#include "api/first_contact.h"
#include "api/refuse.h"
#include "api/request_count.h"
#include "api/request_keys.h"
#include "api/request_quota.h"
#include "api/request_token.h"
#include "api/respond.h"
#include "api/route.h"
#include "tenantgate/auth/tenant_named.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/map.h"
#include "tenantgate/base/mutation.h"
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
	req->conf = ctx->conf;
	req->snapshot = ctx->snapshot;
	refs_take(req->snapshot);
	req->x = x;
	req->route = match->route;
	req->params = match->params;
	request_id_choose(x, req->request_id);
	http_set(x, "X-Request-Id", req->request_id);
	buf_init(&req->body, body_max);
	flow_start(&req->flow, kind, ctx->worker, arena);
	req->flow.request_id = req->request_id;
	request_trace_begin(req);
	req->flow.trace_id = req->trace.id;
	flow_deadline(&req->flow, api_route_timeout_us(req->route, ctx->conf));
	http_attach(x, &req->flow);
	if (ctx->conf->server_timing)
		http_set_timing(x, &req->flow);
	return req;
}

/*
 * False, with err set, when a header that decides who or whose is given more than once. A proxy in
 * front of us may have read the other one: it checked the caller or tenant of one line, and we
 * would serve that of the next. It is the ambiguity that request smuggling lives on (RFC 9112,
 * 11.2), and RFC 9110, 5.3 forbids senders to repeat a field that is no list.
 */
static bool
header_is_single(const struct request *req, const char *header, enum err_code code, struct err *err)
{
	if (http_header_count(req->x, header) > 1)
		err_set(err, code, "Send the %s header once only.", header);
	return !err_is(err);
}

static enum flow_rc
request_is_early(struct flow *f)
{
	struct err err = { .retry_after = 1 };

	err_set(&err, ERR_CATALOG,
	    "The server is starting and has not yet looked at the main database. Try again in a "
	    "moment.");
	return flow_fail_err(f, &err);
}

enum flow_rc
request_caller(struct flow *f)
{
	struct request *req = request_of(f);
	struct err err = { 0 };

	if (!atomic_load(&req->ctx->shared->catalog_is_ours))
		return request_is_early(f);
	if (!header_is_single(req, "Authorization", ERR_BAD_REQUEST, &err))
		return flow_fail_err(f, &err);
	return auth_check(f, req->ctx->auth, http_header(req->x, "Authorization"),
	    http_network(req->x), &req->caller);
}

static bool
read_user(struct request *req, struct err *err)
{
	return header_is_single(req, "X-User-Id", ERR_INVALID_FIELD, err) &&
	    auth_user(&req->caller, http_header(req->x, "X-User-Id"), req->user_id, err);
}

/* The step runs again with the record, which may have more to say of the caller. */
enum flow_rc
request_tenant(struct flow *f)
{
	struct request *req = request_of(f);
	struct err err = { 0 };

	if (req->tenant.id[0] != '\0')
		return request_token(f);
	if (req->caller.kind == CALLER_NONE)
		return request_refuse(f);
	if (!caller_may_be_in_page(req, &err) ||
	    !api_route_allows(req->route, req->caller.kind, &err) ||
	    !api_route_in_scope(req->route, req->caller.scopes, &err) ||
	    !api_route_knows_own(req->route, &req->caller, &err) ||
	    !header_is_single(req, "X-Tenant-Id", ERR_INVALID_TENANT, &err) ||
	    !auth_tenant(&req->caller, http_header(req->x, "X-Tenant-Id"), req->tenant_id, &err) ||
	    !tenant_named_in_head(req->x, req->tenant_id, f->arena, &err) || !read_user(req, &err))
		return flow_fail_err(f, &err);
	tenant_use_begin(req->ctx->tenants, &req->use, req->tenant_id, f);
	flow_goto(f, request_tenant);
	return tenant_lookup(f, req->ctx->tenants, req->tenant_id, &req->tenant);
}

struct slice
request_limit_key(const struct request *req, char out[LIMIT_KEY_MAX + 1], const char *what,
    const char *id, const char *user)
{
	return slice_of(out,
	    limit_key_write(out, LIMIT_KEY_MAX + 1, req->ctx->environment,
		redis_is_cluster(req->ctx->redis), (struct limit_name){ what, id, user }));
}

static void
rules_set(struct request *req)
{
	const struct api_conf *conf = req->conf;
	const struct plan *limits = req->tenant.limits;
	char key[PLAN_KEY_SIZE];

	req->rules[LIMIT_OF_TENANT] = (struct limit_rule){
		.key = request_limit_key(req, req->rule_keys[LIMIT_OF_TENANT], "tenant",
		    mutated(MUTATION_LIMIT_TENANT, req->tenant_id), ""),
		.count = request_rate(req, key),
		.period_us = MINUTE_US,
		.burst = limits->burst,
	};
	req->rules[LIMIT_OF_KEY] = (struct limit_rule){
		.key = request_limit_key(req, req->rule_keys[LIMIT_OF_KEY], "key",
		    req->caller.key_id, ""),
		.count = req->caller.key_id[0] != '\0' ? conf->key_requests_per_minute : 0,
		.period_us = MINUTE_US,
		.burst = conf->burst,
	};
	req->rules[LIMIT_OF_USER] = (struct limit_rule){
		.key = request_limit_key(req, req->rule_keys[LIMIT_OF_USER], "user",
		    mutated(MUTATION_LIMIT_USER, req->tenant_id), req->user_id),
		.count = req->user_id[0] != '\0' ? limits->user_requests_per_minute : 0,
		.period_us = MINUTE_US,
		.burst = conf->burst,
	};
}

static enum flow_rc
limit_refuse(struct flow *f)
{
	const struct request *req = request_of(f);
	const struct limit_verdict *v = &req->verdict;
	const char *policy = limit_policy_name(v->which);
	char key[PLAN_KEY_SIZE];
	struct err err = { 0 };

	err_set(&err, ERR_RATE_LIMITED,
	    "This %s is over its rate of %u requests a minute; try again in %u s.", policy,
	    v->limit, v->retry_after_s);
	err.retry_after = (int)v->retry_after_s;
	err.policy = policy;
	if (v->which == LIMIT_OF_TENANT)
		(void)request_rate(req, key);
	else if (v->which == LIMIT_OF_USER)
		(void)plan_key(req->tenant.limits, PLAN_USER_REQUESTS_PER_MINUTE, key);
	if (v->which != LIMIT_OF_KEY)
		err_cause(&err, "%s", key);
	return flow_fail_err(f, &err);
}

/*
 * Three limits in one check, charged together or not at all: a tenant's, which all of its keys
 * share; the key's own, which a service key shares among all the tenants it names; and that of the
 * tenant's user, where one is named. The step runs
 * again with the verdict, so that a refusal is this step's in the log. The fields are set either
 * way: a response that is not 429 carries them too.
 */
enum flow_rc
request_limit(struct flow *f)
{
	struct request *req = request_of(f);

	if (req->verdict.mode == NULL) {
		rules_set(req);
		flow_goto(f, request_limit);
		return request_check(f, req);
	}
	respond_limits(req);
	request_count_decisions(req);
	return req->verdict.allowed ? request_quota_passes(f, req) : limit_refuse(f);
}

enum flow_rc
request_database(struct flow *f)
{
	struct request *req = request_of(f);

	if (first_contact_is_due(req))
		return first_contact(f, req);
	return tenant_provision(f, req->ctx->tenants, &req->tenant);
}

enum flow_rc
request_body(struct flow *f)
{
	struct request *req = request_of(f);

	return http_read_body(f, req->x, &req->body);
}

enum flow_rc
request_borrow(struct flow *f)
{
	return request_borrow_for(f, request_of(f));
}

enum flow_rc
request_borrow_for(struct flow *f, struct request *req)
{
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];
	struct err err = { 0 };

	if (tenant_is_locked_out(req->ctx->tenants, &req->tenant, &err))
		return flow_fail_err(f, &err);
	req->has_borrowed = true;
	tenant_target(&req->tenant, &target, key);
	return pool_borrow(f, req->ctx->pools, &target, &req->lease);
}

/* Whether this worker has looked for the tenant's unfinished documents longer than ingest_timeout
 * ago; notes that it does so now. More often is of no use: an ingest lives no longer than its
 * deadline, so only a row older than that was left behind. Without memory it is simply not due. */
static bool
reconcile_is_due(const struct request *req, uint64_t now_us)
{
	struct slice tenant = slice_str(mutated(MUTATION_RECONCILE, req->tenant_id));
	const uint64_t *last_us = map_get(req->ctx->reconciled, tenant);
	uint64_t *now;

	if (last_us != NULL && now_us < *last_us + req->conf->ingest_timeout_us)
		return false;
	now = xmalloc(sizeof(*now));
	*now = now_us;
	if (map_put(req->ctx->reconciled, tenant, now))
		return true;
	free(now);
	return false;
}

static void
reconcile_start(struct request *req, const char *document_id, uint64_t stale_us)
{
	const struct api_context *ctx = req->ctx;
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];

	if (ctx->reconciled == NULL || req->tenant.state != TENANT_READY ||
	    (document_id[0] == '\0' && !reconcile_is_due(req, clock_mono_us())))
		return;
	tenant_target(&req->tenant, &target, key);
	documents_reconcile(ctx->worker, ctx->catalog, ctx->pools, &target, req->tenant_id,
	    req->tenant.schema_version, document_id, stale_us);
}

void
request_reconcile(struct request *req, const char *document_id)
{
	reconcile_start(req, document_id,
	    document_id[0] == '\0' ? req->conf->ingest_timeout_us : 0);
}

/* By the time this goes on, another may be storing a document of that id: its row is not stale. */
void
request_finish_deletion(struct request *req, const char *document_id)
{
	reconcile_start(req, document_id, req->conf->ingest_timeout_us);
}

/* A tenant was ready and its row is gone (retrieval/documents.c). */
static bool
record_is_wrong(const struct request *req, const struct err *err)
{
	return err->code == ERR_PROVISIONING && req->tenant.state == TENANT_READY;
}

/* After a database's failure. Its host or password may have changed since the record was cached, if
 * a login failed or the connection was lost: the next request is then to read the catalog. A
 * statement that failed on a good connection, and an answer from the pool's back-off, say nothing
 * of that, and must cost neither look-ups nor logins. */
static bool
record_is_suspect(const struct request *req, const struct err *err)
{
	const struct pool_lease *lease = &req->lease;

	return (err->code == ERR_DATABASE || err->code == ERR_DATABASE_AWAY) &&
	    (lease->login_failed ||
		(lease->conn != NULL && pg_conn_state(lease->conn) == PG_BROKEN));
}

/* Unfinished documents are looked for behind what went well, and behind a quota's refusal: what a
 * killed process has left counts until it is reconciled. */
static bool
reconciles_behind(const struct err *err)
{
	return !err_is(err) || err->code == ERR_TOO_MANY_DOCUMENTS || err->code == ERR_STORAGE_FULL;
}

void
request_end(struct request *req, const struct err *err)
{
	bool is_suspect = record_is_suspect(req, err), is_refused = req->lease.login_refused;

	tenant_use_end(&req->use);
	/* A handler that ended well has returned its lease; one still held was cut off mid-way. */
	pool_return(&req->lease, POOL_DIRTY);
	if (reconciles_behind(err) && !req->asleep)
		request_reconcile(req, "");
	if (!err_is(err) && !req->asleep) {
		request_sweep(req);
		request_expire_behind(req);
	}
	if (!err_is(err) || err->code == ERR_VECTORS || req->has_changed_chunks)
		request_index(req);
	if (record_is_wrong(req, err))
		tenant_forget(req->ctx->tenants, req->tenant_id);
	if (is_suspect)
		tenant_doubt(req->ctx->tenants, req->tenant_id);
	if (is_suspect && is_refused)
		tenant_login_refused(req->ctx->tenants, &req->tenant);
	if (err->code == ERR_OUTDATED && req->tenant.state == TENANT_READY && req->has_borrowed)
		tenant_schema_doubt(req->ctx->tenants, &req->tenant);
	request_count_usage(req);
	request_count_end(req, err);
	http_attach(req->x, NULL); /* a client that leaves now finds no flow to abort */
	if (err_is(err) && http_status(req->x) == 0)
		respond_problem(req, err);
	req->flow.result = (unsigned)http_result(req->x, err);
	if (req->ctx->shared->loudest != NULL && req->tenant_id[0] != '\0')
		loudest_add(req->ctx->shared->loudest, worker_index(req->ctx->worker),
		    slice_str(mutated(MUTATION_LOUDEST, req->tenant_id)), flow_age_us(&req->flow),
		    err_is(err));
	if (req->route->in_access_log)
		access_log_write(req, err);
	request_trace_end(req, err);
	http_end(req->x);
	req->x = NULL;
}

void
request_release(struct flow *f)
{
	struct request *req = request_of(f);
	struct refs *snapshot = req->snapshot;

	buf_free(&req->body);
	bytes_wipe(&req->tenant, sizeof(req->tenant));
	arena_free(f->arena);
	refs_give(snapshot);
}
