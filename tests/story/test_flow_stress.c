/* SPDX-License-Identifier: MIT */
/*
 * Tens of thousands of flows on one worker: random delays, failures, departures, deadlines,
 * children, shared lookups, and tasks from other threads that wake or abort them. At
 * the end each has ended exactly once, each defer has run exactly once, nothing is alive.
 *
 *	test_flow_stress [flows [seed]]		(default 20000, 1)
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task_poster.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/join.h"

enum { LOOKUPS = 16, ROUNDS_MAX = 6, LIVE_MAX = 2000 };

struct tally {
	unsigned started, ended, released, deferred, defers_run;
	unsigned good, failed, departed, late;
};

struct shared_lookup {
	struct flow flow;
	struct join join;
	struct timer timer;
};

struct stress_flow {
	struct flow flow;
	struct flow child;
	struct timer timer, child_timer;
	struct join_waiter waiter;
	struct task free_task;
	struct posted_wait *posted_wait;
	unsigned rounds; /* left to go */
	unsigned ends;
	unsigned defers; /* not run yet */
};

static struct worker *worker;
static struct shared_lookup lookups[LOOKUPS];
static struct tally tally;
static struct timer driver;
static unsigned wanted;
static uint64_t rng;

static unsigned
dice(unsigned sides)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)((rng >> 20) % sides);
}

/* ---- tasks from other threads ---- */

static void
posted_wait_arrives(void *arg)
{
	struct posted_wait *p = arg;
	struct flow *f = p->flow;

	if (f != NULL) {
		((struct stress_flow *)f)->posted_wait = NULL;
		p->flow = NULL;
		if (p->aborts)
			flow_abort(f, ERR_CLIENT_GONE, "aborted by a task");
		else
			flow_wake(f);
	}
	free(p);
}

static void
posted_wait_forget(void *arg)
{
	struct posted_wait *p = arg;
	struct flow *f = p->flow;

	if (f == NULL)
		return; /* its task is what aborts us */
	((struct stress_flow *)f)->posted_wait = NULL;
	p->flow = NULL;
}

static enum flow_rc
posted_wait_begin(struct flow *f)
{
	struct stress_flow *t = (struct stress_flow *)f;
	struct posted_wait *p = calloc(1, sizeof(*p));

	assert(p != NULL && t->posted_wait == NULL);
	p->flow = f;
	p->aborts = dice(10) == 0;
	t->posted_wait = p;
	task_poster_add(&posters[dice(POSTERS)], p);
	return flow_wait(f, posted_wait_forget, p);
}

/* ---- shared lookups ---- */

static enum flow_rc
shared_lookup_work(struct flow *f)
{
	return flow_sleep(f, &((struct shared_lookup *)f)->timer, dice(3000));
}

static enum flow_rc
shared_lookup_verdict(struct flow *f)
{
	if (dice(8) == 0)
		return flow_fail(f, ERR_CATALOG, "no such thing");
	return FLOW_NEXT;
}

static void
shared_lookup_end(struct flow *f, const struct err *err)
{
	join_finish(&((struct shared_lookup *)f)->join, err);
}

static const struct flow_step shared_lookup_steps[] = {
	{ "work", shared_lookup_work },
	{ "verdict", shared_lookup_verdict },
	{ NULL, NULL },
};
static const struct flow_kind shared_lookup_kind = { "lookup", shared_lookup_steps,
	shared_lookup_end, NULL };

static enum flow_rc
shared_lookup_join(struct flow *f, struct join_waiter *waiter)
{
	struct shared_lookup *l = &lookups[dice(LOOKUPS)];

	if (l->flow.state == FLOW_IDLE || l->flow.state == FLOW_ENDED)
		flow_start(&l->flow, &shared_lookup_kind, worker, NULL);
	if (dice(4) == 0)
		flow_deadline(&l->flow, 1 + dice(2000));
	return join_wait(&l->join, f, waiter);
}

/* ---- children ---- */

static struct stress_flow *
child_flow(struct flow *child)
{
	return (struct stress_flow *)((char *)child - offsetof(struct stress_flow, child));
}

static void
defer_count(void *arg)
{
	struct stress_flow *t = arg;

	assert(t->defers > 0);
	t->defers--;
	tally.defers_run++;
}

static void
stress_flow_defer(struct flow *f, struct stress_flow *t)
{
	flow_defer(f, defer_count, t);
	t->defers++;
	tally.deferred++;
}

static enum flow_rc
child_delay(struct flow *f)
{
	struct stress_flow *t = child_flow(f);

	stress_flow_defer(f, t);
	if (dice(4) == 0)
		return flow_goto(f, child_delay);
	return flow_sleep(f, &t->child_timer, dice(2000));
}

static enum flow_rc
child_verdict(struct flow *f)
{
	struct stress_flow *t = child_flow(f);

	switch (dice(12)) {
	case 0:
		return flow_fail(f, ERR_MODEL, "the child failed");
	case 1:
		flow_abort(&t->flow, ERR_CLIENT_GONE, "the child aborts its parent");
		return FLOW_NEXT;
	case 2:
		flow_abort(f, ERR_CLIENT_GONE, "the child aborts itself");
		return flow_sleep(f, &t->child_timer, 10);
	default:
		return FLOW_DONE;
	}
}

static void
child_end(struct flow *f, const struct err *err)
{
	(void)err;
	assert(child_flow(f)->ends == 0); /* never after its parent */
	tally.ended++;
}

