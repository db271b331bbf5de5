/* SPDX-License-Identifier: MIT */
/*
 * tenants_shared: the lock, and what is done under it. The queue's lists are walked: a place is
 * looked at a few times a second at the most, and there are some thousand.
 */
#include "tenant/tenants_shared.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/base/random.h"

struct tenants_shared *
tenants_shared_new(const struct replicas *replicas, unsigned records_max)
{
	struct tenants_shared *s = xcalloc(1, sizeof(*s));

	s->replicas = replicas;
	id_random(s->origin, DROP_ORIGIN_LEN);
	s->records = lookup_store_new(records_max);
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->working);
	TAILQ_INIT(&s->workers);
	s->lockouts = map_new(LOCKOUTS_MAX, free);
	s->upgrades = map_new(UPGRADES_KEPT, free);
	if (pthread_mutex_init(&s->mutex, NULL) != 0 ||
	    pthread_mutex_init(&s->workers_mutex, NULL) != 0)
		abort();
	return s;
}

void
tenants_shared_free(struct tenants_shared *s)
{
	if (s == NULL)
		return;
	lookup_store_free(s->records);
	pthread_mutex_destroy(&s->mutex);
	pthread_mutex_destroy(&s->workers_mutex);
	map_free(s->lockouts);
	map_free(s->upgrades);
	free(s);
}

unsigned
shared_replicas(const struct tenants_shared *s)
{
	return s->replicas != NULL ? replicas_live(s->replicas) : 1;
}

/* ---- the bucket ---- */

bool
shared_bucket_reserve(struct tenants_shared *s, struct neon_rate rate, uint64_t ahead_max_us,
    uint64_t *wait_us)
{
	bool reserved;

	pthread_mutex_lock(&s->mutex);
	reserved = neon_bucket_reserve(rate, &s->bucket_us, clock_mono_us(), ahead_max_us, wait_us);
	pthread_mutex_unlock(&s->mutex);
	return reserved;
}

void
shared_bucket_hold(struct tenants_shared *s, struct neon_rate rate, uint64_t us)
{
	pthread_mutex_lock(&s->mutex);
	neon_bucket_hold(rate, &s->bucket_us, clock_mono_us(), us);
	pthread_mutex_unlock(&s->mutex);
}

void
shared_bucket_follow(struct tenants_shared *s, uint64_t ahead_us)
{
	pthread_mutex_lock(&s->mutex);
	s->bucket_us = clock_mono_us() + ahead_us;
	pthread_mutex_unlock(&s->mutex);
}

/* ---- the record ---- */

void
shared_pace_add(struct tenants_shared *s, struct neon_creation_times t)
{
	pthread_mutex_lock(&s->mutex);
	pace_add(&s->pace, t);
	pthread_mutex_unlock(&s->mutex);
}

struct neon_pace
shared_pace(struct tenants_shared *s)
{
	struct neon_pace pace;

	pthread_mutex_lock(&s->mutex);
	pace = s->pace;
	pthread_mutex_unlock(&s->mutex);
	return pace;
}

/* ---- the queue ---- */

static struct shared_place *
place_of_name(struct shared_places *list, const char *name)
{
	struct shared_place *p;

	TAILQ_FOREACH(p, list, link) {
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static void
place_unlink(struct tenants_shared *s, struct shared_place *p)
{
	if (p->list == NULL)
		return;
	if (p->list == &s->working)
		s->working_count--;
	else
		s->waiting_count--;
	TAILQ_REMOVE(p->list, p, link);
	p->list = NULL;
}

/* A second flow of the same tenant (its client came back to another worker) stands beside the
 * first. */
static void
place_enter(struct tenants_shared *s, struct shared_place *p)
{
	struct shared_place *same = place_of_name(&s->waiting, p->name);

	if (same != NULL)
		TAILQ_INSERT_AFTER(&s->waiting, same, p, link);
	else
		TAILQ_INSERT_TAIL(&s->waiting, p, link);
	p->list = &s->waiting;
	s->waiting_count++;
}

static void
place_take(struct tenants_shared *s, struct shared_place *p)
{
	place_unlink(s, p);
	TAILQ_INSERT_TAIL(&s->working, p, link);
	p->list = &s->working;
	s->working_count++;
}

/* Names before it: neighbours of one name count once. */
static unsigned
place_rank(struct tenants_shared *s, const struct shared_place *p)
{
	const struct shared_place *each, *last = NULL;
	unsigned rank = 0;

	TAILQ_FOREACH(each, &s->waiting, link) {
		if (strcmp(each->name, p->name) == 0)
			break;
		rank += last == NULL || strcmp(each->name, last->name) != 0;
		last = each;
	}
	return rank;
}

static enum shared_verdict
place_look(struct tenants_shared *s, struct shared_place *p, unsigned slots, unsigned *before)
{
	if (place_of_name(&s->working, p->name) != NULL) {
		place_unlink(s, p);
		return PLACE_ELSEWHERE;
	}
	if (p->list == NULL)
		place_enter(s, p);
	*before = place_rank(s, p) + s->working_count;
	if (*before >= slots)
		return PLACE_WAITS;
	place_take(s, p);
	return PLACE_TAKEN;
}

struct shared_look
shared_place_look(struct tenants_shared *s, struct shared_place *p, unsigned slots)
{
	struct shared_look look = { .before = 0 };

	pthread_mutex_lock(&s->mutex);
	look.verdict = place_look(s, p, slots, &look.before);
	look.all = s->waiting_count + s->working_count;
	look.ahead_us = neon_bucket_ahead(s->bucket_us, clock_mono_us());
	pthread_mutex_unlock(&s->mutex);
	return look;
}

void
shared_place_leave(struct tenants_shared *s, struct shared_place *p)
{
	pthread_mutex_lock(&s->mutex);
	place_unlink(s, p);
	pthread_mutex_unlock(&s->mutex);
}

/* ---- tenants whose database refuses the login ---- */

/* No password is kept for longer than it is of use. */
static void
address_digest(const struct tenant *t, char out[SHA256_HEX_SIZE])
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "%s\n%u\n%s\n%s\n%s", t->host, (unsigned)t->port, t->dbname, t->user,
	    t->password);
	sha256_hex(buf_view(&b), out);
	buf_wipe(&b);
	buf_free(&b);
}

