/* SPDX-License-Identifier: MIT */
/*
 * limit_store: the counters of this process, shared by its workers: key -> theoretical arrival
 * time, at most keys_max of them. When one more comes the least recently used goes: its key starts
 * anew, with a whole burst. The mutex is held for the arithmetic alone, never across a wait.
 *
 * What always holds: all keys of a check are read, decided and charged under one lock, so that a
 * refused check charges none and two checks cannot both take the last of a burst.
 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "limit/limit_internal.h"
#include "limit/quota_store.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/map.h"

struct limit_store {
	pthread_mutex_t mutex;
	struct map *keys;   /* key -> uint64_t, owned */
	struct map *quotas; /* key -> struct quota_state, owned */
};

struct limit_store *
limit_store_new(size_t keys_max)
{
	struct limit_store *s = xcalloc(1, sizeof(*s));

	s->keys = map_new(keys_max, free);
	s->quotas = map_new(keys_max, free);
	if (pthread_mutex_init(&s->mutex, NULL) != 0)
		abort();
	return s;
}

void
limit_store_free(struct limit_store *s)
{
	if (s == NULL)
		return;
	map_free(s->keys);
	map_free(s->quotas);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

size_t
limit_store_count(struct limit_store *s)
{
	size_t n;

	pthread_mutex_lock(&s->mutex);
	n = map_count(s->keys);
	pthread_mutex_unlock(&s->mutex);
	return n;
}

/* 0: never seen, or evicted; before any `now`, so the whole burst is free. */
static uint64_t
key_read(struct limit_store *s, struct slice key)
{
	const uint64_t *tat = map_get(s->keys, key);

	return tat == NULL ? 0 : *tat;
}

uint64_t
limit_store_look(struct limit_store *s, struct slice key)
{
	uint64_t tat;

	pthread_mutex_lock(&s->mutex);
	tat = key_read(s, key);
	pthread_mutex_unlock(&s->mutex);
	return tat;
}

/* A key that the map has no memory for is not counted: the request is let through. */
static void
key_write(struct limit_store *s, struct slice key, uint64_t us)
{
	uint64_t *tat = map_get(s->keys, key);

	if (tat != NULL) {
		*tat = us;
		return;
	}
	tat = xmalloc(sizeof(*tat));
	*tat = us;
	if (!map_put(s->keys, key, tat))
		free(tat);
}

static void
keys_charge(struct limit_store *s, const struct limit_rule *rules, unsigned n,
    const uint64_t *stored, uint64_t now)
{
	for (unsigned i = 0; i < n; i++) {
		struct gcra g = gcra_of(&rules[i]);

		key_write(s, rules[i].key, gcra_tat(g, stored[i], now) + g.interval_us);
	}
}

/* `now` is the caller's and may be a little older than another worker's: gcra_tat() keeps within
 * the tolerance. */
void
limit_store_decide(struct limit_store *s, const struct limit_rule *rules, unsigned n, uint64_t now,
    struct limit_verdict *v)
{
	uint64_t stored[LIMIT_RULES_MAX] = { 0 };

	assert(n <= LIMIT_RULES_MAX);
	v->mode = "local";
	pthread_mutex_lock(&s->mutex);
	for (unsigned i = 0; i < n; i++)
		stored[i] = key_read(s, rules[i].key);
	gcra_decide(rules, n, stored, now, v);
	if (v->allowed)
		keys_charge(s, rules, n, stored, now);
	pthread_mutex_unlock(&s->mutex);
}

/* ---- quotas ---- */

/* NULL without memory: what is not counted is let through. */
static struct quota_state *
state_of(struct limit_store *s, struct slice key)
{
	struct quota_state *state = map_get(s->quotas, key);

	if (state != NULL)
		return state;
	state = xcalloc(1, sizeof(*state));
	if (map_put(s->quotas, key, state))
		return state;
	free(state);
	return NULL;
}

bool
limit_store_take(struct limit_store *s, const struct limit_rule *rules, unsigned n,
    const struct quota_request *ask, struct quota_now now, struct limit_verdict *v,
    struct quota_verdict *q)
{
	uint64_t stored[LIMIT_RULES_MAX] = { 0 };
	enum quota_kind refused;
	struct quota_state *state;
	bool is_taken;

	assert(n <= LIMIT_RULES_MAX);
	*v = (struct limit_verdict){ .allowed = true, .mode = "local" };
	*q = (struct quota_verdict){ .refused = QUOTA_NONE };
	pthread_mutex_lock(&s->mutex);
	for (unsigned i = 0; i < n; i++)
		stored[i] = key_read(s, rules[i].key);
	if (n > 0)
		gcra_decide(rules, n, stored, now.mono_us, v);
	state = state_of(s, ask->state_key);
	if (state != NULL) {
		quota_pass(state, &ask->quota, now.mono_us, now.unix_s);
		refused = quota_refuses(&ask->quota, state, ask->tokens, ask->is_stream);
		is_taken = v->allowed && refused == QUOTA_NONE;
		if (is_taken)
			quota_take(state, ask->tokens, ask->is_stream);
		quota_tell(&ask->quota, state, ask->tokens, now.unix_s, refused, q);
	} else {
		is_taken = false;
	}
	if (v->allowed && q->refused == QUOTA_NONE)
		keys_charge(s, rules, n, stored, now.mono_us);
	pthread_mutex_unlock(&s->mutex);
	return is_taken;
}

bool
limit_store_state(struct limit_store *s, struct slice key, const struct quota *quota,
    struct quota_now now, struct quota_state *out)
{
	struct quota_state *state;

	pthread_mutex_lock(&s->mutex);
	state = map_get(s->quotas, key);
	if (state != NULL) {
		quota_pass(state, quota, now.mono_us, now.unix_s);
		*out = *state;
	}
	pthread_mutex_unlock(&s->mutex);
	return state != NULL;
}

/* One that was evicted meanwhile holds nothing any more; what was used counts all the same. */
void
limit_store_change(struct limit_store *s, struct slice key, const struct quota *quota,
    struct quota_now now, const struct quota_change *c)
{
	struct quota_state *state;

	pthread_mutex_lock(&s->mutex);
	state = c->used > 0 || c->seeds ? state_of(s, key) : map_get(s->quotas, key);
	if (state != NULL) {
		quota_pass(state, quota, now.mono_us, now.unix_s);
		quota_give_back(state, c->give_back, c->ends_stream, c->used);
		quota_take(state, c->take, false);
		if (c->seeds && !state->has_seed) {
			state->has_seed = true;
			state->seeded = c->seed;
		}
	}
	pthread_mutex_unlock(&s->mutex);
}
