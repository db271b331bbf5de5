/* SPDX-License-Identifier: MIT */
/*
 * Eight workers take from one budget for the same few holders: random units and holding times,
 * departures, deadlines, a capacity and a ceiling that change. At every grant the sum of what is
 * held is within the largest capacity there was, and a holder's within the largest ceiling; each
 * taker ends, served or refused; at the end nothing is held and nobody waits.
 *
 *	test_share_stress [takers a worker [seed]]	(default 3000, 1)
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/share.h"

enum { THREADS = 8, NAMES = 12, CAPACITY = 40, CEILING = 25, UNITS = 6, ALIVE_MAX = 60 };

struct stress_thread {
	struct worker *worker;
	struct timer driver;
	struct task open_task, leave_task;
	unsigned left; /* takers still to come */
	unsigned started, ended;
	unsigned granted, refused, too_large, late, departed;
};

struct stress_taker {
	struct flow flow;
	struct stress_thread *thread;
	struct share_grant grant;
	struct timer timer;
	unsigned name, rounds;
	bool holds; /* counted below */
};

static struct share_budget *budget;
static struct stress_thread threads[THREADS];
static atomic_uint threads_done, held, held_most, held_by[NAMES];
static unsigned seed = 1;
static _Thread_local uint64_t stress_rng;

static unsigned
share_dice(unsigned sides)
{
	stress_rng ^= stress_rng << 13;
	stress_rng ^= stress_rng >> 7;
	stress_rng ^= stress_rng << 17;
	return (unsigned)((stress_rng >> 20) % sides);
}

static enum flow_rc
stress_take(struct flow *f)
{
	struct stress_taker *t = (struct stress_taker *)f;
	char name = (char)('a' + t->name);

	return share_take(f, budget, slice_of(&name, 1), 1 + t->name % 3, 1 + share_dice(UNITS),
	    &t->grant);
}

/* Sometimes it grows before it is counted. */
static void
stress_grow(struct stress_taker *t)
{
	char name = (char)('a' + t->name);
	struct err err = { .code = ERR_NONE };

	if (share_dice(3) == 0)
		(void)share_try(budget, slice_of(&name, 1), 1 + t->name % 3, 1 + share_dice(UNITS),
		    &t->grant, &err);
}

/* Counts what the flow holds from now on, and that no limit is passed. */
static void
stress_count(struct stress_taker *t)
{
	unsigned units = (unsigned)t->grant.units;
	unsigned all = atomic_fetch_add(&held, units) + units;
	unsigned own = atomic_fetch_add(&held_by[t->name], units) + units;

	assert(all <= CAPACITY && own <= CEILING);
	if (all > held_most)
		held_most = all;
	t->holds = true;
	t->thread->granted++;
}

static enum flow_rc
stress_hold(struct flow *f)
{
	struct stress_taker *t = (struct stress_taker *)f;

	stress_grow(t);
	stress_count(t);
	if (share_dice(10) == 0)
		return FLOW_NEXT;
	return flow_sleep(f, &t->timer, share_dice(300));
}

/* Granted, but ended before its step (aborted): it gives back what it has not counted. */
static void
stress_give(struct stress_taker *t)
{
	if (t->holds) {
		held -= (unsigned)t->grant.units;
		held_by[t->name] -= (unsigned)t->grant.units;
	}
	t->holds = false;
	share_give(&t->grant);
}

static enum flow_rc
stress_again(struct flow *f)
{
	struct stress_taker *t = (struct stress_taker *)f;

	stress_give(t);
	if (--t->rounds == 0)
		return FLOW_DONE;
	t->name = share_dice(NAMES);
	return flow_goto(f, stress_take);
}

static void
stress_end(struct flow *f, const struct err *err)
{
	struct stress_taker *t = (struct stress_taker *)f;

	stress_give(t);
	t->thread->ended++;
	t->thread->refused += err->code == ERR_OVERLOADED;
	t->thread->too_large += err->code == ERR_TOO_LARGE;
	t->thread->late += err->code == ERR_TIMEOUT;
	t->thread->departed += err->code == ERR_CLIENT_GONE;
}

static void
stress_release(struct flow *f)
{
	free(f);
}

static const struct flow_step stress_steps[] = {
	{ "take", stress_take },
	{ "hold", stress_hold },
	{ "again", stress_again },
	{ NULL, NULL },
};
static const struct flow_kind stress_kind = { "stress_taker", stress_steps, stress_end,
	stress_release };

