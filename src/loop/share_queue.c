/* SPDX-License-Identifier: MIT */
/*
 * share_queue.c: every taker is queued and share_pass() run, so that who may take one now is found
 * by the one order of base/budget, the newcomer like all others. A newcomer that was granted its
 * units by that very pass never waits.
 */
#include "loop/share_queue.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"

#define RETRY_AFTER_MAX 60 /* seconds */

/* ---- holders ---- */

static struct share_holder *
share_holder_of(struct budget_holder *place)
{
	return (
	    struct share_holder *)(void *)((char *)place - offsetof(struct share_holder, place));
}

struct share_holder *
share_holder_find(struct share_budget *s, struct slice name)
{
	struct share_holder *h = map_get(s->holders, name);

	assert(name.len <= SHARE_HOLDER_MAX);
	if (h != NULL)
		return h;
	h = xcalloc(1, sizeof(*h) + name.len);
	budget_join(&h->place, &s->budget, 1, s->conf.ceiling);
	TAILQ_INIT(&h->waiters);
	h->len = name.len;
	memcpy(h->name, name.p, name.len);
	if (!map_put(s->holders, name, h))
		alloc_die(sizeof(*h) + name.len);
	return h;
}

void
share_holder_settle(struct share_budget *s, struct share_holder *h)
{
	if (h->place.held > 0 || h->waiting > 0)
		return;
	(void)map_take(s->holders, slice_of(h->name, h->len));
	free(h);
}

/* After any change of its queue: its first waiter may be another now. Of what is held briefly most
 * holders have nothing at most moments, so that the order of arrival would decide, and a crowd of
 * one holder's waiters would go before all who came later: there, who was just served stands as if
 * its next waiter came now. */
static void
holder_queue_changed(struct share_holder *h, bool takes_turns)
{
	const struct share_waiter *first = TAILQ_FIRST(&h->waiters);

	if (first == NULL)
		budget_leave(&h->place);
	else if (takes_turns && h->turn > first->serial)
		budget_wait(&h->place, h->turn, first->units);
	else
		budget_wait(&h->place, first->serial, first->units);
}

/* ---- refusals ---- */

/* The place is at most one turn of each waiting holder for each waiter of its own before it. */
int
share_retry_after(struct share_budget *s, const struct share_holder *h)
{
	double per_s = grant_rate_per_s(&s->rate, clock_mono_us());
	uint64_t place = ((uint64_t)h->waiting + 1) * (s->budget.waiting.count + 1);

	if (place > (uint64_t)s->waiting + 1)
		place = (uint64_t)s->waiting + 1;
	if ((double)place >= per_s * RETRY_AFTER_MAX)
		return RETRY_AFTER_MAX;
	return (int)((double)place / per_s) + 1;
}

uint64_t
share_units_max(const struct share_budget *s)
{
	uint64_t most = budget_largest(&s->budget);

	return most < s->conf.ceiling ? most : s->conf.ceiling;
}

uint64_t
share_grown_max(const struct share_budget *s)
{
	uint64_t most = budget_largest_grown(&s->budget);

	return most < s->conf.ceiling ? most : s->conf.ceiling;
}

static void
too_large_error(const struct share_budget *s, uint64_t units, uint64_t most, struct err *err)
{
	err_set(err, ERR_TOO_LARGE,
	    "This needs %llu %s, and one tenant may have %llu. Send less at once, or raise %s.",
	    (unsigned long long)units, s->conf.noun, (unsigned long long)most, s->conf.setting);
}

/* Sets the waiter's err when there is no point in waiting. */
static void
waiter_refuse(struct share_waiter *w, const struct share_holder *h)
{
	struct share_budget *s = w->budget;

	if (w->units > share_units_max(s)) {
		too_large_error(s, w->units, share_units_max(s), &w->err);
	} else if (h->waiting >= s->conf.waiting_max) {
		err_set(&w->err, ERR_OVERLOADED,
		    "%u requests of this tenant already wait for %s; try again later or raise %s.",
		    h->waiting, s->conf.noun, s->conf.setting);
		w->err.retry_after = share_retry_after(s, h);
	}
	s->refused_total += err_is(&w->err);
}

/* ---- grants ---- */

static void
share_count_grant(struct share_budget *s, struct budget_holder *place, uint64_t units)
{
	budget_take(place, units);
	s->granted_total++;
	grant_rate_count(&s->rate, clock_mono_us());
}

bool
share_add(struct share_budget *s, struct share_holder *h, uint64_t already, uint64_t units,
    struct err *err)
{
	uint64_t most = already > 0 ? share_grown_max(s) : share_units_max(s);

	if (budget_admits(&h->place, units)) {
		share_count_grant(s, &h->place, units);
		return true;
	}
	if (already + units > most) {
		too_large_error(s, already + units, most, err);
	} else {
		err_set(err, ERR_OVERLOADED,
		    "This tenant may have no more %s now; try again later or raise %s.",
		    s->conf.noun, s->conf.setting);
		err->retry_after = share_retry_after(s, h);
	}
	s->refused_total++;
	return false;
}

/* ---- the queue ---- */

void
share_waiter_queue(struct share_waiter *w, struct share_holder *h)
{
	struct share_budget *s = w->budget;

	waiter_refuse(w, h);
	if (err_is(&w->err))
		return;
	w->holder = h;
	w->serial = s->serial++;
	TAILQ_INSERT_TAIL(&s->waiters, w, queued);
	s->waiting++;
	TAILQ_INSERT_TAIL(&h->waiters, w, link);
	h->waiting++;
	holder_queue_changed(h, !s->conf.has_headroom);
}

void
share_waiter_unqueue(struct share_waiter *w)
{
	struct share_budget *s = w->budget;
	struct share_holder *h = w->holder;

	assert(w->state == SHARE_QUEUED && s->waiting > 0 && h->waiting > 0);
	TAILQ_REMOVE(&s->waiters, w, queued);
	s->waiting--;
	TAILQ_REMOVE(&h->waiters, w, link);
	h->waiting--;
	holder_queue_changed(h, !s->conf.has_headroom);
}

static void
waiter_notify_of(struct share_waiter *w, struct share_waiter_list *woken)
{
	share_waiter_unqueue(w);
	w->state = SHARE_NOTIFIED;
	TAILQ_INSERT_TAIL(woken, w, link);
}

void
share_pass(struct share_budget *s, struct share_waiter_list *woken)
{
	struct budget_holder *place;

	while ((place = budget_next(&s->budget)) != NULL) {
		struct share_waiter *w = TAILQ_FIRST(&share_holder_of(place)->waiters);

		share_count_grant(s, place, w->units);
		w->holder->turn = s->serial++;
		waiter_notify_of(w, woken);
	}
}

void
share_refuse_impossible(struct share_budget *s, struct share_waiter_list *woken)
{
	struct share_waiter *w, *next;

	for (w = TAILQ_FIRST(&s->waiters); w != NULL; w = next) {
		struct share_holder *h = w->holder;

		next = TAILQ_NEXT(w, queued);
		if (w->units <= share_units_max(s))
			continue;
		too_large_error(s, w->units, share_units_max(s), &w->err);
		s->refused_total++;
		waiter_notify_of(w, woken);
		share_holder_settle(s, h);
	}
}
