/* SPDX-License-Identifier: MIT */
/*
 * share.c: the lock around share_queue.c, and the waiters' way back to their flows.
 *
 *	waiter:  [queued] --grant, refusal--> [notified] --task--> flow woken, freed
 *	             \                            \ flow aborted
 *	              timeout, flow aborted:       +--> [left] --task--> units given back, freed
 *	              freed
 *
 * States are moved out of [queued] under the lock, by any worker; the rest on the waiter's own. A
 * waiter is freed on its own worker only, and never while its task is under way.
 */
#include "tenantgate/loop/share.h"

#include <assert.h>
#include <stdlib.h>

#include "loop/share_queue.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define EXHAUSTED_US 1000000ull /* a wait that is more than taking turns */

/* ---- the lock ---- */

static void share_waiter_notified(void *);

static void
share_lock(struct share_budget *s, struct share_waiter_list *woken)
{
	TAILQ_INIT(woken);
	pthread_mutex_lock(&s->lock);
}

/* A woken waiter may be freed by its worker as soon as it is posted. Posted under the lock: who
 * gives back may be a helper that drops a job, and a worker whose flow was aborted and that then
 * ends has no task still on its way to it, for the abort took the lock, too. */
static void
share_unlock(struct share_budget *s, struct share_waiter_list *woken)
{
	struct share_waiter *w;

	share_pass(s, woken);
	while ((w = TAILQ_FIRST(woken)) != NULL) {
		TAILQ_REMOVE(woken, w, link);
		worker_post(w->worker, &w->task, share_waiter_notified, w);
	}
	pthread_mutex_unlock(&s->lock);
}

static void
share_return(struct share_budget *s, struct share_holder *h, uint64_t units)
{
	struct share_waiter_list woken;

	share_lock(s, &woken);
	budget_give(&h->place, units);
	share_holder_settle(s, h);
	share_unlock(s, &woken);
}

/* ---- a waiter, on its own worker ---- */

static void
share_waiter_free(struct share_waiter *w)
{
	timer_free(&w->timer);
	free(w);
}

static void
grant_fill(const struct share_waiter *w)
{
	*w->grant = (struct share_grant){
		.budget = w->budget,
		.holder = w->holder,
		.units = w->units,
	};
}

static void
share_waiter_notified(void *arg)
{
	struct share_waiter *w = arg;
	bool left = w->state == SHARE_LEFT;

	if (err_is(&w->err) && !left) {
		flow_wake_err(w->flow, &w->err);
	} else if (!err_is(&w->err) && left) {
		share_return(w->budget, w->holder, w->units);
	} else if (!left) {
		grant_fill(w);
		flow_wake(w->flow);
	}
	share_waiter_free(w);
}

/* True when it was still queued: it is out of the queue and the caller's to free. False: it is
 * notified, and its task, which is on its way, will free it. */
static bool
share_waiter_leave(struct share_waiter *w, bool late, int *retry_after)
{
	struct share_budget *s = w->budget;
	struct share_waiter_list woken;
	bool queued;

	share_lock(s, &woken);
	queued = w->state == SHARE_QUEUED;
	if (queued) {
		share_waiter_unqueue(w);
		*retry_after = share_retry_after(s, w->holder);
		s->refused_total += late;
		share_holder_settle(s, w->holder);
	}
	share_unlock(s, &woken);
	return queued;
}

/* The flow's cancel: it was aborted and must not be touched any more. */
static void
share_waiter_cancelled(void *arg)
{
	struct share_waiter *w = arg;
	int unused;

	if (share_waiter_leave(w, false, &unused))
		share_waiter_free(w);
	else
		w->state = SHARE_LEFT;
}

