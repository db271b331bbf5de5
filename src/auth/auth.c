/* SPDX-License-Identifier: MIT */
/*
 * auth: checks a credential: takes the record of its key id and compares the secret.
 *
 *	auth_check:  well formed, and not forged? --no--> nobody
 *	                  | yes
 *	             cached? --yes--> compare --> the caller, or nobody
 *	                  | no
 *	             [wait] on its lookup, tagged or unverified --> [compare]
 *	lookup:      [query] the catalog --> [read] the row, cached by loop/lookup
 *
 * A found record is kept by the key's id, for whoever asks. That there is none is kept by who has
 * asked: for unverified keys, a network.
 *
 * What always holds: at most one lookup of a tagged key is under way, and of an unverified one a
 * network (single flight); found and not-found records are cached apart, so that invented key ids
 * cannot push real ones out. Not-found ones are cached at all
 * (negative caching) so that a client that keeps trying one bad key costs the catalog one query in
 * cache_negative_ttl_us. A failed lookup is not cached. A record is used beyond its time only while
 * the catalog cannot be reached, and no worker has seen the key revoked: that it is gone is
 * remembered as long as it could have been used.
 *
 * The two kinds of lookups share nothing that could run full: neither the count of those under way
 * nor the catalog's connections (catalog.h).
 *
 * Nothing here logs a credential; a key id is no secret and may be logged.
 */
#include "tenantgate/auth.h"

#include <stdlib.h>

#include "auth/auth_key.h"
#include "auth/issuer_auth.h"
#include "auth/key_record.h"
#include "auth/key_sql.h"
#include "auth/key_tag.h"
#include "auth/key_uses.h"
#include "auth/token_check.h"
#include "tenantgate/auth/key_catalog.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/replica/drop_channel.h"

#define LOOKUP_DEADLINE_US (15 * 1000000ull)
/* A key in stale use is looked up once in that time, and waited for no longer. */
#define STALE_RETRY_US (1 * 1000000ull)
/* Under way at once, a worker; more get 503. Far more of the unverified ones, for the catalog's
 * lane lets few of each network wait: a flood from one cannot fill this. */
#define TAGGED_MAX     512
#define UNVERIFIED_MAX 4096

struct auth {
	struct catalog *catalog;	 /* borrowed */
	const struct key_tags *tags;	 /* borrowed */
	struct lookup_cache *keys;	 /* owned: key id -> key_record */
	struct lookup_cache *unverified; /* owned: key_asked() -> key_record; the same store */
	struct key_uses *uses;		 /* owned */
	struct drop_channel drops;	 /* revoked keys, to and from the other replicas */
	const struct token_signer *tokens; /* borrowed; NULL: none is known */
	struct issuer_auth *issuers;	 /* borrowed; NULL: none is known */
	uint64_t cache_ttl_us;
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
	struct auth *auth;    /* borrowed */
	struct key_text key;  /* borrowed: slices of the request's field */
	struct slice network; /* borrowed, as auth_check() says; p NULL for a tagged key */
	struct caller *out;   /* borrowed: the waiting flow's */
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
	bool tagged = r->network_len == 0;
	struct pg_query q = {
		.sql = "SELECT " KEY_DIGEST ", k.kind, k.tenant_id, " KEY_SCOPE_LIST
		       ", " KEY_EXPIRY_US " FROM public.api_keys AS k "
		       "WHERE (k.key_id" PG_EQUALS "$1) AND k.revoked_at IS NULL",
		.params = { PG_TEXT(r->caller.key_id) },
		.param_count = 1,
	};

	return catalog_run(f, a->catalog, tagged ? CATALOG_KEYS : CATALOG_UNVERIFIED_KEYS,
	    tagged ? slice_str(r->caller.key_id) : slice_of(r->network, r->network_len), &q,
	    &k->result);
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

/* Compares also when the record is negative, in the same time (key_record.c). Who has the secret of
 * a key that is over may be told so in the log; to its sender it is one that never was. */
static enum flow_rc
key_check_verify(struct auth *a, const struct lookup_record *base, struct slice secret,
    struct caller *out)
{
	const struct key_record *r = (const struct key_record *)base;

