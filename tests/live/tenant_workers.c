/* SPDX-License-Identifier: MIT */
/*
 * tenant_workers: workers on threads of their own, and contacts on them, for the live tests of
 * provisioning. Closing a worker cuts off all that goes on there, as a killed process would.
 */
#include "tenant_fixture.h"

#include <assert.h>
#include <poll.h>

struct fixture_call {
	struct task task;
	struct tenant_fixture *tenant_fixture;
	struct fixture_worker *fixture_worker;
	const char *id; /* to forget */
	sem_t done;
};

static void
fixture_call_run(struct tenant_fixture *h, struct fixture_worker *r, const char *id, worker_fn *fn)
{
	struct fixture_call o = { .tenant_fixture = h, .fixture_worker = r, .id = id };

	sem_init(&o.done, 0, 0);
	worker_post(r->worker, &o.task, fn, &o);
	sem_wait(&o.done);
	sem_destroy(&o.done);
}

static void
fixture_worker_open(void *arg)
{
	struct fixture_call *o = arg;
	struct fixture_worker *r = o->fixture_worker;
	struct tenant_fixture *h = o->tenant_fixture;
	struct web_conf wc = { .connections_max = 8, .user_agent = "test" };
	struct err err = { 0 };

	r->dns = dns_open(r->worker, NULL, 1000000);
	r->web = web_open(r->worker, &wc);
	r->redis = tenant_fixture_redis_open(r->worker, r->dns, 500000);
	catalog_attach(h->catalog, r->worker, r->dns);
	pools_attach(h->pools, r->worker, r->dns);
	r->tenants = tenants_open(r->worker, h->catalog, r->redis, r->web, r->dns, h->pools,
	    h->seal, h->shared, &h->conf, &err);
	assert(r->tenants != NULL);
	sem_post(&o->done);
}

static void
fixture_worker_abort(void *arg)
{
	struct fixture_call *o = arg;

	flow_abort_all(o->fixture_worker->worker, ERR_SHUTDOWN, "cut off");
	sem_post(&o->done);
}

static void
fixture_worker_close(void *arg)
{
	struct fixture_call *o = arg;
	struct fixture_worker *r = o->fixture_worker;

	redis_close(r->redis);
	tenants_close(r->tenants);
	pools_detach(o->tenant_fixture->pools, r->worker);
	catalog_detach(o->tenant_fixture->catalog, r->worker);
	web_close(r->web);
	dns_close(r->dns);
	sem_post(&o->done);
}

void
tenant_fixture_start_workers(struct tenant_fixture *h)
{
	unsigned i;

	h->shared = tenants_shared_new(NULL, 1000);
	for (i = 0; i < WORKERS; i++) {
		h->workers[i].worker = worker_new(i + 1);
		assert(worker_start(h->workers[i].worker));
		fixture_call_run(h, &h->workers[i], NULL, fixture_worker_open);
	}
}

void
tenant_fixture_stop_workers(struct tenant_fixture *h)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++) {
		struct fixture_worker *r = &h->workers[i];

		do {
			fixture_call_run(h, r, NULL, fixture_worker_abort);
			poll(NULL, 0, 5);
		} while (flow_count(r->worker) > 0);
		fixture_call_run(h, r, NULL, fixture_worker_close);
		worker_stop(r->worker);
		worker_join(r->worker);
		worker_free(r->worker);
	}
	tenants_shared_free(h->shared);
}

static void
tenant_drop(void *arg)
{
	struct fixture_call *o = arg;

	tenant_forget(o->fixture_worker->tenants, o->id);
	sem_post(&o->done);
}

void
fixture_worker_forget(struct tenant_fixture *h, struct fixture_worker *r, const char *id)
{
	fixture_call_run(h, r, id, tenant_drop);
}

/* ---- contacts ---- */

static enum flow_rc
contact_lookup(struct flow *f)
{
	struct contact *c = (struct contact *)f;

	return tenant_lookup(f, c->fixture_worker->tenants, c->id, &c->tenant);
}

static enum flow_rc
contact_provision(struct flow *f)
{
	struct contact *c = (struct contact *)f;

	return tenant_provision(f, c->fixture_worker->tenants, &c->tenant);
}

static const struct flow_step contact_steps[] = {
	{ "lookup", contact_lookup },
	{ "provision", contact_provision },
	{ NULL, NULL },
};

static void
contact_end(struct flow *f, const struct err *err)
{
	((struct contact *)f)->err = *err;
}

static void
contact_release(struct flow *f)
{
	sem_post(&((struct contact *)f)->over);
}

static const struct flow_kind contact_kind = { "contact", contact_steps, contact_end,
	contact_release };

static void
contact_begin(void *arg)
{
	struct contact *c = arg;

	flow_start(&c->flow, &contact_kind, c->fixture_worker->worker, NULL);
}

void
contact_start(struct contact *c, struct fixture_worker *r, const char *id)
{
	memset(c, 0, sizeof(*c));
	sem_init(&c->over, 0, 0);
	c->fixture_worker = r;
	c->id = id;
	worker_post(r->worker, &c->task, contact_begin, c);
}

void
contact_wait(struct contact *c)
{
	sem_wait(&c->over);
	sem_destroy(&c->over);
}

enum err_code
contact_make(struct contact *c, struct fixture_worker *r, const char *id)
{
	contact_start(c, r, id);
	contact_wait(c);
	return c->err.code;
}
