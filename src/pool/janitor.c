/* SPDX-License-Identifier: MIT */
/*
 * janitor: what only the passing of time makes due, done in rounds on worker 0: servers idle or
 * alive for too long are closed, pools whose back-off is over may log in again, hosts' learned
 * limits grow, pools that have long been empty are freed. Rounds are a quarter of the shortest of
 * those times apart, and a second at most (pools_configure.c), so that none is kept late
 * by more than a quarter.
 *
 * While no pool waits and no limit is learned the janitor rests: its rounds are up to twenty
 * seconds apart, for an idle process should not wake. The first pool that begins to wait ends
 * the rest.
 */
#include <stdlib.h>

#include "pool/janitor.h"
#include "tenantgate/base/clock.h"

/* server_idle_timeout. The list is in order of age, so it is read only as far as it is due. */
static void
close_long_idle(struct pools *p, uint64_t now, struct deferred *deferred)
{
	struct server *s;

	if (p->conf.server_idle_timeout_us == 0)
		return;
	while ((s = TAILQ_FIRST(&p->idle)) != NULL &&
	    now - s->idle_since_us >= p->conf.server_idle_timeout_us)
		server_drop(s, deferred);
}

/* server_lifetime of idle servers, in no order; active ones are seen to when they are returned. */
static void
close_expired(struct pools *p, uint64_t now, struct deferred *deferred)
{
	struct server *s, *next;

	for (s = TAILQ_FIRST(&p->idle); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (now >= s->expires_us)
			server_drop(s, deferred);
	}
}

/* Every pool in back-off is looked at once: it first goes to the list's end, and stays there when
 * its back-off is not over, so that counting down visits each and the loop ends. */
static void
retry_logins(struct pools *p, struct deferred *deferred)
{
	unsigned n = p->place_counts[POOL_BACKOFF];

	while (n-- > 0 && !TAILQ_EMPTY(&p->places[POOL_BACKOFF])) {
		struct pool *pool = TAILQ_FIRST(&p->places[POOL_BACKOFF]);

		TAILQ_REMOVE(&p->places[POOL_BACKOFF], pool, link);
		TAILQ_INSERT_TAIL(&p->places[POOL_BACKOFF], pool, link);
		pool_changed(pool, deferred);
	}
}

/* A pool whose connections all hang has no events: its place among those who wait is computed anew
 * when its turn is overdue. Each is looked at once, as above. */
static void
notice_overdue_at(struct pools *p, enum pool_place place, struct deferred *deferred)
{
	unsigned n = p->place_counts[place];

	while (n-- > 0 && !TAILQ_EMPTY(&p->places[place])) {
		struct pool *pool = TAILQ_FIRST(&p->places[place]);

		TAILQ_REMOVE(&p->places[place], pool, link);
		TAILQ_INSERT_TAIL(&p->places[place], pool, link);
		if (!pool->is_overdue && pool_turns_overdue(pool))
			pool_changed(pool, deferred);
	}
}

void
pools_notice_overdue(struct pools *p, struct deferred *deferred)
{
	notice_overdue_at(p, POOL_WAITS, deferred);
	notice_overdue_at(p, POOL_WAITS_HOST, deferred);
}

/* Events at a host tell who waits there, one at a time. Whom none has told, although there is room,
 * is not to wait for the next event: it may be its own time-out. */
static void
promote_at_hosts(struct pools *p)
{
	unsigned n = p->place_counts[POOL_WAITS_HOST];

	while (n-- > 0 && !TAILQ_EMPTY(&p->places[POOL_WAITS_HOST])) {
		struct pool *pool = TAILQ_FIRST(&p->places[POOL_WAITS_HOST]);

		TAILQ_REMOVE(&p->places[POOL_WAITS_HOST], pool, link);
		TAILQ_INSERT_TAIL(&p->places[POOL_WAITS_HOST], pool, link);
		pool_host_promote(pool->host);
	}
}

/* pool_idle_timeout. The list is in the order in which pools became empty. One in back-off keeps
 * its place until that is over, and those behind it. */
static void
forget_unused(struct pools *p, uint64_t now)
{
	struct pool *pool;

	while ((pool = TAILQ_FIRST(&p->places[POOL_EMPTY])) != NULL &&
	    now - pool->empty_since_us >= p->conf.pool_idle_timeout_us && !pool_in_backoff(pool))
		pool_free(pool);
}

/* How long until the next round. */
static uint64_t
janitor_next_us(struct pools *p)
{
	unsigned calm = p->place_counts[POOL_EMPTY] + p->place_counts[POOL_SATISFIED];
	unsigned all = 0;

	for (unsigned i = 0; i < POOL_PLACES; i++)
		all += p->place_counts[i];
	p->janitor_rests = calm == all && TAILQ_EMPTY(&p->limited);
	return p->janitor_rests ? p->janitor_rest_us : p->janitor_us;
}

static void
janitor_round(void *arg)
{
	struct pools *p = arg;
	uint64_t now = clock_mono_us();
	struct deferred deferred;

	pools_lock(p, &deferred);
	close_long_idle(p, now, &deferred);
	close_expired(p, now, &deferred);
	retry_logins(p, &deferred);
	pools_notice_overdue(p, &deferred);
	promote_at_hosts(p);
	pools_hosts_rise(p, &deferred); /* and passes */
	forget_unused(p, now);
	timer_start(&p->janitor, janitor_next_us(p));
	pools_unlock(p, &deferred);
}

/* Posted while worker 0 was attached; it may have been detached since. */
static void
janitor_rest_end(void *arg)
{
	struct pools *p = arg;
	struct deferred deferred;

	pools_lock(p, &deferred);
	p->janitor_posted = false;
	if (p->workers[0].worker != NULL)
		timer_start(&p->janitor, p->janitor_us);
	pools_unlock(p, &deferred);
}

struct worker *
janitor_claim(struct pools *p)
{
	struct worker *w = p->workers[0].worker;

	if (!p->janitor_rests || p->janitor_posted || w == NULL)
		return NULL;
	(void)janitor_next_us(p);
	p->janitor_posted = !p->janitor_rests || p->janitor_hurries;
	p->janitor_hurries = false;
	return p->janitor_posted ? w : NULL;
}

void
janitor_post(struct pools *p, struct worker *w)
{
	worker_post(w, &p->janitor_task, janitor_rest_end, p);
}

void
janitor_open(struct pools *p, struct worker *w)
{
	if (!timer_init(&p->janitor, w, janitor_round, p))
		abort();
	timer_start(&p->janitor, p->janitor_us);
}