static void
child_release(struct flow *f)
{
	(void)f;
	tally.released++;
}

static const struct flow_step child_steps[] = {
	{ "sleep", child_delay },
	{ "verdict", child_verdict },
	{ NULL, NULL },
};
static const struct flow_kind child_kind = { "child", child_steps, child_end, child_release };

/* ---- the flow ---- */

static enum flow_rc
stress_flow_begin(struct flow *f)
{
	((struct stress_flow *)f)->rounds = 1 + dice(ROUNDS_MAX);
	if (dice(3) == 0)
		flow_deadline(f, 1 + dice(20000));
	return FLOW_NEXT;
}

static enum flow_rc
stress_flow_work(struct flow *f)
{
	struct stress_flow *t = (struct stress_flow *)f;

	if (dice(2) == 0)
		stress_flow_defer(f, t);
	switch (dice(6)) {
	case 0:
		return flow_sleep(f, &t->timer, dice(5000));
	case 1:
		tally.started++;
		return flow_call(f, &t->child, &child_kind);
	case 2:
		return shared_lookup_join(f, &t->waiter);
	case 3:
		return FLOW_NEXT;
	default:
		return posted_wait_begin(f);
	}
}

static enum flow_rc
stress_flow_again(struct flow *f)
{
	if (dice(20) == 0)
		return flow_fail(f, ERR_INTERNAL, "bad luck");
	if (--((struct stress_flow *)f)->rounds > 0)
		return flow_goto(f, stress_flow_work);
	return dice(2) == 0 ? FLOW_DONE : FLOW_NEXT;
}

static void
stress_flow_end(struct flow *f, const struct err *err)
{
	struct stress_flow *t = (struct stress_flow *)f;

	t->ends++;
	assert(t->ends == 1 && t->posted_wait == NULL && t->waiter.join == NULL);
	assert(t->timer.event == NULL && t->child_timer.event == NULL);
	assert(t->child.state == FLOW_IDLE || t->child.state == FLOW_ENDED);
	tally.ended++;
	if (err->code == ERR_NONE)
		tally.good++;
	else if (err->code == ERR_CLIENT_GONE)
		tally.departed++;
	else if (err->code == ERR_TIMEOUT)
		tally.late++;
	else
		tally.failed++;
}

/* Gone at once, or at the loop's safe point. */
static void
stress_flow_release(struct flow *f)
{
	struct stress_flow *t = (struct stress_flow *)f;

	assert(t->ends == 1 && t->defers == 0);
	tally.released++;
	if (dice(2) == 0) {
		worker_later(worker, &t->free_task, free, t);
		return;
	}
	memset(t, 0xdd, sizeof(*t));
	free(t);
}

static const struct flow_step stress_flow_steps[] = {
	{ "begin", stress_flow_begin },
	{ "work", stress_flow_work },
	{ "again", stress_flow_again },
	{ NULL, NULL },
};
static const struct flow_kind stress_flow_kind = { "stress", stress_flow_steps, stress_flow_end,
	stress_flow_release };

/* ---- the driver: starts flows in bursts, aborts some from outside ---- */

static void
stress_flow_start(void)
{
	struct stress_flow *t = calloc(1, sizeof(*t));

	assert(t != NULL);
	tally.started++;
	flow_start(&t->flow, &stress_flow_kind, worker, NULL);
	if (dice(50) == 0)
		flow_abort(&t->flow, ERR_CLIENT_GONE, "left at once");
}

static void
abort_some_flows(struct flow *f, void *arg)
{
	(void)arg;
	if (f->kind != &shared_lookup_kind && dice(200) == 0)
		flow_abort(f, ERR_CLIENT_GONE, "left");
}

static void
drive(void *arg)
{
	unsigned burst = 100 + dice(200);

	(void)arg;
	while (wanted > 0 && burst-- > 0 && flow_count(worker) < LIVE_MAX) {
		stress_flow_start();
		wanted--;
	}
	flow_each(worker, abort_some_flows, NULL);
	if (wanted > 0)
		timer_start(&driver, dice(1000));
	else if (flow_count(worker) > 0)
		timer_start(&driver, 5000);
	else
		worker_stop(worker);
}

static bool
tally_holds(void)
{
	return tally.started == tally.ended && tally.ended == tally.released &&
	    tally.deferred == tally.defers_run && flow_count(worker) == 0;
}

static void
stress(void)
{
	unsigned i;

	worker = worker_new(0);
	if (worker == NULL || !timer_init(&driver, worker, drive, NULL))
		abort();
	for (i = 0; i < LOOKUPS; i++)
		join_init(&lookups[i].join);
	task_posters_open(worker, posted_wait_arrives);
	timer_start(&driver, 0);
	worker_run(worker);
	task_posters_close();
	timer_free(&driver);
}

int
main(int argc, char **argv)
{
	unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	uint64_t began = clock_mono_us();
	bool good;

	wanted = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
	rng = seed * 0x9e3779b97f4a7c15ull + 1;
	printf("test_flow_stress: %u flows, seed %u\n", wanted, seed);
	stress();
	good = tally_holds();
	worker_free(worker);
	printf("started %u ended %u released %u; defers %u of %u; good %u failed %u departed %u "
	       "late %u; %.2f s\n",
	    tally.started, tally.ended, tally.released, tally.defers_run, tally.deferred,
	    tally.good, tally.failed, tally.departed, tally.late,
	    (double)(clock_mono_us() - began) / 1e6);
	return good ? 0 : 1;
}
