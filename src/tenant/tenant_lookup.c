/* SPDX-License-Identifier: MIT */
/*
 * tenant_lookup: a tenant's record, from the nearest place that has it.
 *
 *	tenant_lookup:  cached by any worker? --> its state is checked, no flow is made
 *	                     | no
 *	                     v
 *	                 [wait] on the fetch of that id --> [check] its state
 *	tenant_fetch:   [redis] --> [reply]: a good record: done
 *	                               | anything else
 *	                               v
 *	                            [read] the catalog's row --> cached by loop/lookup, and in Redis
 *
 * What always holds: one fetch of an id is under way on a worker, whoever asks. Redis is a cache
 * that is not trusted: whatever goes wrong with it, garbage included, is a miss. And of a tenant
 * that was seen suspended, changed or gone not long ago it is not asked at all, for what it has may
 * be older. A tenant without a row is a record too (TENANT_UNKNOWN), so that invented ids do not
 * reach the catalog each time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tenant/row.h"
#include "tenant/tenant_internal.h"
#include "tenant/tenant_use.h"
#include "tenant/tenants_shared.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/secret.h"

#define LOOKUP_DEADLINE_US (15 * 1000000ull)
#define LOOKUPS_MAX	   512 /* fetches under way on a worker; more fail with ERR_OVERLOADED */
/* For a record that is not READY: another replica may be provisioning it, and that should be seen
 * soon. A stale one does no harm: the row is read again before anything is created. */
#define UNREADY_TTL_US 1000000ull
/* A tenant in stale use is looked up once in that time, and waited for no longer. */
#define STALE_RETRY_US 1000000ull

struct tenant_fetch {
	struct lookup_fetch base;
	char key[RECORD_KEY_SIZE]; /* in Redis */
	struct redis_reply reply;  /* owned */
	struct pg_result result;   /* owned */
};

struct tenant_lookup_wait {
	struct flow flow;
	struct lookup_waiter waiter;
	struct tenants *tenants; /* borrowed */
	char id[sizeof(((struct tenant *)0)->id)];
	struct tenant *out; /* borrowed: the caller's */
};

static flow_step_fn tenant_fetch_redis, tenant_fetch_reply, tenant_fetch_read;
static flow_end_fn tenant_fetch_end;

static const struct flow_step tenant_fetch_steps[] = {
	{ "redis", tenant_fetch_redis },
	{ "reply", tenant_fetch_reply },
	{ "read", tenant_fetch_read },
	{ NULL, NULL },
};

static const struct flow_kind tenant_fetch_kind = { "tenant_fetch", tenant_fetch_steps,
	tenant_fetch_end, NULL };

static flow_step_fn tenant_lookup_join, tenant_lookup_check;
static flow_release_fn tenant_lookup_release;

static const struct flow_step tenant_lookup_steps[] = {
	{ "wait", tenant_lookup_join },
	{ "check", tenant_lookup_check },
	{ NULL, NULL },
};

static const struct flow_kind tenant_lookup_kind = { "tenant_lookup", tenant_lookup_steps, NULL,
	tenant_lookup_release };

/* The record may go while the flow lives: what it owns is copied. */
enum flow_rc
tenant_check_state(struct flow *f, const struct tenants *ts, const struct tenant_record *r,
    struct tenant *out)
{
	const struct tenant *t = &r->tenant;
	const struct plan *limits = NULL;

	if (t->state == TENANT_SUSPENDED)
		return flow_fail(f, ERR_SUSPENDED, TENANT_SUSPENDED_DETAIL);
	if (t->state == TENANT_DELETED)
		return flow_fail(f, ERR_DELETED, TENANT_DELETED_DETAIL);
	if (f->arena != NULL)
		limits = record_limits(r, &ts->conf->plans, f->arena);
	if (f->arena != NULL && limits == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the tenant's settings");
	*out = *t;
	out->limits = limits;
	return FLOW_NEXT;
}

static const struct tenant *
record_tenant(const struct lookup_record *base)
{
	return &((const struct tenant_record *)base)->tenant;
}

/* ---- the fetch, shared by all who wait for this id ---- */

static struct tenant_fetch *
tenant_fetch_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct tenant_fetch, base.flow, &tenant_fetch_kind);
}

