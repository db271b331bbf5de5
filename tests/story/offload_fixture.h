/* SPDX-License-Identifier: MIT */
/*
 * offload_fixture: jobs that begin when a helper takes them and end when the test lets them, and a
 * flow that waits for one. What ran is traced in order, a letter a job.
 */
#ifndef TENANTGATE_TESTS_OFFLOAD_FIXTURE_H
#define TENANTGATE_TESTS_OFFLOAD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/offload.h"

static struct worker *worker;
static struct offload *offload;

/* Under the lock: what the helpers and the test say to one another. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char began[64], dropped[64]; /* by name, in order */
	unsigned began_count, dropped_count;
	bool may_end[128]; /* by name; all when `open` */
	bool open;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

struct gated_job {
	char name;
	bool ran;
	pthread_t ran_on;
};

struct gated_flow {
	struct flow flow;
	const char *holder;
	char name;
	void *out; /* owned when set: struct gated_job */
	bool went_on, ended;
	struct err err;
};

static inline void
gate_reset(void)
{
	gate.began_count = gate.dropped_count = 0;
	memset(gate.began, 0, sizeof(gate.began));
	memset(gate.dropped, 0, sizeof(gate.dropped));
	memset(gate.may_end, 0, sizeof(gate.may_end));
	gate.open = false;
}

/* NUL: all of them, from now on. */
static inline void
gate_let_end(char name)
{
	pthread_mutex_lock(&gate.lock);
	if (name == '\0')
		gate.open = true;
	else
		gate.may_end[(unsigned char)name] = true;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

/* Waits until so many have begun, on whichever helper. Only a broken program waits for ever. */
static inline void
gate_wait_begun(unsigned count)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.began_count < count)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static inline void
gate_wait_dropped(unsigned count)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.dropped_count < count)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static inline unsigned
gate_begun(void)
{
	unsigned n;

	pthread_mutex_lock(&gate.lock);
	n = gate.began_count;
	pthread_mutex_unlock(&gate.lock);
	return n;
}

static inline void
gated_job_run(void *arg)
{
	struct gated_job *job = arg;

	pthread_mutex_lock(&gate.lock);
	job->ran = true;
	job->ran_on = pthread_self();
	gate.began[gate.began_count++] = job->name;
	pthread_cond_broadcast(&gate.changed);
	while (!gate.open && !gate.may_end[(unsigned char)job->name])
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static inline void
gated_job_drop(void *arg)
{
	struct gated_job *job = arg;

	pthread_mutex_lock(&gate.lock);
	gate.dropped[gate.dropped_count++] = job->name;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
	free(job);
}

static inline struct gated_job *
gated_job_new(char name)
{
	struct gated_job *job = xcalloc(1, sizeof(*job));

	job->name = name;
	return job;
}

static inline enum flow_rc
gated_flow_run(struct flow *f)
{
	struct gated_flow *g = (struct gated_flow *)f;

	return offload_run(f, slice_str(g->holder), gated_job_run, gated_job_drop,
	    gated_job_new(g->name), &g->out);
}

static inline enum flow_rc
gated_flow_go_on(struct flow *f)
{
	struct gated_flow *g = (struct gated_flow *)f;

	g->went_on = true;
	return FLOW_NEXT;
}

static inline void
gated_flow_end(struct flow *f, const struct err *err)
{
	struct gated_flow *g = (struct gated_flow *)f;

	g->ended = true;
	g->err = *err;
}

static const struct flow_step gated_flow_steps[] = {
	{ "run", gated_flow_run },
	{ "go_on", gated_flow_go_on },
	{ NULL, NULL },
};
static const struct flow_kind gated_flow_kind = { "gated", gated_flow_steps, gated_flow_end, NULL };

static inline void
gated_flow_start(struct gated_flow *g, const char *holder, char name)
{
	*g = (struct gated_flow){ .holder = holder, .name = name };
	flow_start(&g->flow, &gated_flow_kind, worker, NULL);
	worker_turn(worker, 0);
}

static inline void
gated_flow_finish(struct gated_flow *g)
{
	unsigned turns;

	for (turns = 0; !g->ended && turns < 1000; turns++)
		worker_turn(worker, 20);
	assert_true(g->ended);
}

static inline struct offload_stats
offload_now(void)
{
	struct offload_stats stats;

	offload_stats(offload, &stats);
	return stats;
}

/* Until so many jobs have ended, without turning the loop: what was delivered stays undelivered. */
static inline void
wait_done(uint64_t total)
{
	while (offload_now().done_total < total)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static inline void
offload_fixture_open(unsigned helpers, unsigned running_max)
{
	struct offload_conf conf;

	offload_conf_init(&conf);
	conf.helpers = helpers;
	conf.running_max = running_max;
	conf.waiting_max = 4;
	conf.wait_timeout_us = 60000000;
	offload = offload_open(&conf);
	offload_attach(offload, worker);
}

static inline int
offload_fixture_set_up(void **state)
{
	(void)state;
	gate_reset();
	worker = worker_new(0);
	return worker == NULL ? -1 : 0;
}

static inline int
offload_fixture_tear_down(void **state)
{
	(void)state;
	gate_let_end('\0');
	worker_free(worker);
	offload_close(offload);
	offload = NULL;
	return 0;
}

#define TEST(fn) \
	cmocka_unit_test_setup_teardown(fn, offload_fixture_set_up, offload_fixture_tear_down)

#endif
