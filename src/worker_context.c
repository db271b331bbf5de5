/* SPDX-License-Identifier: MIT */
/*
 * worker_context: opens a worker's parts from the lowest row to the highest (wires; then auth,
 * limits, model, tenants; then HTTP, so that no request comes before all is there), and closes them
 * in the reverse order, so that nothing borrows what is gone.
 */
#include "worker_context.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "config.h"
#include "reload.h"
#include "tenantgate/api/request_meters.h"
#include "tenantgate/auth/issuer.h"
#include "tenantgate/auth/token.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/flow_stat.h"
#include "worker_wires.h"

/* On the caller's stack: the caller waits until `done`. */
struct worker_call {
	struct task task;		       /* posted, then put off: one after the other */
	struct worker_context *worker_context; /* borrowed */
	worker_call_fn *fn;
	void *arg;
	bool done; /* under the mutex */
	pthread_mutex_t mutex;
	pthread_cond_t cond;
};

/* The unlock is the last that is done with the call: the caller may return from then on. */
static void
worker_call_run(void *arg)
{
	struct worker_call *call = arg;

	call->fn(call->worker_context, call->arg);
	pthread_mutex_lock(&call->mutex);
	call->done = true;
	pthread_cond_signal(&call->cond);
	pthread_mutex_unlock(&call->mutex);
}

/* The mailbox is emptied inside a callback of the loop, where the loop cannot be turned; closing
 * the resolver turns it (dns.c). So the function runs at the safe point. */
static void
worker_call_received(void *arg)
{
	struct worker_call *call = arg;

	worker_later(call->worker_context->worker, &call->task, worker_call_run, call);
}

void
worker_call(struct worker_context *ctx, worker_call_fn *fn, void *arg)
{
	struct worker_call call = {
		.worker_context = ctx,
		.fn = fn,
		.arg = arg,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER,
	};

	worker_post(ctx->worker, &call.task, worker_call_received, &call);
	pthread_mutex_lock(&call.mutex);
	while (!call.done)
		pthread_cond_wait(&call.cond, &call.mutex);
	pthread_mutex_unlock(&call.mutex);
}

/* Rows 4 to 6. Pools and catalog are the process's; this worker attaches itself to them. Only
 * tenants_open() can fail; all others abort the process without memory (base/alloc.h). */
static bool
open_services(struct worker_context *ctx, struct err *err)
{
	struct process *process = ctx->process;

	pools_attach(process->pools, ctx->worker, ctx->dns);
	catalog_attach(process->catalog, ctx->worker, ctx->dns);
	replicas_attach(process->replicas, ctx->worker, ctx->redis);
	ctx->auth = auth_open(ctx->worker, process->catalog, process->key_tags, process->keys,
	    ctx->redis, &process->conf->auth);
	auth_use_tokens(ctx->auth, process->tokens);
	ctx->issuers = issuer_auth_open(ctx->worker, ctx->web);
	issuer_auth_set(ctx->issuers, process->issuers);
	auth_use_issuers(ctx->auth, ctx->issuers);
	ctx->limiter =
	    limit_open(ctx->worker, ctx->redis, process->limits, process->conf->redis_failure_mode);
	limit_set_lease(ctx->limiter, process->conf->api.quota_lease_us);
	ctx->model = model_open(ctx->worker, ctx->web, process->models, &process->conf->model);
	ctx->usage = usage_open(ctx->worker, process->catalog, &process->conf->api.usage);
	ctx->tenants = tenants_open(ctx->worker, process->catalog, ctx->redis, ctx->web, ctx->dns,
	    process->pools, process->seal, process->tenants_shared, &process->tenants, err);
	return !err_is(err);
}

static void
api_context_fill(struct worker_context *ctx, struct api_context *api)
{
	struct process *process = ctx->process;

	*api = (struct api_context){
		.worker = ctx->worker,
		.catalog = process->catalog,
		.pools = process->pools,
		.redis = ctx->redis,
		.auth = ctx->auth,
		.tenants = ctx->tenants,
		.limiter = ctx->limiter,
		.failures = process->failures,
		.model = ctx->model,
		.usage = ctx->usage,
		.reconciled = ctx->reconciled,
		.swept = ctx->swept,
		.newcomers = ctx->newcomers,
		.environment = process->conf->tenants.environment,
		.conf = &ctx->snapshot->conf->api,
		.snapshot = &ctx->snapshot->refs,
		.shared = &process->shared,
		.offload = process->offload,
		.looks = ctx->looks,
		.otlp = ctx->otlp,
	};
}

