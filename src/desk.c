/* SPDX-License-Identifier: MIT */
/*
 * desk: a worker's rooms in the order of the architecture: wires, then row 6, then the door.
 */
#include "desk.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "tenantgate/base/map.h"

struct errand {
	struct task task;
	struct desk *desk;
	desk_fn *fn;
	void *arg;
	bool done;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
};

static void
errand_run(void *arg)
{
	struct errand *e = arg;

	e->fn(e->desk, e->arg);
	pthread_mutex_lock(&e->mutex);
	e->done = true;
	pthread_cond_signal(&e->cond);
	pthread_mutex_unlock(&e->mutex);
}

/* At the loop's safe point: a room that is closed may have to turn the loop itself. */
static void
errand_came(void *arg)
{
	struct errand *e = arg;

	worker_later(e->desk->worker, &e->task, errand_run, e);
}

void
desk_do(struct desk *d, desk_fn *fn, void *arg)
{
	struct errand e = {
		.desk = d,
		.fn = fn,
		.arg = arg,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER,
	};

	worker_post(d->worker, &e.task, errand_came, &e);
	pthread_mutex_lock(&e.mutex);
	while (!e.done)
		pthread_cond_wait(&e.cond, &e.mutex);
	pthread_mutex_unlock(&e.mutex);
}

static bool
open_wires(struct desk *d, struct err *err)
{
	const struct conf *conf = d->house->conf;

	d->dns = dns_open(d->worker, text_or_null(conf->dns_nameserver), conf->dns_timeout_us);
	d->web = web_open(d->worker, &conf->web);
	if (d->dns == NULL || d->web == NULL) {
		err_set(err, ERR_INTERNAL, "The resolver or the HTTP client could not be set up.");
		return false;
	}
	if (text_or_null(conf->redis.url) == NULL)
		return true;
	d->redis = redis_open(d->worker, d->dns, &conf->redis, err);
	return d->redis != NULL;
}

static bool
open_rooms(struct desk *d, struct err *err)
{
	struct house *h = d->house;

	pools_attach(h->pools, d->worker, d->dns);
	catalog_attach(h->catalog, d->worker, d->dns);
	d->auth = auth_open(d->worker, h->catalog, &h->conf->auth);
	d->limiter = limit_open(d->worker, d->redis, h->limits, h->conf->redis_failure_mode);
	d->model = model_open(d->worker, d->web, &h->conf->model);
	d->tenants = tenants_open(d->worker, h->catalog, d->redis, d->web, d->dns, h->pools,
	    h->seal, &h->tenants, err);
	if (d->auth == NULL || d->limiter == NULL || d->model == NULL)
		err_set(err, ERR_INTERNAL, "A worker's rooms could not be set up.");
	return !err_is(err);
}

bool
desk_open(struct desk *d, struct err *err)
{
	struct house *h = d->house;

	if (!open_wires(d, err) || !open_rooms(d, err))
		return false;
	d->mended = map_new(h->conf->tenants.cache_max, free);
	d->rooms = (struct api_rooms){
		.worker = d->worker,
		.catalog = h->catalog,
		.pools = h->pools,
		.redis = d->redis,
		.auth = d->auth,
		.tenants = d->tenants,
		.limiter = d->limiter,
		.model = d->model,
		.mended = d->mended,
		.environment = h->conf->tenants.environment,
		.conf = &h->conf->api,
		.shared = &h->shared,
	};
	d->http =
	    http_open(d->worker, &h->http, h->connections, api_handle, api_refused, &d->rooms, err);
	return d->http != NULL;
}

void
desk_close(struct desk *d)
{
	if (d->http != NULL)
		http_close(d->http);
	map_free(d->mended);
	if (d->tenants != NULL)
		tenants_close(d->tenants);
	if (d->model != NULL)
		model_close(d->model);
	if (d->limiter != NULL)
		limit_close(d->limiter);
	if (d->auth != NULL) {
		auth_close(d->auth);
		catalog_detach(d->house->catalog, d->worker);
		pools_detach(d->house->pools, d->worker);
	}
	if (d->redis != NULL)
		redis_close(d->redis);
	if (d->web != NULL)
		web_close(d->web);
	if (d->dns != NULL)
		dns_close(d->dns);
}
