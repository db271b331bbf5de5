/* SPDX-License-Identifier: MIT */
/*
 * end_redis: see the header.
 *
 *	[mark] --> [marked] --> [key] <--> [cleared] --> done: past the last
 */
#include "tenant/end_redis.h"

/* As in tenant_publish.c. */
#define END_MARK    "-"
#define END_MARK_MS "20000"

static flow_step_fn redis_mark, redis_cleared, redis_next;
static flow_end_fn redis_end;

static const struct flow_step end_redis_steps[] = {
	{ "mark", redis_mark },
	{ "cleared", redis_cleared },
	{ "key", redis_next },
	{ NULL, NULL },
};

const struct flow_kind end_redis_kind = { "tenant_end_redis", end_redis_steps, redis_end, NULL };

static enum flow_rc
redis_mark(struct flow *f)
{
	struct end_redis *r = FLOW_OF(f, struct end_redis, &end_redis_kind);
	const struct tenants *ts = r->tenants;
	struct slice argv[] = { SLICE_LIT("SET"), { NULL, 0 }, SLICE_LIT(END_MARK), SLICE_LIT("PX"),
		SLICE_LIT(END_MARK_MS) };

	_Static_assert(RECORD_KEY_SIZE <= TENANT_REDIS_KEY_SIZE, "one buffer for all keys");
	if (ts->redis == NULL)
		return FLOW_DONE;
	record_redis_key(r->key, ts->conf->environment, r->id, redis_is_cluster(ts->redis));
	argv[1] = slice_str(r->key);
	return redis_command(f, ts->redis, argv, 5, &r->reply);
}

/* A Redis that is away, or refuses (a copy, one that is full), may come back with what it had: its
 * record of the tenant is good for tenant_redis_ttl at the most, so after that there is none. */
static enum flow_rc
redis_cleared(struct flow *f)
{
	struct end_redis *r = FLOW_OF(f, struct end_redis, &end_redis_kind);
	enum redis_status status = r->reply.status;
	bool is_done = status == REDIS_OK || status == REDIS_NIL;
	uint64_t ordered_ago_us = (uint64_t)r->ordered_ago_s * 1000000;

	redis_clear(&r->reply);
	if (!is_done && ordered_ago_us <= r->tenants->conf->redis_ttl_us)
		return flow_fail(f, ERR_UPSTREAM,
		    "Redis does not do it, so what it holds of the tenant is not taken out yet; "
		    "it is tried again by itself.");
	return r->is_deleted ? FLOW_NEXT : FLOW_DONE;
}

static enum flow_rc
redis_next(struct flow *f)
{
	struct end_redis *r = FLOW_OF(f, struct end_redis, &end_redis_kind);
	const struct tenants_conf *conf = r->tenants->conf;
	struct slice argv[] = { SLICE_LIT("DEL"), { NULL, 0 } };

	if (conf->redis_key == NULL ||
	    !conf->redis_key(conf, r->id, r->keys, redis_is_cluster(r->tenants->redis), r->key))
		return FLOW_DONE;
	r->keys++;
	argv[1] = slice_str(r->key);
	flow_goto(f, redis_cleared);
	return redis_command(f, r->tenants->redis, argv, 2, &r->reply);
}

static void
redis_end(struct flow *f, const struct err *err)
{
	(void)err;
	redis_clear(&(FLOW_OF(f, struct end_redis, &end_redis_kind))->reply);
}