/* A grant that is on its way wins. */
static void
share_waiter_timed_out(void *arg)
{
	struct share_waiter *w = arg;
	const struct share_conf *conf = &w->budget->conf;
	int retry_after;

	if (!share_waiter_leave(w, true, &retry_after))
		return;
	err_set(&w->err, ERR_OVERLOADED,
	    "None of the %s came free for this tenant within %.1f s; try again later or raise %s.",
	    conf->noun, (double)w->timeout_us / 1e6, conf->setting);
	w->err.retry_after = retry_after;
	flow_wake_err(w->flow, &w->err);
	share_waiter_free(w);
}

/* ---- taking and giving ---- */

static struct share_waiter *
share_waiter_new(struct flow *f, struct share_budget *s, uint64_t units, struct share_grant *grant)
{
	struct share_waiter *w = xcalloc(1, sizeof(*w));

	w->budget = s;
	w->flow = f;
	w->worker = f->worker;
	w->grant = grant;
	w->units = units;
	w->since_us = clock_mono_us();
	return w;
}

/* The one critical section of a take. Afterwards the waiter is refused (its err is set), granted
 * (NOTIFIED, and its task is not posted, for its flow need not wait), or queued. True when it is
 * queued: then it may be another worker's to notify at any moment. */
static bool
share_decide(struct share_waiter *w, struct slice name, unsigned weight)
{
	struct share_budget *s = w->budget;
	struct share_waiter_list woken;
	struct share_holder *h;
	bool waits;

	share_lock(s, &woken);
	h = share_holder_find(s, name);
	budget_set_weight(&h->place, weight);
	w->timeout_us = s->conf.wait_timeout_us;
	share_waiter_queue(w, h);
	share_pass(s, &woken);
	waits = w->state == SHARE_QUEUED && !err_is(&w->err);
	if (w->state == SHARE_NOTIFIED)
		TAILQ_REMOVE(&woken, w, link);
	share_holder_settle(s, h);
	share_unlock(s, &woken);
	return waits;
}

/* It may have been notified by now; but its task comes through this worker's mailbox, and cannot
 * run before this function has returned to the loop. */
static enum flow_rc
share_wait(struct flow *f, struct share_waiter *w)
{
	if (!timer_init(&w->timer, f->worker, share_waiter_timed_out, w))
		alloc_die(sizeof(w->timer));
	timer_start(&w->timer, w->timeout_us);
	return flow_wait(f, share_waiter_cancelled, w);
}

enum flow_rc
share_take(struct flow *f, struct share_budget *s, struct slice holder, unsigned weight,
    uint64_t units, struct share_grant *grant)
{
	struct share_waiter *w = share_waiter_new(f, s, units, grant);
	struct err err;

	assert(grant->budget == NULL && units > 0);
	if (share_decide(w, holder, weight))
		return share_wait(f, w);
	err = w->err;
	if (!err_is(&err))
		grant_fill(w);
	free(w);
	return err_is(&err) ? flow_fail_err(f, &err) : FLOW_NEXT;
}

bool
share_try(struct share_budget *s, struct slice holder, unsigned weight, uint64_t units,
    struct share_grant *grant, struct err *err)
{
	struct share_waiter_list woken;
	struct share_holder *h;
	bool taken;

	assert(grant->budget == NULL || grant->budget == s);
	share_lock(s, &woken);
	h = share_holder_find(s, holder);
	assert(grant->holder == NULL || grant->holder == h);
	budget_set_weight(&h->place, weight);
	taken = share_add(s, h, grant->units, units, err);
	if (taken)
		*grant = (struct share_grant){ s, h, grant->units + units };
	share_holder_settle(s, h);
	share_unlock(s, &woken);
	return taken;
}

void
share_give(struct share_grant *grant)
{
	struct share_grant given = *grant;

	*grant = (struct share_grant){ .budget = NULL };
	if (given.budget != NULL)
		share_return(given.budget, given.holder, given.units);
}

void
share_give_some(struct share_grant *grant, uint64_t units)
{
	if (units >= grant->units) {
		share_give(grant);
	} else if (units > 0) {
		grant->units -= units;
		share_return(grant->budget, grant->holder, units);
	}
}

void
share_give_later(void *grant)
{
	share_give(grant);
}