static enum flow_rc
tenant_fetch_redis(struct flow *f)
{
	struct tenant_fetch *t = tenant_fetch_of(f);
	struct tenants *ts = t->base.owner;
	struct slice argv[] = { SLICE_LIT("GET"), { NULL, 0 } };

	if (ts->redis == NULL || t->base.is_fenced)
		return FLOW_NEXT;
	record_redis_key(t->key, ts->conf->environment, record_tenant(t->base.record)->id,
	    redis_is_cluster(ts->redis));
	argv[1] = slice_str(t->key);
	return redis_command(f, ts->redis, argv, 2, &t->reply);
}

static enum flow_rc
tenant_fetch_reply(struct flow *f)
{
	struct tenant_fetch *t = tenant_fetch_of(f);
	struct tenants *ts = t->base.owner;
	const char *id = record_tenant(t->base.record)->id;
	struct tenant reply;
	char settings[PLAN_SETTINGS_MAX + 1];

	if (ts->redis != NULL && !t->base.is_fenced && t->reply.status == REDIS_OK &&
	    record_open(ts->seal, id, t->key, t->reply.text, &reply, settings)) {
		bool usable = tenant_provider_check(ts, &reply, &(struct err){ 0 });

		tenant_set_tls(ts, &reply);
		if (usable)
			record_fill((struct tenant_record *)t->base.record, &ts->conf->plans,
			    &reply, settings);
		bytes_wipe(&reply, sizeof(reply));
		if (usable)
			return FLOW_DONE;
	}
	return row_select(f, ts->catalog, id, &t->result);
}

/* What is READY is for the other replicas too. A record that was forgotten while it was being
 * fetched (tenant_forget, here or elsewhere) may be from before the change: it is not published.
 * One that is READY no more is taken out of Redis, if it may be there, and the others hear of it:
 * they might use theirs when the catalog goes away. */
static void
tenant_fetch_share(struct tenant_fetch *t)
{
	const struct tenant *tenant = record_tenant(t->base.record);
	struct tenants *ts = t->base.owner;
	struct lookup_record *r;
	bool was_found;

	if (tenant->state == TENANT_READY) {
		if (!t->base.is_superseded)
			tenants_publish(ts, (const struct tenant_record *)t->base.record);
		return;
	}
	r = lookup_peek(ts->records, slice_str(tenant->id));
	was_found = r != NULL && !r->is_negative;
	if (was_found)
		drop_channel_tell(&ts->drops, slice_str(tenant->id), DROP_FORGET);
	if (t->base.record->is_revoked) { /* also when what was found has been dropped since */
		tenants_forget_pool(ts, tenant->id);
		tenant_uses_check_everywhere(ts, tenant->id);
	}
	if (was_found || t->base.is_fenced)
		tenants_unpublish(ts, tenant->id);
	lookup_unref(r);
}

/* No row: the record stays TENANT_UNKNOWN. */
static enum flow_rc
tenant_fetch_read(struct flow *f)
{
	struct tenant_fetch *t = tenant_fetch_of(f);
	struct tenants *ts = t->base.owner;
	struct tenant_record *r = (struct tenant_record *)t->base.record;
	enum flow_rc rc = catalog_check(f, &t->result, "tenant lookup");
	struct tenant_row row = { .tenant = r->tenant };
	struct err err = { 0 };

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_rows(&t->result) > 0 &&
	    (!row_read(&t->result, r->tenant.id, ts->seal, &row, &err) ||
		!tenant_provider_check(ts, &row.tenant, &err))) {
		bytes_wipe(&row, sizeof(row));
		return flow_fail_err(f, &err);
	}
	tenant_set_tls(ts, &row.tenant);
	record_fill(r, &ts->conf->plans, &row.tenant, row.settings);
	bytes_wipe(&row, sizeof(row));
	tenant_fetch_share(t);
	return FLOW_DONE;
}

