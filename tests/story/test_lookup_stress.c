/* SPDX-License-Identifier: MIT */
/*
 * Eight workers look the same few things up in caches over one store, while some are taken away
 * for good (and some of these forgotten by message), all are forgotten, and the source fails.
 * Nobody who asks after a worker has seen a thing gone gets it as found; at the end no record is
 * left over.
 *
 *	test_lookup_stress [askers a worker [seed]]	(default 4000, 1)
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/lookup.h"

enum { THREADS = 8, THINGS = 24, ALIVE_MAX = 60, ROUNDS = 400 };

/* What the source has: a thing goes at some moment (is_there), and from the first time that a
 * worker was told so and has kept it (was_seen_gone) nobody may find it. Each time all are
 * replaced, things get new names. */
struct stress_thing {
	atomic_bool is_there, was_seen_gone;
};
static struct stress_thing things[ROUNDS][THINGS];
static atomic_uint generation;

struct stress_record {
	struct lookup_record base;
	unsigned round, n;
};

struct stress_fetch {
	struct lookup_fetch base;
	struct timer timer;
	bool was_there; /* as it was read */
};

struct lookup_thread {
	struct worker *worker;
	struct lookup_cache *cache;
	struct timer driver;
	struct task open_task, leave_task;
	unsigned left, started, ended, found, absent, failed, departed, revived;
};

struct stress_asker {
	struct flow flow;
	struct lookup_waiter waiter;
	struct lookup_thread *thread;
	struct timer timer;
	unsigned round, n;
	char key[16];
	bool was_seen_gone; /* before it asked */
};

static struct lookup_store *store;
static struct lookup_thread threads[THREADS];
static atomic_uint threads_done, records_alive;
static unsigned seed = 1;
static _Thread_local uint64_t lookup_rng;

static unsigned
lookup_dice(unsigned sides)
{
	lookup_rng ^= lookup_rng << 13;
	lookup_rng ^= lookup_rng >> 7;
	lookup_rng ^= lookup_rng << 17;
	return (unsigned)((lookup_rng >> 20) % sides);
}

static struct stress_thing *
thing_of(unsigned round, unsigned n)
{
	return &things[round][n];
}

/* ---- the source ---- */

static void
stress_record_free(struct lookup_record *r)
{
	records_alive--;
	free((struct stress_record *)r);
}

static struct lookup_record *
stress_record_new(struct slice key)
{
	struct stress_record *r = calloc(1, sizeof(*r));
	char text[16];

	assert(r != NULL && key.len < sizeof(text));
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(key));
	assert(sscanf(text, "%u/%u", &r->round, &r->n) == 2);
	lookup_record_init(&r->base, stress_record_free);
	records_alive++;
	return &r->base;
}

/* Reads, and is a while on its way back. */
static enum flow_rc
fetch_read(struct flow *f)
{
	struct stress_fetch *t = (struct stress_fetch *)f;
	const struct stress_record *r = (const struct stress_record *)t->base.record;

	t->was_there = thing_of(r->round, r->n)->is_there;
	return flow_sleep(f, &t->timer, lookup_dice(4) == 0 ? lookup_dice(3000) : 0);
}

static enum flow_rc
fetch_return(struct flow *f)
{
	struct stress_fetch *t = (struct stress_fetch *)f;

	if (lookup_dice(8) == 0)
		return flow_fail(f, ERR_CATALOG, "The source is away.");
	t->base.record->is_negative = !t->was_there;
	return FLOW_DONE;
}

static const struct flow_step fetch_steps[] = {
	{ "read", fetch_read },
	{ "return", fetch_return },
	{ NULL, NULL },
};
static const struct flow_kind fetch_kind = { "stress_fetch", fetch_steps, NULL, NULL };

/* ---- who asks ---- */

static enum flow_rc
stress_ask(struct flow *f)
{
	struct stress_asker *a = (struct stress_asker *)f;

	a->was_seen_gone = thing_of(a->round, a->n)->was_seen_gone;
	return lookup_wait(f, a->thread->cache, slice_str(a->key), &a->waiter);
}

/* What was found may be older than the asking; but not older than what was known by then. */
static enum flow_rc
stress_look(struct flow *f)
{
	struct stress_asker *a = (struct stress_asker *)f;
	const struct stress_record *r = (const struct stress_record *)a->waiter.record;

	assert(r->round == a->round && r->n == a->n);
	a->thread->found += !r->base.is_negative;
	a->thread->absent += r->base.is_negative;
	a->thread->revived += !r->base.is_negative && a->was_seen_gone;
	if (r->base.is_negative)
		thing_of(a->round, a->n)->was_seen_gone = true;
	return flow_sleep(f, &a->timer, lookup_dice(200));
}

static void
stress_asker_end(struct flow *f, const struct err *err)
{
	struct stress_asker *a = (struct stress_asker *)f;

	lookup_waiter_clear(&a->waiter);
	a->thread->ended++;
	a->thread->failed += err->code == ERR_CATALOG || err->code == ERR_OVERLOADED;
	a->thread->departed += err->code == ERR_CLIENT_GONE;
}

static void
stress_asker_release(struct flow *f)
{
	free(f);
}

static const struct flow_step asker_steps[] = {
	{ "ask", stress_ask },
	{ "look", stress_look },
	{ NULL, NULL },
};
static const struct flow_kind asker_kind = { "stress_asker", asker_steps, stress_asker_end,
	stress_asker_release };