	if (!key_record_matches(r, secret))
		return FLOW_NEXT;
	if (key_record_is_over(r)) {
		memcpy(out->key_id, r->caller.key_id, sizeof(out->key_id));
		out->cause = "the key has expired";
		return FLOW_NEXT;
	}
	*out = r->caller;
	key_uses_note(a->uses, out->key_id);
	return FLOW_NEXT;
}

static enum flow_rc
key_check_wait(struct flow *f)
{
	struct key_check *check = FLOW_OF(f, struct key_check, &key_check_kind);
	struct auth *a = check->auth;
	char asked[KEY_ASKED_MAX];

	if (check->network.p == NULL)
		return lookup_wait(f, a->keys, mutated_slice(MUTATION_KEY_CACHE, check->key.id),
		    &check->waiter);
	return lookup_wait(f, a->unverified, key_asked(check->key.id, check->network, asked),
	    &check->waiter);
}

static enum flow_rc
key_check_compare(struct flow *f)
{
	struct key_check *check = FLOW_OF(f, struct key_check, &key_check_kind);

	return key_check_verify(check->auth, check->waiter.record, check->key.secret, check->out);
}

static void
key_check_release(struct flow *f)
{
	struct key_check *check = FLOW_OF(f, struct key_check, &key_check_kind);

	lookup_waiter_clear(&check->waiter);
	free(check);
}

/* What is kept of this key, as it may be used for this request: a reference; or NULL. */
static struct lookup_record *
key_check_cached(struct auth *a, const struct key_text *key, struct slice network, bool tagged)
{
	char asked[KEY_ASKED_MAX];

	if (tagged)
		return lookup_cached(a->keys, mutated_slice(MUTATION_KEY_CACHE, key->id));
	return lookup_cached(a->unverified, key_asked(key->id, network, asked));
}

/* The common case, a cached record, costs no flow and no wait. A key that is not well formed, or
 * whose tag is not ours, is refused without a lookup: that is known to its sender already. */
enum flow_rc
auth_check(struct flow *f, struct auth *a, struct slice authorization, struct slice network,
    struct caller *out)
{
	enum key_verdict verdict;
	struct key_text key;
	struct lookup_record *r;
	struct key_check *check;
	struct slice token;
	enum flow_rc rc;