/* Of a connection that comes from now on. */
static void
set_tls(const struct worker_context *ctx, unsigned id, struct http_conf *http)
{
	http->tls = ctx->snapshot->tls->servers[id];
	http->tls_helpers = ctx->process->handshakes;
}

static void
set_admin_tls(struct worker_context *ctx)
{
	ctx->admin.public_tls = ctx->snapshot->tls->servers[LISTENER_PUBLIC];
	ctx->admin.admin_tls = ctx->snapshot->tls->servers[LISTENER_ADMIN];
}

static struct http_server *
open_admin(struct worker_context *ctx, const struct listener *l, const struct http_conf *http,
    struct err *err)
{
	ctx->admin = (struct admin_context){
		.api = &ctx->api[LISTENER_ADMIN],
		.hosts = ctx->process->conf->admin_hosts,
		.version = VERSION,
		.workers = ctx->process->workers,
		.worker_count = &ctx->process->worker_count,
		.settings = ctx->snapshot->conf->settings,
		.setting_count = ctx->snapshot->conf->setting_count,
		.reload = reload_ask,
		.reload_arg = ctx->process->reload,
	};
	set_admin_tls(ctx);
	return http_open(ctx->worker, http, l->connections, l->handle, admin_refused, &ctx->admin,
	    err);
}

/* A server on this worker's loop. What port the system has chosen for the first worker, where the
 * configured one is 0, is every worker's; they are opened one after the other. */
static bool
open_listener(struct worker_context *ctx, unsigned id, struct err *err)
{
	struct listener *l = &ctx->process->listeners[id];
	int sockets[INHERITED_MAX];
	struct http_conf http;

	if (!l->is_open)
		return true;
	http = listener_worker_conf(l, worker_index(ctx->worker), ctx->process->workers_wanted,
	    sockets);
	set_tls(ctx, id, &http);
	api_context_fill(ctx, &ctx->api[id]);
	ctx->api[id].shows_reasons = l->shows_reasons;
	ctx->http[id] = id == LISTENER_ADMIN ? open_admin(ctx, l, &http, err)
					     : http_open(ctx->worker, &http, l->connections,
						   l->handle, api_refused, &ctx->api[id], err);
	if (ctx->http[id] == NULL)
		return false;
	l->http.listen_port = http_port(ctx->http[id]);
	return true;
}

bool
worker_context_open(struct worker_context *ctx, struct err *err)
{
	struct process *process = ctx->process;

	ctx->snapshot = process->snapshot;
	refs_take(&ctx->snapshot->refs);
	offload_attach(process->offload, ctx->worker);
	flow_stats_away(ctx->worker, request_away_steps);
	if (!worker_wires_open(ctx, err) || !open_services(ctx, err))
		return false;
	ctx->otlp = otlp_open(ctx->worker, ctx->web, &process->conf->api.otlp,
	    &(struct otlp_sender){ VERSION, process->conf->tenants.environment });
	ctx->reconciled = map_new(process->conf->tenants.cache_max, free);
	ctx->swept = map_new(process->conf->tenants.cache_max, free);
	ctx->newcomers = map_new(0, NULL);
	ctx->looks = health_looks_open(ctx->worker, process->catalog, ctx->redis);
	for (unsigned i = 0; i < LISTENERS; i++)
		if (!open_listener(ctx, i, err))
			return false;
	return true;
}

static void
each_server(struct worker_context *ctx, void (*fn)(struct http_server *))
{
	for (unsigned i = 0; i < LISTENERS; i++)
		if (ctx->http[i] != NULL)
			fn(ctx->http[i]);
}

static void
configure_services(struct worker_context *ctx, const struct conf *conf)
{
	struct tenants_conf tenants = conf->tenants;
	struct model *before = ctx->model;

	tenants.cache_stale_us = conf->auth.cache_stale_us;
	web_set_connections_max(ctx->web, ctx->process->web.connections_max);
	auth_configure(ctx->auth, &conf->auth);
	issuer_auth_set(ctx->issuers, ctx->process->issuers);
	limit_set_mode(ctx->limiter, conf->redis_failure_mode);
	limit_set_lease(ctx->limiter, conf->api.quota_lease_us);
	ctx->model = model_open(ctx->worker, ctx->web, ctx->process->models, &conf->model);
	model_close(before);
	usage_configure(ctx->usage, &conf->api.usage);
	tenants_configure(ctx->tenants, &tenants);
}