static void
stress_asker_start(struct lookup_thread *thread)
{
	struct stress_asker *a = calloc(1, sizeof(*a));

	assert(a != NULL);
	a->thread = thread;
	a->round = generation;
	a->n = lookup_dice(THINGS);
	snprintf(a->key, sizeof(a->key), "%u/%u", a->round, a->n);
	flow_start(&a->flow, &asker_kind, thread->worker, NULL);
	thread->started++;
}

static void
stress_asker_abort(struct flow *f, void *arg)
{
	(void)arg;
	if (f->kind == &asker_kind && lookup_dice(200) == 0)
		flow_abort(f, ERR_CLIENT_GONE, "left");
}

/* ---- what happens meanwhile ---- */

/* The row goes first, then it is told, as an operator does. */
static void
stress_take_away(struct lookup_thread *thread)
{
	unsigned round = generation, n = lookup_dice(THINGS);
	struct stress_thing *t = thing_of(round, n);
	char key[16];

	snprintf(key, sizeof(key), "%u/%u", round, n);
	t->is_there = false;
	if (lookup_dice(2) == 0)
		return;
	lookup_forget(thread->cache, slice_str(key));
	t->was_seen_gone = true;
}

static void
stress_disturb(struct lookup_thread *thread)
{
	unsigned round = generation;

	if (lookup_dice(4) == 0)
		stress_take_away(thread);
	if (lookup_dice(60) == 0)
		lookup_forget_all(thread->cache);
	if (lookup_dice(40) == 0 && round + 1 < ROUNDS)
		atomic_compare_exchange_strong(&generation, &round, round + 1);
}

static void
lookup_drive(void *arg)
{
	struct lookup_thread *thread = arg;
	unsigned burst = lookup_dice(40);

	while (thread->left > 0 && burst-- > 0 && flow_count(thread->worker) < ALIVE_MAX) {
		stress_asker_start(thread);
		thread->left--;
	}
	flow_each(thread->worker, stress_asker_abort, NULL);
	stress_disturb(thread);
	if (thread->left > 0 || flow_count(thread->worker) > 0)
		timer_start(&thread->driver, lookup_dice(500));
	else
		threads_done++;
}

static void
lookup_stress_open(void *arg)
{
	struct lookup_thread *thread = arg;

	lookup_rng = (seed * 1000 + worker_index(thread->worker) + 1) * 0x9e3779b97f4a7c15ull;
	thread->cache = lookup_open(thread->worker,
	    &(struct lookup_conf){
		.noun = "thing",
		.ttl_us = 2000,
		.negative_ttl_us = 1000,
		.stale_us = 3600 * 1000000ull,
		.retry_us = 1000,
		.patience_us = 1000,
		.store = store,
		.fetches_max = 16,
		.timeout_code = ERR_CATALOG,
		.fetch_kind = &fetch_kind,
		.fetch_size = sizeof(struct stress_fetch),
		.record_new = stress_record_new,
	    });
	if (!timer_init(&thread->driver, thread->worker, lookup_drive, thread))
		abort();
	timer_start(&thread->driver, 0);
}

static void
lookup_stress_leave(void *arg)
{
	struct lookup_thread *thread = arg;

	timer_free(&thread->driver);
	lookup_close(thread->cache);
	worker_stop(thread->worker);
}

static void
lookup_stress_run(unsigned askers)
{
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		struct lookup_thread *t = &threads[i];

		t->worker = worker_new(i);
		t->left = askers;
		if (t->worker == NULL || !worker_start(t->worker))
			abort();
		worker_post(t->worker, &t->open_task, lookup_stress_open, t);
	}
	while (threads_done < THREADS)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	for (i = 0; i < THREADS; i++)
		worker_post(threads[i].worker, &threads[i].leave_task, lookup_stress_leave,
		    &threads[i]);
	for (i = 0; i < THREADS; i++)
		worker_join(threads[i].worker);
	for (i = 0; i < THREADS; i++)
		worker_free(threads[i].worker);
}

static bool
lookup_stress_report(void)
{
	struct lookup_thread sum = { 0 };

	for (unsigned i = 0; i < THREADS; i++) {
		sum.started += threads[i].started;
		sum.ended += threads[i].ended;
		sum.found += threads[i].found;
		sum.absent += threads[i].absent;
		sum.failed += threads[i].failed;
		sum.departed += threads[i].departed;
		sum.revived += threads[i].revived;
	}
	printf("found %u absent %u failed %u departed %u; %u sets of things; revived %u\n",
	    sum.found, sum.absent, sum.failed, sum.departed, generation + 1, sum.revived);
	return sum.started == sum.ended && sum.revived == 0 && sum.found > 0 && sum.absent > 0;
}

int
main(int argc, char **argv)
{
	unsigned askers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 4000;
	bool whole;

	seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	printf("test_lookup_stress: %u askers on each of %u workers, seed %u\n", askers, THREADS,
	    seed);
	log_level(LOG_ERR);
	for (unsigned i = 0; i < ROUNDS * THINGS; i++)
		thing_of(i / THINGS, i % THINGS)->is_there = true;
	store = lookup_store_new(1000);
	lookup_stress_run(askers);
	whole = lookup_stress_report();
	lookup_store_free(store);
	return whole && records_alive == 0 ? 0 : 1;
}