/* The next three under the lock. What nearly every request asks is answered without it. */
static void
lockouts_count(struct tenants_shared *s)
{
	atomic_store(&s->lockout_count, (unsigned)map_count(s->lockouts));
}

static void
lockout_put(struct tenants_shared *s, const char *id, const struct lockout *lockout)
{
	struct lockout *copy = xmalloc(sizeof(*copy));

	*copy = *lockout;
	if (!map_put(s->lockouts, slice_str(mutated(MUTATION_LOCKOUT, id)), copy))
		free(copy);
	lockouts_count(s);
}

static struct lockout *
lockout_of(struct tenants_shared *s, const char *id, const char *address)
{
	struct lockout *l = map_get(s->lockouts, slice_str(mutated(MUTATION_LOCKOUT, id)));

	if (l == NULL || clock_mono_us() >= l->until_us || strcmp(l->address, address) != 0)
		return NULL;
	return l;
}

static void
lockout_fill(struct lockout *l, const struct tenant *t, const struct err *why, uint64_t us)
{
	address_digest(t, l->address);
	l->until_us = clock_mono_us() + us;
	l->why = *why;
}

bool
shared_lockout_begin(struct tenants_shared *s, const struct tenant *t, const struct err *why,
    uint64_t us)
{
	struct lockout l;
	bool begins;

	lockout_fill(&l, t, why, us);
	pthread_mutex_lock(&s->mutex);
	begins = lockout_of(s, t->id, l.address) == NULL;
	if (begins)
		lockout_put(s, t->id, &l);
	pthread_mutex_unlock(&s->mutex);
	return begins;
}

void
shared_lockout_set(struct tenants_shared *s, const struct tenant *t, const struct err *why,
    uint64_t us)
{
	struct lockout l;

	lockout_fill(&l, t, why, us);
	pthread_mutex_lock(&s->mutex);
	lockout_put(s, t->id, &l);
	pthread_mutex_unlock(&s->mutex);
}

void
shared_lockout_end(struct tenants_shared *s, const char *id)
{
	pthread_mutex_lock(&s->mutex);
	map_del(s->lockouts, slice_str(mutated(MUTATION_LOCKOUT, id)));
	lockouts_count(s);
	pthread_mutex_unlock(&s->mutex);
}

bool
shared_lockout(struct tenants_shared *s, const struct tenant *t, struct err *why)
{
	char address[SHA256_HEX_SIZE];
	const struct lockout *l;
	uint64_t now;

	if (atomic_load(&s->lockout_count) == 0)
		return false;
	address_digest(t, address);
	pthread_mutex_lock(&s->mutex);
	now = clock_mono_us();
	l = lockout_of(s, t->id, address);
	if (l != NULL) {
		*why = l->why;
		if (why->retry_after == 0)
			why->retry_after = (int)((l->until_us - now + 999999) / 1000000);
	}
	pthread_mutex_unlock(&s->mutex);
	return l != NULL;
}

/* ---- schemas ---- */

bool
shared_upgrade_begin(struct tenants_shared *s, const char *id, uint64_t us)
{
	uint64_t now = clock_mono_us(), *until, *entry;
	bool begins;

	pthread_mutex_lock(&s->mutex);
	until = map_get(s->upgrades, slice_str(mutated(MUTATION_UPGRADE, id)));
	begins = until == NULL || now >= *until;
	if (begins && until != NULL) {
		*until = now + us;
	} else if (begins) {
		entry = xmalloc(sizeof(*entry));
		*entry = now + us;
		if (!map_put(s->upgrades, slice_str(mutated(MUTATION_UPGRADE, id)), entry))
			free(entry);
	}
	pthread_mutex_unlock(&s->mutex);
	return begins;
}