	*out = (struct caller){ .kind = CALLER_NONE };
	if (authorization.p == NULL || token_check(a->tokens, authorization, out))
		return FLOW_NEXT;
	if (jwt_from_header(authorization, &token))
		return issuer_auth_check(f, a->issuers, token, out);
	if (!key_from_header(authorization, &key))
		return FLOW_NEXT;
	verdict = key_tag_verify(a->tags, &key);
	if (verdict == KEY_FORGED)
		return FLOW_NEXT;
	r = key_check_cached(a, &key, network, verdict == KEY_TAGGED);
	if (r != NULL) {
		rc = key_check_verify(a, r, key.secret, out);
		lookup_unref(r);
		return rc;
	}
	check = xcalloc(1, sizeof(*check));
	check->auth = a;
	check->key = key;
	if (verdict == KEY_UNVERIFIED)
		check->network = network;
	check->out = out;
	return flow_call(f, &check->flow, &key_check_kind);
}

/* ---- revoked keys ---- */

/* A drop_heard_fn. Fetched anew, it is found to be revoked; whoever says so without right costs a
 * lookup. Found records and what is under way go by the key's id alone, so it is all the same which
 * of the two caches is told. */
static void
key_drop_heard(struct slice id, enum drop drop, void *arg)
{
	struct auth *a = arg;

	(void)drop;
	if (id.p == NULL)
		lookup_forget_all(a->keys);
	else if (key_id_valid(id))
		lookup_forget(a->keys, id);
}

void
auth_forget(struct auth *a, const char *key_id)
{
	lookup_forget(a->keys, slice_str(key_id));
	drop_channel_tell(&a->drops, slice_str(key_id), DROP_FORGET);
}

enum flow_rc
auth_told(struct flow *f, struct auth *a, struct redis_reply *told)
{
	return drop_channel_settle(f, &a->drops, told);
}

uint64_t
auth_cache_ttl_us(const struct auth *a)
{
	return a->cache_ttl_us;
}

/* ---- open, close ---- */

void
auth_conf_init(struct auth_conf *conf)
{
	*conf = (struct auth_conf){
		.cache_ttl_us = 30 * 1000000ull,
		.cache_negative_ttl_us = 5 * 1000000ull,
		.cache_stale_us = 3600 * 1000000ull,
		.cache_max = 10000,
		.last_used_us = 60 * 1000000ull,
	};
}

static bool
tagged_lane_is_ill(const void *owner)
{
	return catalog_is_failing(((const struct auth *)owner)->catalog, CATALOG_KEYS);
}

static bool
unverified_lane_is_ill(const void *owner)
{
	return catalog_is_failing(((const struct auth *)owner)->catalog, CATALOG_UNVERIFIED_KEYS);
}

void
auth_configure(struct auth *a, const struct auth_conf *conf)
{
	a->cache_ttl_us = conf->cache_ttl_us;
	lookup_set_times(a->keys, conf->cache_ttl_us, conf->cache_negative_ttl_us,
	    conf->cache_stale_us, 0);
	lookup_set_times(a->unverified, conf->cache_ttl_us, conf->cache_negative_ttl_us,
	    conf->cache_stale_us, 0);
	key_uses_set_interval(a->uses, conf->last_used_us);
}

void
auth_use_tokens(struct auth *a, const struct token_signer *tokens)
{
	a->tokens = tokens;
}

const struct token_signer *
auth_tokens(const struct auth *a)
{
	return a->tokens;
}

void
auth_use_issuers(struct auth *a, struct issuer_auth *issuers)
{
	a->issuers = issuers;
}

struct auth *
auth_open(struct worker *w, struct catalog *c, const struct key_tags *tags,
    struct lookup_store *keys, struct redis *redis, const struct auth_conf *conf)
{
	struct auth *a = xcalloc(1, sizeof(*a));
	struct lookup_conf lookup = {
		.noun = "key",
		.ttl_us = conf->cache_ttl_us,
		.negative_ttl_us = conf->cache_negative_ttl_us,
		.stale_us = conf->cache_stale_us,
		.retry_us = STALE_RETRY_US,
		.patience_us = STALE_RETRY_US,
		.store = keys,
		.id_len = KEY_ID_LEN,
		.is_ill = tagged_lane_is_ill,
		.fetches_max = TAGGED_MAX,
		.deadline_us = LOOKUP_DEADLINE_US,
		.timeout_code = ERR_CATALOG,
		.fetch_kind = &key_fetch_kind,
		.fetch_size = sizeof(struct key_fetch),
		.record_new = key_record_new,
		.owner = a,
	};

	a->catalog = c;
	a->tags = tags;
	a->cache_ttl_us = conf->cache_ttl_us;
	a->keys = lookup_open(w, &lookup);
	lookup.fetches_max = UNVERIFIED_MAX;
	lookup.is_ill = unverified_lane_is_ill;
	a->unverified = lookup_open(w, &lookup);
	a->uses = key_uses_open(w, c, conf->last_used_us, conf->cache_max);
	if (!drop_channel_open(&a->drops, redis, KEY_DROP_CHANNEL, NULL, key_drop_heard, a))
		log_event(LOG_ERR, "auth.channel", NULL,
		    "The Redis channel %s is one too many for this build: keys that other replicas "
		    "revoke are refused after key_cache_ttl. Please report it.",
		    KEY_DROP_CHANNEL);
	return a;
}

/* The worker's flows have ended, so no lookup is under way. */
void
auth_close(struct auth *a)
{
	if (a == NULL)
		return;
	lookup_close(a->keys);
	lookup_close(a->unverified);
	key_uses_close(a->uses);
	free(a);
}
