/* SPDX-License-Identifier: MIT */
/*
 * auth: a visit asks for the record of its key id and compares.
 *
 *	visit:   form -> cache hit? -> compare
 *	                    | no
 *	                    v
 *	         [wait] on the lookup of that key id --> compare
 *	lookup:  [ask the catalog] --> [keep], waiters woken
 *
 * What always holds: at most one lookup a key id is under way; found and not-found records are
 * kept apart, so that invented key ids cannot push real ones out. A failed lookup is kept by
 * nobody.
 */
#include "tenantgate/auth.h"

#include <assert.h>
#include <stdlib.h>

#include "auth/key.h"
#include "auth/record.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/join.h"

#define LOOKUP_DEADLINE_US (15 * 1000000ull)
#define LOOKUPS_MAX	   512 /* under way at once; more are told to come again */

struct auth {
	struct worker *worker;	 /* borrowed */
	struct catalog *catalog; /* borrowed */
	struct auth_conf conf;
	struct map *found;   /* owned: key id -> key_record */
	struct map *absent;  /* owned: the same */
	struct map *lookups; /* owned: key id -> key_lookup, each its own owner */
};

struct key_lookup {
	struct flow flow;
	struct join join;
	struct auth *auth;	   /* borrowed */
	struct key_record *record; /* a reference */
	struct pg_result result;   /* owned */
};

struct key_visit {
	struct flow flow;
	struct join_seat seat;
	struct auth *auth;	   /* borrowed */
	struct key_record *record; /* a reference: the one the lookup fills */
	struct slice secret;	   /* borrowed: the request's */
	struct caller *out;	   /* borrowed */
};

static struct slice
record_key(const struct key_record *r)
{
	return slice_str(r->caller.key_id);
}

/* ---- the lookup, shared ---- */

static enum flow_rc
lookup_ask(struct flow *f)
{
	struct key_lookup *l = (struct key_lookup *)f;
	struct pg_query q = {
		.sql = "SELECT secret_sha256, kind, tenant_id FROM public.api_keys "
		       "WHERE key_id = $1 AND revoked_at IS NULL",
		.params = { PG_TEXT(l->record->caller.key_id) },
		.param_count = 1,
	};

	return catalog_run(f, l->auth->catalog, &q, &l->result);
}

static enum flow_rc
lookup_keep(struct flow *f)
{
	struct key_lookup *l = (struct key_lookup *)f;
	struct auth *a = l->auth;
	struct key_record *r = l->record;
	enum flow_rc rc = catalog_check(f, &l->result, "key lookup");
	uint64_t ttl;

	if (rc != FLOW_NEXT)
		return rc;
	if (!key_record_fill(r, &l->result))
		log_event(LOG_ERR, "auth.bad_row", NULL, "key %s: its row makes no sense",
		    r->caller.key_id);
	ttl = r->found ? a->conf.cache_ttl_us : a->conf.cache_negative_ttl_us;
	r->expires_us = clock_mono_us() + ttl;
	if (map_put(r->found ? a->found : a->absent, record_key(r), r))
		key_record_ref(r);
	return FLOW_DONE;
}

static const struct flow_step lookup_steps[] = {
	{ "ask", lookup_ask },
	{ "keep", lookup_keep },
	{ NULL, NULL },
};

static void
lookup_end(struct flow *f, const struct err *err)
{
	struct key_lookup *l = (struct key_lookup *)f;
	struct err told = *err;

	if (told.code == ERR_TIMEOUT)
		told.code = ERR_CATALOG;
	map_take(l->auth->lookups, record_key(l->record));
	join_finish(&l->join, &told);
}

static void
lookup_release(struct flow *f)
{
	struct key_lookup *l = (struct key_lookup *)f;

	pg_clear(&l->result);
	key_record_unref(l->record);
	free(l);
}

static const struct flow_kind lookup_kind = { "key_lookup", lookup_steps, lookup_end,
	lookup_release };

static struct key_lookup *
lookup_start(struct auth *a, struct slice key_id)
{
	struct key_lookup *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->auth = a;
	l->record = key_record_new(key_id);
	if (l->record == NULL || !map_put(a->lookups, key_id, l)) {
		if (l->record != NULL)
			key_record_unref(l->record);
		free(l);
		return NULL;
	}
	join_init(&l->join);
	flow_start(&l->flow, &lookup_kind, a->worker, NULL);
	flow_deadline(&l->flow, LOOKUP_DEADLINE_US);
	return l;
}

