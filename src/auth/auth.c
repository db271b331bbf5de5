/* SPDX-License-Identifier: MIT */
/*
 * auth: checks a credential: takes the record of its key id and compares the secret.
 *
 *	auth_check:  well formed? --no--> 401
 *	                  | yes
 *	             cached? --yes--> compare --> the caller, or 401
 *	                  | no
 *	             [wait] on the lookup of that key id --> [compare]
 *	lookup:      [query] the catalog --> [read] the row, cached by loop/lookup
 *
 * What always holds: at most one lookup a key id is under way (single flight); found and not-found
 * records are cached apart, so that invented key ids cannot push real ones out. Not-found ones are
 * cached at all (negative caching) so that a client that keeps trying one bad key costs the catalog
 * one query in cache_negative_ttl_us. A failed lookup is not cached, and a record is never used
 * beyond its time, also when the catalog is away: a revoked key must stop working.
 *
 * Nothing here logs a credential; a key id is no secret and may be logged.
 */
#include "tenantgate/auth.h"

#include <stdlib.h>

#include "auth/auth_key.h"
#include "auth/key_record.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"

#define LOOKUP_DEADLINE_US (15 * 1000000ull)
#define LOOKUPS_MAX	   512 /* under way at once, a worker; more get 503 */

struct auth {
	struct catalog *catalog;   /* borrowed */
	struct lookup_cache *keys; /* owned: key id -> key_record */
};

/* One lookup, of loop/lookup's making; shared by all checks that wait for its key id. */
struct key_fetch {
	struct lookup_fetch base;
	struct pg_result result; /* owned */
};

/* One check that has to wait; a child of the request's flow, freed at its release. */
struct key_check {
	struct flow flow;
	struct lookup_waiter waiter;
	struct auth *auth;   /* borrowed */
	struct key_text key; /* borrowed: slices of the request's field */
	struct caller *out;  /* borrowed: the waiting flow's */
};

static flow_step_fn key_fetch_query, key_fetch_read;
static flow_end_fn key_fetch_end;

static const struct flow_step key_fetch_steps[] = {
	{ "query", key_fetch_query },
	{ "read", key_fetch_read },
	{ NULL, NULL },
};

static const struct flow_kind key_fetch_kind = { "key_lookup", key_fetch_steps, key_fetch_end,
	NULL };

static flow_step_fn key_check_wait, key_check_compare;
static flow_release_fn key_check_release;

static const struct flow_step key_check_steps[] = {
	{ "wait", key_check_wait },
	{ "compare", key_check_compare },
	{ NULL, NULL },
};

static const struct flow_kind key_check_kind = { "key_check", key_check_steps, NULL,
	key_check_release };

/* ---- the lookup, shared ---- */

/* By the id alone: neither the secret nor its hash is sent. A revoked key is not found, so it looks
 * like one that never was. */
static enum flow_rc
key_fetch_query(struct flow *f)
{
	struct key_fetch *k = FLOW_MEMBER_OF(f, struct key_fetch, base.flow, &key_fetch_kind);
	const struct auth *a = k->base.owner;
	const struct key_record *r = (const struct key_record *)k->base.record;
	struct pg_query q = {
		.sql = "SELECT secret_sha256, kind, tenant_id FROM public.api_keys "
		       "WHERE key_id = $1 AND revoked_at IS NULL",
		.params = { PG_TEXT(r->caller.key_id) },
		.param_count = 1,
	};

	return catalog_run(f, a->catalog, &q, &k->result);
}

/* A row that is not valid counts as absent: its key must not get in, and the others must go on. */
static enum flow_rc
key_fetch_read(struct flow *f)
{
	struct key_fetch *k = FLOW_MEMBER_OF(f, struct key_fetch, base.flow, &key_fetch_kind);
	struct key_record *r = (struct key_record *)k->base.record;
	enum flow_rc rc = catalog_check(f, &k->result, "key lookup");

	if (rc != FLOW_NEXT)
		return rc;
	if (!key_record_fill(r, &k->result))
		log_event(LOG_ERR, "auth.bad_row", NULL,
		    "The catalog's row of key %s is not valid, so the key is refused; revoke it "
		    "and create another.",
		    r->caller.key_id);
	r->base.is_negative = !r->found;
	return FLOW_DONE;
}

static void
key_fetch_end(struct flow *f, const struct err *err)
{
	(void)err;
	pg_clear(&(FLOW_MEMBER_OF(f, struct key_fetch, base.flow, &key_fetch_kind))->result);
}

/* ---- a check ---- */

/* One sentence for a missing, malformed, unknown, revoked or wrong key: another one for each would
 * let an attacker find out which key ids exist. */
static enum flow_rc
key_refuse(struct flow *f)
{
	return flow_fail(f, ERR_UNAUTHENTICATED,
	    "The API key is missing or not valid; send a valid one in the Authorization field, "
	    "after the word Bearer.");
}

/* Compares also when the record is negative, in the same time (key_record.c). */
static enum flow_rc
key_check_verify(struct flow *f, const struct lookup_record *base, struct slice secret,
    struct caller *out)
{
	const struct key_record *r = (const struct key_record *)base;

	if (!key_record_matches(r, secret))
		return key_refuse(f);
	*out = r->caller;
	return FLOW_NEXT;
}

static enum flow_rc
key_check_wait(struct flow *f)
{
	struct key_check *check = FLOW_OF(f, struct key_check, &key_check_kind);

	return lookup_wait(f, check->auth->keys, check->key.id, &check->waiter);
}

static enum flow_rc
key_check_compare(struct flow *f)
{
	struct key_check *check = FLOW_OF(f, struct key_check, &key_check_kind);

	return key_check_verify(f, check->waiter.record, check->key.secret, check->out);
}

static void
key_check_release(struct flow *f)
{
	struct key_check *check = FLOW_OF(f, struct key_check, &key_check_kind);

	lookup_waiter_clear(&check->waiter);
	free(check);
}

/* The common case, a cached record, costs no flow and no wait. A key that is not well formed is
 * refused without a lookup: that it is malformed is known to its sender already. */
enum flow_rc
auth_check(struct flow *f, struct auth *a, struct slice authorization, struct caller *out)
{
	struct key_text key;
	struct lookup_record *r;
	struct key_check *check;

	if (authorization.p == NULL || !key_from_header(authorization, &key))
		return key_refuse(f);
	r = lookup_cached(a->keys, key.id);
	if (r != NULL)
		return key_check_verify(f, r, key.secret, out);
	check = xcalloc(1, sizeof(*check));
	check->auth = a;
	check->key = key;
	check->out = out;
	return flow_call(f, &check->flow, &key_check_kind);
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

/* No stale_us: what is past its time is not used, whatever the catalog does. */
struct auth *
auth_open(struct worker *w, struct catalog *c, const struct auth_conf *conf)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	a->catalog = c;
	a->keys = lookup_open(w,
	    &(struct lookup_conf){
		.noun = "key",
		.ttl_us = conf->cache_ttl_us,
		.negative_ttl_us = conf->cache_negative_ttl_us,
		.records_max = conf->cache_max,
		.fetches_max = LOOKUPS_MAX,
		.deadline_us = LOOKUP_DEADLINE_US,
		.timeout_code = ERR_CATALOG,
		.fetch_kind = &key_fetch_kind,
		.fetch_size = sizeof(struct key_fetch),
		.record_new = key_record_new,
		.owner = a,
	    });
	return a;
}

/* The worker's flows have ended, so no lookup is under way. */
void
auth_close(struct auth *a)
{
	if (a == NULL)
		return;
	lookup_close(a->keys);
	free(a);
}
