/* SPDX-License-Identifier: MIT */
/*
 * tenants_shared: what the workers of a process share of Neon's API, under one lock that is held
 * for arithmetic alone, never across a wait or another lock. Any thread.
 *
 * With Redis, bucket and queue are there, over all replicas; the bucket here then follows it, so
 * that a Redis that goes away does not set a new burst free.
 */
#ifndef TENANT_TENANTS_SHARED_H
#define TENANT_TENANTS_SHARED_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "tenant/neon_pace.h"
#include "tenant/tenant_internal.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/lookup.h"
#include "tenantgate/tenant.h"

/* A creation's place in this process's queue: a member of its ticket, in one list at most. */
TAILQ_HEAD(shared_places, shared_place);
struct shared_place {
	TAILQ_ENTRY(shared_place) link;
	struct shared_places *list; /* borrowed; NULL: in none */
	const char *name; /* borrowed: the ticket's; two of one name are one creation */
};

struct tenants_shared {
	pthread_mutex_t mutex;
	uint64_t bucket_us;	      /* monotonic */
	struct neon_pace pace;
	struct shared_places waiting; /* in order of arrival */
	struct shared_places working;
	unsigned waiting_count, working_count;
	struct map *lockouts; /* owned: tenant id -> struct lockout */
	/* not under the lock */
	atomic_uint lockout_count;
	struct map *upgrades; /* owned, under the lock: tenant id -> when its schema may be looked
			       * at again, monotonic */
	atomic_uint upgrades_running;
	/* Each worker's, while they are open; under a lock of its own, for who has it posts. */
	TAILQ_HEAD(, tenants) workers;
	pthread_mutex_t workers_mutex;
	atomic_uint address_checks; /* flows that ask for an address again (address_check.c) */
	atomic_uint provisions; /* flows that provision, of all workers */
	const struct replicas *replicas; /* borrowed; NULL: this is the only one */
	char origin[DROP_ORIGIN_LEN + 1]; /* random: marks our own messages in DROP_CHANNEL */
	struct lookup_store *records;	 /* owned: of all workers; has a lock of its own */
};

/* A tenant whose database refuses the login. Of one address and password: another is not. */
struct lockout {
	char address[SHA256_HEX_SIZE]; /* their digest */
	uint64_t until_us;	       /* monotonic */
	struct err why;
};
#define LOCKOUTS_MAX 4096 /* the least asked for goes: its requests try a login */

#define UPGRADES_KEPT 4096 /* the least asked for goes: its row is looked at once more */

/* Whether nobody has looked after this tenant's schema for so long as was said then; if so, it
 * counts as done for so long from now. */
bool shared_upgrade_begin(struct tenants_shared *, const char *id, uint64_t us);

/* Each worker's tenants, for those who reach the others; tenants_open() enters, tenants_close()
 * leaves. fn is called under the lock of the list, and only posts. */
typedef void shared_tenants_fn(struct tenants *, void *arg);
void shared_tenants_enter(struct tenants_shared *, struct tenants *);
void shared_tenants_leave(struct tenants_shared *, struct tenants *);
void shared_tenants_each(struct tenants_shared *, shared_tenants_fn *, void *arg);
/* On that worker's thread; NULL: it has none any more. */
struct tenants *shared_tenants_of(struct tenants_shared *, const struct worker *);

/* Live replicas when last heard of, at least 1. */
unsigned shared_replicas(const struct tenants_shared *);

/* Charges one call of this process's part of the rate; see neon_bucket.h. */
bool shared_bucket_reserve(struct tenants_shared *, struct neon_rate, uint64_t ahead_max_us,
    uint64_t *wait_us);
void shared_bucket_hold(struct tenants_shared *, struct neon_rate, uint64_t us);
/* What Redis's bucket was ahead just now. */
void shared_bucket_follow(struct tenants_shared *, uint64_t ahead_us);

void shared_pace_add(struct tenants_shared *, struct neon_creation_times);
struct neon_pace shared_pace(struct tenants_shared *); /* a copy */

enum shared_verdict { PLACE_WAITS, PLACE_TAKEN, PLACE_ELSEWHERE };
struct shared_look {
	enum shared_verdict verdict;
	unsigned before;   /* how many come before it, those that are at work included */
	unsigned all;	   /* that wait or are at work */
	uint64_t ahead_us; /* of the bucket */
};
/* Enters the queue if it is not in it, and takes a slot if it is its turn and one of `slots` is
 * free. PLACE_ELSEWHERE: another place of its name is at work; then it is in no list. */
struct shared_look shared_place_look(struct tenants_shared *, struct shared_place *,
    unsigned slots);
void shared_place_leave(struct tenants_shared *, struct shared_place *); /* idempotent */

/* For whoever finds out what is the matter. False when somebody is at it, or has found it. */
bool shared_lockout_begin(struct tenants_shared *, const struct tenant *, const struct err *why,
    uint64_t us);
/* What it was: in place of what the beginning said. */
void shared_lockout_set(struct tenants_shared *, const struct tenant *, const struct err *why,
    uint64_t us);
void shared_lockout_end(struct tenants_shared *, const char *id); /* idempotent */
/* False when there is none of this address, or its time is over; else why, with a retry_after. */
bool shared_lockout(struct tenants_shared *, const struct tenant *, struct err *why);

#endif