/* ---- the budget ---- */

struct share_budget *
share_open(const struct share_conf *conf)
{
	struct share_budget *s = xcalloc(1, sizeof(*s));

	if (pthread_mutex_init(&s->lock, NULL) != 0)
		abort();
	s->conf = *conf;
	if (s->conf.ceiling == 0)
		s->conf.ceiling = BUDGET_NO_CEILING;
	budget_init(&s->budget, conf->capacity, conf->has_headroom);
	s->holders = map_new(0, NULL);
	TAILQ_INIT(&s->waiters);
	grant_rate_init(&s->rate, clock_mono_us());
	return s;
}

void
share_close(struct share_budget *s)
{
	if (s == NULL)
		return;
	assert(map_count(s->holders) == 0 && s->budget.held == 0 && s->waiting == 0);
	map_free(s->holders);
	budget_free(&s->budget);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void
share_resize(struct share_budget *s, uint64_t capacity)
{
	struct share_waiter_list woken;

	share_lock(s, &woken);
	budget_resize(&s->budget, capacity);
	share_refuse_impossible(s, &woken);
	share_unlock(s, &woken);
}

uint64_t
share_largest_grown(struct share_budget *s)
{
	uint64_t largest;

	pthread_mutex_lock(&s->lock);
	largest = share_grown_max(s);
	pthread_mutex_unlock(&s->lock);
	return largest;
}

static bool
holder_set_ceiling(struct slice name, void *value, void *arg)
{
	struct share_holder *h = value;
	const uint64_t *ceiling = arg;

	(void)name;
	budget_set_ceiling(&h->place, *ceiling);
	return true;
}

void
share_set_ceiling(struct share_budget *s, uint64_t ceiling)
{
	struct share_waiter_list woken;

	share_lock(s, &woken);
	s->conf.ceiling = ceiling > 0 ? ceiling : BUDGET_NO_CEILING;
	map_each(s->holders, holder_set_ceiling, &s->conf.ceiling);
	share_refuse_impossible(s, &woken);
	share_unlock(s, &woken);
}

void
share_set_waiting(struct share_budget *s, unsigned waiting_max, uint64_t wait_timeout_us)
{
	pthread_mutex_lock(&s->lock);
	s->conf.waiting_max = waiting_max;
	s->conf.wait_timeout_us = wait_timeout_us;
	pthread_mutex_unlock(&s->lock);
}

void
share_stats(struct share_budget *s, struct share_stats *stats)
{
	uint64_t now_us = clock_mono_us();
	const struct share_waiter *oldest;

	pthread_mutex_lock(&s->lock);
	oldest = TAILQ_FIRST(&s->waiters);
	*stats = (struct share_stats){
		.capacity = s->budget.capacity,
		.held = s->budget.held,
		.granted_total = s->granted_total,
		.refused_total = s->refused_total,
		.holders = (unsigned)map_count(s->holders),
		.waiting = s->waiting,
	};
	if (oldest != NULL && oldest->since_us < now_us)
		stats->longest_wait_us = now_us - oldest->since_us;
	pthread_mutex_unlock(&s->lock);
}

/* What the rule keeps for who holds nothing yet (base/budget.h) is no room for the others. */
void
share_condition(struct share_budget *s, struct condition *out)
{
	struct share_stats now;
	uint64_t kept;

	share_stats(s, &now);
	kept = now.capacity / 10 > 0 ? now.capacity / 10 : 1;
	if (now.holders < 2 || now.longest_wait_us < EXHAUSTED_US ||
	    now.held + (s->conf.has_headroom ? kept : 0) < now.capacity)
		return;
	condition_ill(out,
	    "%llu of %llu %s are lent, and %u requests wait, the longest for %llu s; raise %s, or "
	    "add a replica.",
	    (unsigned long long)now.held, (unsigned long long)now.capacity, s->conf.noun,
	    now.waiting, (unsigned long long)(now.longest_wait_us / 1000000), s->conf.setting);
}