static void
tenant_fetch_end(struct flow *f, const struct err *err)
{
	struct tenant_fetch *t = tenant_fetch_of(f);

	(void)err;
	redis_clear(&t->reply);
	pg_clear(&t->result);
}

static bool
tenants_lane_is_ill(const void *owner)
{
	return catalog_is_failing(((const struct tenants *)owner)->catalog, CATALOG_TENANTS);
}

static struct lookup_record *
tenant_fetch_record(struct slice id)
{
	return (struct lookup_record *)record_new(id);
}

static uint64_t
negative_ttl_us(const struct tenants_conf *conf)
{
	return conf->cache_ttl_us < UNREADY_TTL_US ? conf->cache_ttl_us : UNREADY_TTL_US;
}

void
tenants_records_configure(struct tenants *ts)
{
	const struct tenants_conf *conf = ts->conf;

	lookup_set_times(ts->records, conf->cache_ttl_us, negative_ttl_us(conf),
	    conf->cache_stale_us, ts->redis != NULL ? conf->redis_ttl_us : 0);
}

struct lookup_cache *
tenants_records_open(struct tenants *ts)
{

	return lookup_open(ts->worker,
	    &(struct lookup_conf){
		.noun = "tenant",
		.ttl_us = ts->conf->cache_ttl_us,
		.negative_ttl_us = negative_ttl_us(ts->conf),
		.stale_us = ts->conf->cache_stale_us,
		.retry_us = STALE_RETRY_US,
		.patience_us = STALE_RETRY_US,
		.copies_us = ts->redis != NULL ? ts->conf->redis_ttl_us : 0,
		.store = ts->shared->records,
		.is_ill = tenants_lane_is_ill,
		.fetches_max = LOOKUPS_MAX,
		.deadline_us = LOOKUP_DEADLINE_US,
		.timeout_code = ERR_CATALOG,
		.fetch_kind = &tenant_fetch_kind,
		.fetch_size = sizeof(struct tenant_fetch),
		.record_new = tenant_fetch_record,
		.owner = ts,
	    });
}

/* ---- one caller ---- */

static enum flow_rc
tenant_lookup_join(struct flow *f)
{
	struct tenant_lookup_wait *w = FLOW_OF(f, struct tenant_lookup_wait, &tenant_lookup_kind);

	return lookup_wait(f, w->tenants->records, slice_str(w->id), &w->waiter);
}

static enum flow_rc
tenant_lookup_check(struct flow *f)
{
	struct tenant_lookup_wait *w = FLOW_OF(f, struct tenant_lookup_wait, &tenant_lookup_kind);

	return tenant_check_state(f, w->tenants, (const struct tenant_record *)w->waiter.record,
	    w->out);
}

static void
tenant_lookup_release(struct flow *f)
{
	struct tenant_lookup_wait *w = FLOW_OF(f, struct tenant_lookup_wait, &tenant_lookup_kind);

	lookup_waiter_clear(&w->waiter);
	free(w);
}

/* The common case, a cached record, costs no flow. */
enum flow_rc
tenant_lookup(struct flow *f, struct tenants *ts, const char *id, struct tenant *out)
{
	struct slice key = slice_str(mutated(MUTATION_TENANT_CACHE, id));
	struct lookup_record *r;
	struct tenant_lookup_wait *w;
	enum flow_rc rc;

	if (key.len == 0 || key.len > TENANT_ID_MAX)
		return flow_fail(f, ERR_INVALID_TENANT,
		    "A tenant id must be 1 to %d bytes long; correct it.", TENANT_ID_MAX);
	r = lookup_cached(ts->records, key);
	if (r != NULL) {
		rc = tenant_check_state(f, ts, (const struct tenant_record *)r, out);
		lookup_unref(r);
		return rc;
	}
	w = xcalloc(1, sizeof(*w));
	w->tenants = ts;
	memcpy(w->id, key.p, key.len);
	w->out = out;
	return flow_call(f, &w->flow, &tenant_lookup_kind);
}
