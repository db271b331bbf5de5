/* SPDX-License-Identifier: MIT */
/*
 * Eight workers give jobs of a few holders to the same helpers: departures and deadlines at any
 * moment, full queues, waits that time out, posted jobs, workers that end before their jobs do. The
 * jobs assert that no ceiling is passed; at the end each has been given back or dropped, once.
 *
 *	test_offload_stress [takers a worker [seed]]	(default 10000, 1)
 */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/offload.h"

enum { WORKERS = 8, HOLDERS = 6, HELPERS = 4, RUNNING_MAX = 3, LIVE_MAX = 30, CELLS = 32 };

struct job_site {
	struct worker *worker;
	struct timer driver;
	struct task open_task, leave_task;
	unsigned left; /* takers still to come */
	unsigned done, late, departed, busy;
};

/* fn fills the cells one after the other, and all must then be what it has written. */
struct cell_job {
	unsigned holder;
	unsigned laps;
	unsigned cells[CELLS];
	unsigned sum;
};

struct taker {
	struct flow flow;
	struct job_site *site;
	unsigned holder, rounds;
	void *job; /* owned when set */
};

static struct offload *offload;
static struct job_site sites[WORKERS];
static atomic_uint finished, running, running_by[HOLDERS];
static atomic_uint made, given_back, dropped;
static unsigned seed = 1;
static _Thread_local uint64_t stress_rng;

static unsigned
stress_dice(unsigned sides)
{
	stress_rng ^= stress_rng << 13;
	stress_rng ^= stress_rng >> 7;
	stress_rng ^= stress_rng << 17;
	return (unsigned)(stress_rng % sides);
}

static void
cell_job_run(void *arg)
{
	struct cell_job *job = arg;
	unsigned lap, i;

	assert(++running <= HELPERS);
	assert(++running_by[job->holder] <= RUNNING_MAX);
	for (lap = 0; lap < job->laps; lap++)
		for (i = 0; i < CELLS; i++)
			job->cells[i] += i;
	for (i = 0; i < CELLS; i++)
		job->sum += job->cells[i];
	running_by[job->holder]--;
	running--;
}

static void
cell_job_drop(void *arg)
{
	dropped++;
	free(arg);
}

static struct cell_job *
cell_job_new(unsigned holder)
{
	struct cell_job *job = xcalloc(1, sizeof(*job));

	job->holder = holder;
	job->laps = 1 + stress_dice(stress_dice(10) == 0 ? 5000 : 200);
	made++;
	return job;
}

static struct slice
holder_name(const unsigned *holder)
{
	return slice_of((const char *)holder, sizeof(*holder));
}

static enum flow_rc
taker_take(struct flow *f)
{
	struct taker *t = (struct taker *)f;

	return offload_run(f, holder_name(&t->holder), cell_job_run, cell_job_drop,
	    cell_job_new(t->holder), &t->job);
}

static void
taker_give_up(struct taker *t)
{
	if (t->job == NULL)
		return;
	given_back++;
	free(t->job);
	t->job = NULL;
}

static enum flow_rc
taker_again(struct flow *f)
{
	struct taker *t = (struct taker *)f;
	const struct cell_job *job = t->job;

	assert(job->sum == job->laps * (CELLS * (CELLS - 1) / 2));
	t->site->done++;
	taker_give_up(t);
	if (--t->rounds == 0)
		return FLOW_DONE;
	t->holder = stress_dice(HOLDERS);
	return flow_goto(f, taker_take);
}

static void
taker_end(struct flow *f, const struct err *err)
{
	struct taker *t = (struct taker *)f;

	taker_give_up(t);
	t->site->late += err->code == ERR_TIMEOUT;
	t->site->departed += err->code == ERR_CLIENT_GONE || err->code == ERR_SHUTDOWN;
	t->site->busy += err->code == ERR_OVERLOADED;
}

static void
taker_release(struct flow *f)
{
	free(f);
}

static const struct flow_step taker_steps[] = {
	{ "take", taker_take },
	{ "again", taker_again },
	{ NULL, NULL },
};
static const struct flow_kind taker_kind = { "taker", taker_steps, taker_end, taker_release };

