/* SPDX-License-Identifier: MIT */
/*
 * tenant_rooms: workers on threads of their own, and contacts on them, for the live tests of
 * provisioning. Closing a room cuts off whatever is going on there, as a killed process would.
 */
#include "tenant_house.h"

#include <assert.h>
#include <poll.h>

struct order {
	struct task task;
	struct house *house;
	struct room *room;
	const char *id; /* to forget */
	sem_t done;
};

static void
order_give(struct house *h, struct room *r, const char *id, worker_fn *fn)
{
	struct order o = { .house = h, .room = r, .id = id };

	sem_init(&o.done, 0, 0);
	worker_post(r->worker, &o.task, fn, &o);
	sem_wait(&o.done);
	sem_destroy(&o.done);
}

static void
room_open(void *arg)
{
	struct order *o = arg;
	struct room *r = o->room;
	struct house *h = o->house;
	struct web_conf wc = { .connections_max = 8, .user_agent = "test" };
	struct err err = { 0 };

	r->dns = dns_open(r->worker, NULL, 1000000);
	r->web = web_open(r->worker, &wc);
	r->redis = house_redis_open(r->worker, r->dns);
	catalog_attach(h->catalog, r->worker, r->dns);
	pools_attach(h->pools, r->worker, r->dns);
	r->tenants = tenants_open(r->worker, h->catalog, r->redis, r->web, r->dns, h->pools,
	    h->seal, &h->conf, &err);
	assert(r->tenants != NULL);
	sem_post(&o->done);
}

static void
room_abort(void *arg)
{
	struct order *o = arg;

	flow_abort_all(o->room->worker, ERR_SHUTDOWN, "cut off");
	sem_post(&o->done);
}

static void
room_close(void *arg)
{
	struct order *o = arg;
	struct room *r = o->room;

	redis_close(r->redis);
	tenants_close(r->tenants);
	pools_detach(o->house->pools, r->worker);
	catalog_detach(o->house->catalog, r->worker);
	web_close(r->web);
	dns_close(r->dns);
	sem_post(&o->done);
}

void
house_start_rooms(struct house *h)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++) {
		h->rooms[i].worker = worker_new(i + 1);
		assert(worker_start(h->rooms[i].worker));
		order_give(h, &h->rooms[i], NULL, room_open);
	}
}

void
house_stop_rooms(struct house *h)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++) {
		struct room *r = &h->rooms[i];

		do {
			order_give(h, r, NULL, room_abort);
			poll(NULL, 0, 5);
		} while (flow_count(r->worker) > 0);
		order_give(h, r, NULL, room_close);
		worker_stop(r->worker);
		worker_join(r->worker);
		worker_free(r->worker);
	}
}

static void
tenant_drop(void *arg)
{
	struct order *o = arg;

	tenant_forget(o->room->tenants, o->id);
	sem_post(&o->done);
}

void
room_forget(struct house *h, struct room *r, const char *id)
{
	order_give(h, r, id, tenant_drop);
}

/* ---- contacts ---- */

static enum flow_rc
contact_lookup(struct flow *f)
{
	struct contact *c = (struct contact *)f;

	return tenant_lookup(f, c->room->tenants, c->id, &c->tenant);
}

static enum flow_rc
contact_provision(struct flow *f)
{
	struct contact *c = (struct contact *)f;

	return tenant_provision(f, c->room->tenants, &c->tenant);
}

static const struct flow_step contact_steps[] = {
	{ "visit", contact_lookup },
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

	flow_start(&c->flow, &contact_kind, c->room->worker, NULL);
}

void
contact_start(struct contact *c, struct room *r, const char *id)
{
	memset(c, 0, sizeof(*c));
	sem_init(&c->over, 0, 0);
	c->room = r;
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
contact_make(struct contact *c, struct room *r, const char *id)
{
	contact_start(c, r, id);
	contact_wait(c);
	return c->err.code;
}