static void
stress_start(struct stress_thread *thread)
{
	struct stress_taker *t = calloc(1, sizeof(*t));

	assert(t != NULL);
	t->thread = thread;
	t->rounds = 1 + share_dice(4);
	t->name = share_dice(3) == 0 ? 0 : share_dice(NAMES); /* 0 is the noisy one */
	flow_start(&t->flow, &stress_kind, thread->worker, NULL);
	thread->started++;
	if (share_dice(10) == 0)
		flow_deadline(&t->flow, 1 + share_dice(5000));
}

static void
stress_abort_some(struct flow *f, void *arg)
{
	(void)arg;
	if (share_dice(400) == 0)
		flow_abort(f, ERR_CLIENT_GONE, "left");
}

/* Now and then less than the largest request, so that waiters become impossible. */
static void
stress_change(void)
{
	struct share_stats stats;

	if (share_dice(10) == 0)
		share_resize(budget, 4 + share_dice(CAPACITY - 3));
	if (share_dice(10) == 0)
		share_set_ceiling(budget, 4 + share_dice(CEILING - 3));
	share_stats(budget, &stats);
	assert(stats.held <= CAPACITY);
}

static void
stress_drive(void *arg)
{
	struct stress_thread *thread = arg;
	unsigned burst = share_dice(40);

	while (thread->left > 0 && burst-- > 0 && flow_count(thread->worker) < ALIVE_MAX) {
		stress_start(thread);
		thread->left--;
	}
	flow_each(thread->worker, stress_abort_some, NULL);
	stress_change();
	if (thread->left > 0 || flow_count(thread->worker) > 0)
		timer_start(&thread->driver, share_dice(500));
	else
		threads_done++;
}

static void
stress_open(void *arg)
{
	struct stress_thread *thread = arg;

	stress_rng = (seed * 1000 + worker_index(thread->worker) + 1) * 0x9e3779b97f4a7c15ull;
	if (!timer_init(&thread->driver, thread->worker, stress_drive, thread))
		abort();
	timer_start(&thread->driver, 0);
}

static void
stress_leave(void *arg)
{
	struct stress_thread *thread = arg;

	timer_free(&thread->driver);
	worker_stop(thread->worker);
}

static void
stress_run(unsigned takers)
{
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		threads[i].worker = worker_new(i);
		threads[i].left = takers;
		if (threads[i].worker == NULL || !worker_start(threads[i].worker))
			abort();
		worker_post(threads[i].worker, &threads[i].open_task, stress_open, &threads[i]);
	}
	while (threads_done < THREADS)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	for (i = 0; i < THREADS; i++)
		worker_post(threads[i].worker, &threads[i].leave_task, stress_leave, &threads[i]);
	for (i = 0; i < THREADS; i++)
		worker_join(threads[i].worker);
	for (i = 0; i < THREADS; i++)
		worker_free(threads[i].worker);
}

/* False when a taker was lost or something is still held. */
static bool
stress_report(double s)
{
	struct stress_thread sum = { 0 };
	struct share_stats stats;
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		sum.started += threads[i].started;
		sum.ended += threads[i].ended;
		sum.granted += threads[i].granted;
		sum.refused += threads[i].refused;
		sum.too_large += threads[i].too_large;
		sum.late += threads[i].late;
		sum.departed += threads[i].departed;
	}
	share_stats(budget, &stats);
	printf("granted %u; refused %u too_large %u late %u departed %u; most held at once %u of "
	       "%u; %.2f s\n",
	    sum.granted, sum.refused, sum.too_large, sum.late, sum.departed, held_most, CAPACITY,
	    s);
	return sum.started == sum.ended && stats.held == 0 && stats.waiting == 0 &&
	    stats.holders == 0 && held == 0;
}

int
main(int argc, char **argv)
{
	unsigned takers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 3000;
	uint64_t began = clock_mono_us();
	bool whole;
	struct share_conf conf = {
		.noun = "units",
		.setting = "max_units",
		.capacity = CAPACITY,
		.ceiling = CEILING,
		.has_headroom = true,
		.waiting_max = 60,
		.wait_timeout_us = 100000,
	};

	seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	printf("test_share_stress: %u takers on each of %u workers, seed %u\n", takers, THREADS,
	    seed);
	log_level(LOG_ERR);
	budget = share_open(&conf);
	stress_run(takers);
	whole = stress_report((double)(clock_mono_us() - began) / 1e6);
	share_close(budget);
	return whole ? 0 : 1;
}