/* ---- a visit ---- */

static enum flow_rc
visit_judge(struct flow *f, const struct key_record *r, struct slice secret, struct caller *out)
{
	if (!record_opens(r, secret))
		return flow_fail(f, ERR_UNAUTHENTICATED, "the credential is missing or not valid");
	*out = r->caller;
	return FLOW_NEXT;
}

static enum flow_rc
visit_wait(struct flow *f)
{
	struct key_visit *v = (struct key_visit *)f;
	struct key_lookup *l = map_get(v->auth->lookups, record_key(v->record));

	if (l != NULL && l->record == v->record)
		return join_wait(&l->join, f, &v->seat);
	/* It ended before we had our first turn. */
	if (v->record->expires_us == 0)
		return flow_fail(f, ERR_CATALOG, "the key could not be looked up");
	return FLOW_NEXT;
}

static enum flow_rc
visit_compare(struct flow *f)
{
	struct key_visit *v = (struct key_visit *)f;

	return visit_judge(f, v->record, v->secret, v->out);
}

static const struct flow_step visit_steps[] = {
	{ "wait", visit_wait },
	{ "compare", visit_compare },
	{ NULL, NULL },
};

static void
visit_release(struct flow *f)
{
	struct key_visit *v = (struct key_visit *)f;

	key_record_unref(v->record);
	free(v);
}

static const struct flow_kind visit_kind = { "key_visit", visit_steps, NULL, visit_release };

static struct key_record *
cache_get(struct map *cache, struct slice key_id, uint64_t now)
{
	struct key_record *r = map_get(cache, key_id);

	if (r == NULL || now < r->expires_us)
		return r;
	map_del(cache, key_id);
	return NULL;
}

static enum flow_rc
visit_start(struct flow *f, struct auth *a, const struct key_text *key, struct caller *out)
{
	struct key_lookup *l = map_get(a->lookups, key->id);
	struct key_visit *v;

	if (l == NULL && map_count(a->lookups) < LOOKUPS_MAX)
		l = lookup_start(a, key->id);
	if (l == NULL)
		return flow_fail(f, ERR_OVERLOADED, "too many keys are being looked up");
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return flow_fail(f, ERR_OVERLOADED, "no memory for a key lookup");
	v->auth = a;
	v->record = key_record_ref(l->record);
	v->secret = key->secret;
	v->out = out;
	return flow_call(f, &v->flow, &visit_kind);
}

enum flow_rc
auth_visit(struct flow *f, struct auth *a, struct slice authorization, struct caller *out)
{
	struct key_text key;
	struct key_record *r;
	uint64_t now = clock_mono_us();

	if (authorization.p == NULL || !key_from_header(authorization, &key))
		return flow_fail(f, ERR_UNAUTHENTICATED, "the credential is missing or not valid");
	r = cache_get(a->found, key.id, now);
	if (r == NULL)
		r = cache_get(a->absent, key.id, now);
	if (r != NULL)
		return visit_judge(f, r, key.secret, out);
	return visit_start(f, a, &key, out);
}

/* ---- open, close ---- */

void
auth_conf_init(struct auth_conf *conf)
{
	*conf = (struct auth_conf){
		.cache_ttl_us = 30 * 1000000ull,
		.cache_negative_ttl_us = 5 * 1000000ull,
		.cache_max = 10000,
	};
}

struct auth *
auth_open(struct worker *w, struct catalog *c, const struct auth_conf *conf)
{
	struct auth *a = calloc(1, sizeof(*a));
	size_t max = conf->cache_max > 0 ? conf->cache_max : 1;

	if (a == NULL)
		abort();
	a->worker = w;
	a->catalog = c;
	a->conf = *conf;
	a->found = map_new(max, key_record_unref);
	a->absent = map_new(max, key_record_unref);
	a->lookups = map_new(0, NULL);
	return a;
}

/* The worker's flows have ended, so no lookup is under way. */
void
auth_close(struct auth *a)
{
	if (a == NULL)
		return;
	assert(map_count(a->lookups) == 0);
	map_free(a->found);
	map_free(a->absent);
	map_free(a->lookups);
	free(a);
}
