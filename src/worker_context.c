/* SPDX-License-Identifier: MIT */
/*
 * desk: a worker's rooms in the order of the architecture: wires, then row 6, then the door.
 */
#include "worker_context.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "tenantgate/base/map.h"

struct worker_call {
	struct task task;
	struct worker_context *worker_context;
	worker_call_fn *fn;
	void *arg;
	bool done;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
};

static void
worker_call_run(void *arg)
{
	struct worker_call *e = arg;

	e->fn(e->worker_context, e->arg);
	pthread_mutex_lock(&e->mutex);
	e->done = true;
	pthread_cond_signal(&e->cond);
	pthread_mutex_unlock(&e->mutex);
}

/* At the loop's safe point: a room that is closed may have to turn the loop itself. */
static void
worker_call_received(void *arg)
{
	struct worker_call *e = arg;

	worker_later(e->worker_context->worker, &e->task, worker_call_run, e);
}

void
worker_call(struct worker_context *ctx, worker_call_fn *fn, void *arg)
{
	struct worker_call e = {
		.worker_context = ctx,
		.fn = fn,
		.arg = arg,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER,
	};

	worker_post(ctx->worker, &e.task, worker_call_received, &e);
	pthread_mutex_lock(&e.mutex);
	while (!e.done)
		pthread_cond_wait(&e.cond, &e.mutex);
	pthread_mutex_unlock(&e.mutex);
}

static bool
open_wires(struct worker_context *ctx, struct err *err)
{
	const struct conf *conf = ctx->process->conf;

	ctx->dns = dns_open(ctx->worker, text_or_null(conf->dns_nameserver), conf->dns_timeout_us);
	ctx->web = web_open(ctx->worker, &conf->web);
	if (ctx->dns == NULL || ctx->web == NULL) {
		err_set(err, ERR_INTERNAL, "The resolver or the HTTP client could not be set up.");
		return false;
	}
	if (text_or_null(conf->redis.url) == NULL)
		return true;
	ctx->redis = redis_open(ctx->worker, ctx->dns, &conf->redis, err);
	return ctx->redis != NULL;
}

static bool
open_services(struct worker_context *ctx, struct err *err)
{
	struct process *process = ctx->process;

	pools_attach(process->pools, ctx->worker, ctx->dns);
	catalog_attach(process->catalog, ctx->worker, ctx->dns);
	ctx->auth = auth_open(ctx->worker, process->catalog, &process->conf->auth);
	ctx->limiter =
	    limit_open(ctx->worker, ctx->redis, process->limits, process->conf->redis_failure_mode);
	ctx->model = model_open(ctx->worker, ctx->web, &process->conf->model);
	ctx->tenants = tenants_open(ctx->worker, process->catalog, ctx->redis, ctx->web, ctx->dns,
	    process->pools, process->seal, &process->tenants, err);
	return !err_is(err);
}

bool
worker_context_open(struct worker_context *ctx, struct err *err)
{
	struct process *process = ctx->process;

	if (!open_wires(ctx, err) || !open_services(ctx, err))
		return false;
	ctx->reconciled = map_new(process->conf->tenants.cache_max, free);
	ctx->api = (struct api_context){
		.worker = ctx->worker,
		.catalog = process->catalog,
		.pools = process->pools,
		.redis = ctx->redis,
		.auth = ctx->auth,
		.tenants = ctx->tenants,
		.limiter = ctx->limiter,
		.model = ctx->model,
		.reconciled = ctx->reconciled,
		.environment = process->conf->tenants.environment,
		.conf = &process->conf->api,
		.shared = &process->shared,
	};
	ctx->http = http_open(ctx->worker, &process->http, process->connections, api_handle,
	    api_refused, &ctx->api, err);
	return ctx->http != NULL;
}

void
worker_context_close(struct worker_context *ctx)
{
	if (ctx->http != NULL)
		http_close(ctx->http);
	map_free(ctx->reconciled);
	if (ctx->tenants != NULL)
		tenants_close(ctx->tenants);
	if (ctx->model != NULL)
		model_close(ctx->model);
	if (ctx->limiter != NULL)
		limit_close(ctx->limiter);
	if (ctx->auth != NULL) {
		auth_close(ctx->auth);
		catalog_detach(ctx->process->catalog, ctx->worker);
		pools_detach(ctx->process->pools, ctx->worker);
	}
	if (ctx->redis != NULL)
		redis_close(ctx->redis);
	if (ctx->web != NULL)
		web_close(ctx->web);
	if (ctx->dns != NULL)
		dns_close(ctx->dns);
}