static void
taker_start(struct job_site *site)
{
	struct taker *t = xcalloc(1, sizeof(*t));

	t->site = site;
	t->rounds = 1 + stress_dice(4);
	t->holder = stress_dice(3) == 0 ? 0 : stress_dice(HOLDERS); /* 0 is the noisy one */
	flow_start(&t->flow, &taker_kind, site->worker, NULL);
	if (stress_dice(10) == 0)
		flow_deadline(&t->flow, 1 + stress_dice(2000));
}

static void
post_one(void)
{
	struct cell_job *job = cell_job_new(stress_dice(HOLDERS));

	if (!offload_post(offload, holder_name(&job->holder), cell_job_run, cell_job_drop, job))
		cell_job_drop(job);
}

static void
abort_some_takers(struct flow *f, void *arg)
{
	(void)arg;
	if (stress_dice(100) == 0)
		flow_abort(f, ERR_CLIENT_GONE, "left");
}

/* The last takers are left waiting when the worker ends. */
static void
job_site_drive(void *arg)
{
	struct job_site *site = arg;
	unsigned burst = stress_dice(20);

	while (site->left > 0 && burst-- > 0 && flow_count(site->worker) < LIVE_MAX) {
		taker_start(site);
		site->left--;
	}
	flow_each(site->worker, abort_some_takers, NULL);
	if (stress_dice(4) == 0)
		post_one();
	if (site->left > 0)
		timer_start(&site->driver, stress_dice(300));
	else
		finished++;
}

static void
job_site_open(void *arg)
{
	struct job_site *site = arg;

	stress_rng = (seed * 1000 + worker_index(site->worker) + 1) * 0x9e3779b97f4a7c15ull;
	offload_attach(offload, site->worker);
	if (!timer_init(&site->driver, site->worker, job_site_drive, site))
		abort();
	timer_start(&site->driver, 0);
}

static void
job_site_leave(void *arg)
{
	struct job_site *site = arg;

	timer_free(&site->driver);
	flow_abort_all(site->worker, ERR_SHUTDOWN, "stopping");
	worker_stop(site->worker);
}

static void
job_sites_run(unsigned takers)
{
	unsigned i;

	for (i = 0; i < WORKERS; i++) {
		sites[i].worker = worker_new(i);
		sites[i].left = takers;
		if (sites[i].worker == NULL || !worker_start(sites[i].worker))
			abort();
		worker_post(sites[i].worker, &sites[i].open_task, job_site_open, &sites[i]);
	}
	while (finished < WORKERS)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	for (i = 0; i < WORKERS; i++)
		worker_post(sites[i].worker, &sites[i].leave_task, job_site_leave, &sites[i]);
	for (i = 0; i < WORKERS; i++) {
		worker_join(sites[i].worker);
		worker_free(sites[i].worker);
	}
}

static void
job_sites_report(double s)
{
	struct job_site sum = { 0 };
	unsigned i;

	for (i = 0; i < WORKERS; i++) {
		sum.done += sites[i].done;
		sum.late += sites[i].late;
		sum.departed += sites[i].departed;
		sum.busy += sites[i].busy;
	}
	printf("done %u; late %u departed %u busy %u; jobs %u: given back %u, dropped %u; %.2f s\n",
	    sum.done, sum.late, sum.departed, sum.busy, made, given_back, dropped, s);
}

int
main(int argc, char **argv)
{
	unsigned takers = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10000;
	uint64_t began = clock_mono_us();
	struct offload_conf conf;

	seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	printf("test_offload_stress: %u takers on each of %u workers, seed %u\n", takers, WORKERS,
	    seed);
	log_level(LOG_ERR);
	offload_conf_init(&conf);
	conf.helpers = HELPERS;
	conf.waiting_max = 40;
	conf.wait_timeout_us = 3000;
	offload = offload_open(&conf);
	job_sites_run(takers);
	offload_close(offload);
	job_sites_report((double)(clock_mono_us() - began) / 1e6);
	return running == 0 && made == given_back + dropped ? 0 : 1;
}