static void
configure_listener(struct worker_context *ctx, enum listener_id id, const struct conf *conf)
{
	struct http_conf http;

	if (ctx->http[id] == NULL)
		return;
	listener_conf(id, conf, &http);
	set_tls(ctx, id, &http);
	http_configure(ctx->http[id], &http);
	ctx->api[id].conf = &conf->api;
	ctx->api[id].snapshot = &ctx->snapshot->refs;
	ctx->api[id].model = ctx->model;
}

void
worker_context_configure(struct worker_context *ctx, void *snapshot)
{
	struct snapshot *before = ctx->snapshot;

	ctx->snapshot = snapshot;
	refs_take(&ctx->snapshot->refs);
	configure_services(ctx, ctx->snapshot->conf);
	for (unsigned i = 0; i < LISTENERS; i++)
		configure_listener(ctx, i, ctx->snapshot->conf);
	ctx->admin.settings = ctx->snapshot->conf->settings;
	ctx->admin.setting_count = ctx->snapshot->conf->setting_count;
	set_admin_tls(ctx);
	refs_give(&before->refs);
}

void
worker_context_accept(struct worker_context *ctx, void *arg)
{
	for (unsigned i = 0; i < LISTENERS; i++)
		if (ctx->http[i] != NULL && !http_accept(ctx->http[i], arg))
			return;
}

void
worker_context_sockets(struct worker_context *ctx, void *arg)
{
	struct inherited *all = arg;

	for (unsigned i = 0; i < LISTENERS; i++)
		if (ctx->http[i] != NULL)
			all->count += http_listening(ctx->http[i], all->fds + all->count,
			    INHERITED_MAX - all->count);
}

void
worker_context_hand_over(struct worker_context *ctx, void *arg)
{
	(void)arg;
	each_server(ctx, http_hand_over);
}

void
worker_context_announce_close(struct worker_context *ctx, void *arg)
{
	(void)arg;
	each_server(ctx, http_announce_close);
}

void
worker_context_drain_public(struct worker_context *ctx, void *arg)
{
	(void)arg;
	otlp_hurry(ctx->otlp);
	if (ctx->http[LISTENER_PUBLIC] != NULL)
		http_drain(ctx->http[LISTENER_PUBLIC]);
}

void
worker_context_drain(struct worker_context *ctx, void *arg)
{
	(void)arg;
	each_server(ctx, http_drain);
}

void
worker_context_stop(struct worker_context *ctx, void *arg)
{
	(void)arg;
	each_server(ctx, http_stop);
}

void
worker_context_write_usage(struct worker_context *ctx, void *is_settled)
{
	if (ctx->usage == NULL)
		return;
	usage_flush(ctx->usage);
	if (!usage_is_settled(ctx->usage))
		*(bool *)is_settled = false;
}

void
worker_context_close(struct worker_context *ctx)
{
	for (unsigned i = 0; i < LISTENERS; i++)
		http_close(ctx->http[i]);
	health_looks_close(ctx->looks);
	otlp_close(ctx->otlp);
	map_free(ctx->reconciled);
	map_free(ctx->swept);
	map_free(ctx->newcomers);
	if (ctx->tenants != NULL)
		tenants_close(ctx->tenants);
	usage_close(ctx->usage);
	if (ctx->model != NULL)
		model_close(ctx->model);
	if (ctx->limiter != NULL)
		limit_close(ctx->limiter);
	/* Set by open_services() right after the worker was attached. */
	if (ctx->auth != NULL) {
		auth_close(ctx->auth);
		replicas_detach(ctx->process->replicas, ctx->worker);
		catalog_detach(ctx->process->catalog, ctx->worker);
		pools_detach(ctx->process->pools, ctx->worker);
	}
	issuer_auth_close(ctx->issuers);
	if (ctx->redis != NULL)
		redis_close(ctx->redis);
	if (ctx->web != NULL)
		web_close(ctx->web);
	if (ctx->dns != NULL)
		dns_close(ctx->dns);
	if (ctx->snapshot != NULL)
		refs_give(&ctx->snapshot->refs);
}
