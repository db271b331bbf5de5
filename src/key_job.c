/* SPDX-License-Identifier: MIT */
/*
 * key_job.c: see the header.
 *
 *	[migrate] --> [environment] --> [ask] --> [read] --> [find_redis] --> [tell] --> [told]
 *	                                  ^          |
 *	                                  +----------+  the list goes on
 */
#include "key_job.h"

#include <stdio.h>

#include "tenantgate/base/clock.h"

#define CATALOG_WAIT_US (20 * 1000000ull) /* for a catalog that cannot be reached */
#define WORK_DEADLINE_US (30 * 1000000ull) /* once it was reached; a page of the list */
#define REDIS_WAIT_US	(5 * 1000000ull)  /* for a link to it */
#define REDIS_LOOK_US	(20 * 1000ull)
#define END_GRACE_US	(2 * 1000000ull) /* for aborted flows */
#define NO_LOOP		"No event loop could be set up. Raise the limit of open files."

static flow_step_fn key_migrate, key_environment, key_ask, key_answer, key_find_redis, key_tell,
    key_told;
static flow_end_fn key_end;

static const struct flow_step key_steps[] = {
	{ "migrate", key_migrate },
	{ "environment", key_environment },
	{ "ask", key_ask },
	{ "read", key_answer },
	{ "find_redis", key_find_redis },
	{ "tell", key_tell },
	{ "told", key_told },
	{ NULL, NULL },
};

static const struct flow_kind key_kind = { "key", key_steps, key_end, NULL };

static enum flow_rc
key_migrate(struct flow *f)
{
	return catalog_migrate_within(f, (FLOW_OF(f, struct key_job, &key_kind))->catalog,
	    CATALOG_WAIT_US);
}

/* A key in another environment's catalog would be good there, for its tenants. */
static enum flow_rc
key_environment(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	flow_deadline(f, WORK_DEADLINE_US);
	return tenants_check_catalog(f, k->catalog, k->environment);
}

static enum flow_rc
key_ask(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	flow_deadline(f, WORK_DEADLINE_US);
	if (k->verb == KEY_CREATE)
		return key_create(f, k->catalog, &k->order, &k->made);
	if (k->verb == KEY_LIST)
		return keys_list(f, k->catalog, &k->page, &k->result);
	return key_revoke(f, k->catalog, k->id, &k->result);
}

/* Tells a page, and begins the next one where it ends. The row past the limit only says that there
 * is one. */
static enum flow_rc
page_tell(struct key_job *k)
{
	struct listed_key row;
	unsigned i;

	for (i = 0; i < k->page.limit && key_row(&k->result, i, &row); i++) {
		k->tell(&row, k->arg);
		snprintf(k->after[0], sizeof(k->after[0]), "%s", row.created_exactly);
		snprintf(k->after[1], sizeof(k->after[1]), "%s", row.id);
	}
	if (!key_row(&k->result, i, &row))
		return FLOW_DONE;
	k->page.after_created = k->after[0];
	k->page.after_id = k->after[1];
	return flow_goto(&k->flow, key_ask);
}

static enum flow_rc
key_answer(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);
	struct listed_key row;
	enum flow_rc rc;

	if (k->verb == KEY_CREATE)
		return FLOW_DONE;
	rc = catalog_check(f, &k->result, "keys");
	if (rc != FLOW_NEXT)
		return rc;
	if (k->verb == KEY_LIST)
		return page_tell(k);
	if (!key_row(&k->result, 0, &row))
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no key %s; `tenantgate key list` has those that there are.", k->id);
	k->tell(&row, k->arg);
	k->redis_until_us = clock_mono_us() + REDIS_WAIT_US;
	return FLOW_NEXT;
}

/* The key is revoked by now: a Redis that is away only costs the replicas their time. */
static enum flow_rc
key_find_redis(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	if (k->redis == NULL || clock_mono_us() >= k->redis_until_us)
		return FLOW_DONE;
	if (redis_is_up(k->redis))
		return FLOW_NEXT;
	flow_goto(f, key_find_redis);
	return flow_sleep(f, &k->timer, REDIS_LOOK_US);
}

static enum flow_rc
key_tell(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	(void)drop_channel_open(&k->drops, k->redis, KEY_DROP_CHANNEL, NULL, NULL, NULL);
	drop_channel_tell(&k->drops, slice_str(k->id), DROP_FORGET);
	return drop_channel_settle(f, &k->drops, &k->reply);
}

static enum flow_rc
key_told(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	k->is_told = k->reply.status == REDIS_OK;
	return FLOW_DONE;
}

static void
key_end(struct flow *f, const struct err *err)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	pg_clear(&k->result);
	redis_clear(&k->reply);
	k->err = *err;
	k->done = true;
}

/* Flows of the pool may be under way still (a reset, a login that nobody waits for), and they must
 * not outlive it. */
static void
key_end_flows(struct worker *w)
{
	uint64_t until = clock_mono_us() + END_GRACE_US;

	while (flow_count(w) > 0 && clock_mono_us() < until) {
		flow_abort_all(w, ERR_SHUTDOWN, "The command has ended. Run it again.");
		worker_turn(w, 10);
	}
}

/* A revocation alone needs it. What is wrong with redis_url is for the daemon to say. */
static struct redis *
key_redis(struct worker *w, struct dns *dns, const struct key_job *k, const struct conf *conf)
{
	struct err ignored = { 0 };

	if (k->verb != KEY_REVOKE || text_or_null(conf->redis.url) == NULL)
		return NULL;
	return redis_open(w, dns, &conf->redis, &ignored);
}

/* Turns the loop until the flow has ended. The names of the catalog's host are asked of the servers
 * in /etc/resolv.conf: dns_nameserver is the daemon's. */
static void
key_turn(struct worker *w, struct catalog *catalog, struct key_job *k, const struct conf *conf)
{
	struct dns *dns = dns_open(w, text_or_null(conf->dns_nameserver), conf->dns_timeout_us);

	if (dns == NULL) {
		err_set(&k->err, ERR_INTERNAL, NO_LOOP);
		return;
	}
	catalog_attach(catalog, w, dns);
	k->catalog = catalog;
	k->redis = key_redis(w, dns, k, conf);
	flow_start(&k->flow, &key_kind, w, k->flow.arena);
	while (!k->done)
		worker_turn(w, 50);
	key_end_flows(w);
	catalog_detach(catalog, w);
	if (k->redis != NULL)
		redis_close(k->redis);
	dns_close(dns);
}

bool
key_job_run(struct key_job *k, const struct conf *conf)
{
	struct worker *w = worker_new(0);
	struct catalog *catalog;
	struct arena *arena;

	if (w == NULL) {
		err_set(&k->err, ERR_INTERNAL, NO_LOOP);
		return false;
	}
	catalog = catalog_open(&conf->catalog, &k->err);
	arena = arena_new(1u << 20);
	k->environment = conf->tenants.environment;
	k->flow.arena = arena;
	if (catalog != NULL)
		key_turn(w, catalog, k, conf);
	worker_free(w); /* runs what was posted to it: connections that are to be closed */
	catalog_close(catalog);
	arena_free(arena);
	return !err_is(&k->err);
}
