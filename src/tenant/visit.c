/* SPDX-License-Identifier: MIT */
/*
 * visit: a tenant's record, from the nearest place that has it.
 *
 *	visit:   worker's cache? --> judge
 *	               | no
 *	               v
 *	         [wait] on the lookup of that id --> judge
 *	lookup:  [redis] --> [catalog] --> kept, waiters woken
 *
 * What always holds: one lookup an id is under way on a worker. Redis is a cache and a stranger:
 * whatever goes wrong with it is a miss.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/row.h"
#include "tenant/tenant_room.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/loop/join.h"

#define LOOKUP_DEADLINE_US (15 * 1000000ull)
#define LOOKUPS_MAX	   512 /* under way at once; more are told to come again */

struct tenant_lookup {
	struct flow flow;
	struct join join;
	struct tenants *tenants;      /* borrowed */
	struct tenant_record *record; /* a reference */
	char key[RECORD_KEY_SIZE];    /* in Redis */
	struct redis_answer heard;    /* owned */
	struct pg_result result;      /* owned */
};

struct tenant_visitor {
	struct flow flow;
	struct join_seat seat;
	struct tenants *tenants;      /* borrowed */
	struct tenant_record *record; /* a reference: the one the lookup fills */
	struct tenant *out;	      /* borrowed */
};

enum flow_rc
tenant_judge(struct flow *f, const struct tenant *t, struct tenant *out)
{
	if (t->state == TENANT_SUSPENDED)
		return flow_fail(f, ERR_SUSPENDED, "the tenant is suspended");
	*out = *t;
	return FLOW_NEXT;
}

/* ---- the lookup, shared ---- */

static enum flow_rc
lookup_redis(struct flow *f)
{
	struct tenant_lookup *l = (struct tenant_lookup *)f;
	struct slice argv[] = { SLICE_LIT("GET"), { NULL, 0 } };

	if (l->tenants->redis == NULL)
		return FLOW_NEXT;
	record_key(l->key, l->tenants->conf->environment, l->record->tenant.id);
	argv[1] = slice_str(l->key);
	return redis_command(f, l->tenants->redis, argv, 2, &l->heard);
}

static enum flow_rc
lookup_heard(struct flow *f)
{
	struct tenant_lookup *l = (struct tenant_lookup *)f;
	struct tenants *ts = l->tenants;
	struct tenant t;

	if (ts->redis != NULL && l->heard.status == REDIS_OK &&
	    record_open(ts->seal, l->record->tenant.id, l->key, l->heard.text, &t)) {
		record_fill(l->record, &t);
		tenants_keep(ts, l->record);
		return FLOW_DONE;
	}
	return row_select(f, ts->catalog, l->record->tenant.id, &l->result);
}

static enum flow_rc
lookup_read(struct flow *f)
{
	struct tenant_lookup *l = (struct tenant_lookup *)f;
	struct tenant t = l->record->tenant;
	enum flow_rc rc = catalog_check(f, &l->result, "tenant lookup");
	struct tenant_row row;
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&l->result) > 0) {
		if (!row_read(&l->result, t.id, l->tenants->seal, &row, &err))
			return flow_fail_err(f, &err);
		t = row.tenant;
	}
	record_fill(l->record, &t);
	tenants_keep(l->tenants, l->record);
	if (t.state == TENANT_READY)
		tenants_publish(l->tenants, &t);
	bytes_wipe(&row, sizeof(row));
	return FLOW_DONE;
}

static const struct flow_step lookup_steps[] = {
	{ "redis", lookup_redis },
	{ "heard", lookup_heard },
	{ "catalog", lookup_read },
	{ NULL, NULL },
};

static void
lookup_end(struct flow *f, const struct err *err)
{
	struct tenant_lookup *l = (struct tenant_lookup *)f;
	struct err told = *err;

	if (told.code == ERR_TIMEOUT)
		told.code = ERR_CATALOG;
	map_take(l->tenants->lookups, slice_str(l->record->tenant.id));
	join_finish(&l->join, &told);
}

static void
lookup_release(struct flow *f)
{
	struct tenant_lookup *l = (struct tenant_lookup *)f;

	redis_clear(&l->heard);
	pg_clear(&l->result);
	record_unref(l->record);
	free(l);
}

static const struct flow_kind lookup_kind = { "tenant_lookup", lookup_steps, lookup_end,
	lookup_release };

static struct tenant_lookup *
lookup_start(struct tenants *ts, const char *id)
{
	struct tenant_lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->tenants = ts;
	l->record = record_new(id);
	if (l->record == NULL || !map_put(ts->lookups, slice_str(id), l)) {
		if (l->record != NULL)
			record_unref(l->record);
		free(l);
		return NULL;
	}
	join_init(&l->join);
	flow_start(&l->flow, &lookup_kind, ts->worker, NULL);
	flow_deadline(&l->flow, LOOKUP_DEADLINE_US);
	return l;
}

/* ---- a visit ---- */

static enum flow_rc
visit_wait(struct flow *f)
{
	struct tenant_visitor *v = (struct tenant_visitor *)f;
	struct tenant_lookup *l = map_get(v->tenants->lookups, slice_str(v->record->tenant.id));

	if (l != NULL && l->record == v->record)
		return join_wait(&l->join, f, &v->seat);
	/* It ended before we had our first turn. */
	if (!v->record->filled)
		return flow_fail(f, ERR_CATALOG, "the tenant could not be looked up");
	return FLOW_NEXT;
}

static enum flow_rc
visit_judge(struct flow *f)
{
	struct tenant_visitor *v = (struct tenant_visitor *)f;

	return tenant_judge(f, &v->record->tenant, v->out);
}

static const struct flow_step visit_steps[] = {
	{ "wait", visit_wait },
	{ "judge", visit_judge },
	{ NULL, NULL },
};

static void
visit_release(struct flow *f)
{
	struct tenant_visitor *v = (struct tenant_visitor *)f;

	record_unref(v->record);
	free(v);
}

static const struct flow_kind visit_kind = { "tenant_visit", visit_steps, NULL, visit_release };

static enum flow_rc
visit_start(struct flow *f, struct tenants *ts, const char *id, struct tenant *out)
{
	struct tenant_lookup *l = map_get(ts->lookups, slice_str(id));
	struct tenant_visitor *v;

	if (l == NULL && map_count(ts->lookups) < LOOKUPS_MAX)
		l = lookup_start(ts, id);
	if (l == NULL)
		return flow_fail(f, ERR_OVERLOADED, "too many tenants are being looked up");
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return flow_fail(f, ERR_OVERLOADED, "no memory for a tenant lookup");
	v->tenants = ts;
	v->record = record_ref(l->record);
	v->out = out;
	return flow_call(f, &v->flow, &visit_kind);
}

enum flow_rc
tenant_visit(struct flow *f, struct tenants *ts, const char *id, struct tenant *out)
{
	struct slice key = slice_str(id);
	struct tenant_record *r;

	if (key.len == 0 || key.len >= sizeof(out->id))
		return flow_fail(f, ERR_INVALID_TENANT, "a tenant id is 1 to 128 bytes");
	r = map_get(ts->cache, key);
	if (r != NULL && clock_mono_us() < r->expires_us)
		return tenant_judge(f, &r->tenant, out);
	if (r != NULL)
		map_del(ts->cache, key);
	return visit_start(f, ts, id, out);
}
