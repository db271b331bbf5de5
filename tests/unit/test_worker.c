/* SPDX-License-Identifier: MIT */
/* A worker's mailbox keeps the order of each poster, its safe point comes, it stops when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/loop/worker.h"

static unsigned heard[8];
static unsigned heard_count;

static void
hear(void *arg)
{
	heard[heard_count++] = *(unsigned *)arg;
}

static int
deaf(void **state)
{
	(void)state;
	heard_count = 0;
	return 0;
}

static void
test_tasks_in_order(void **state)
{
	struct worker *w = worker_new(3);
	struct task tasks[3] = { 0 };
	unsigned ids[3] = { 1, 2, 3 };
	unsigned i;

	(void)state;
	assert_int_equal(worker_index(w), 3);
	assert_true(worker_is_mine(w));
	for (i = 0; i < 3; i++)
		worker_post(w, &tasks[i], hear, &ids[i]);
	assert_int_equal(heard_count, 0);
	worker_turn(w, 1000);
	assert_int_equal(heard_count, 3);
	assert_int_equal(heard[0], 1);
	assert_int_equal(heard[2], 3);
	worker_free(w);
}

struct again {
	struct worker *worker;
	struct task task;
	unsigned left;
};

static void
post_again(void *arg)
{
	struct again *a = arg;

	if (a->left-- > 1)
		worker_post(a->worker, &a->task, post_again, a);
}

static void
test_task_may_be_posted_from_its_fn(void **state)
{
	struct again a = { .worker = worker_new(0), .left = 3 };

	(void)state;
	worker_post(a.worker, &a.task, post_again, &a);
	worker_turn(a.worker, 1000);
	assert_int_equal(a.left, 2); /* once a turn: a task cannot hold the loop */
	worker_turn(a.worker, 1000);
	worker_turn(a.worker, 1000);
	assert_int_equal(a.left, 0);
	worker_free(a.worker);
}

static void
test_free_runs_tasks(void **state)
{
	struct worker *w = worker_new(0);
	struct task task;
	unsigned id = 7;

	(void)state;
	worker_post(w, &task, hear, &id);
	worker_free(w);
	assert_int_equal(heard_count, 1);
}

struct put_off {
	struct worker *worker;
	struct task post, later;
	unsigned ids[2];
};

static void
put_off(void *arg)
{
	struct put_off *p = arg;

	worker_later(p->worker, &p->later, hear, &p->ids[1]);
	hear(&p->ids[0]);
}

static void
test_later_is_after_the_callback(void **state)
{
	struct put_off p = { .worker = worker_new(0), .ids = { 1, 2 } };

	(void)state;
	worker_post(p.worker, &p.post, put_off, &p);
	worker_turn(p.worker, 1000);
	assert_int_equal(heard_count, 2);
	assert_int_equal(heard[0], 1);
	assert_int_equal(heard[1], 2);
	worker_free(p.worker);
}

static void
test_turn_waits_no_longer(void **state)
{
	struct worker *w = worker_new(0);
	uint64_t began = clock_mono_us();

	(void)state;
	worker_turn(w, 30);
	assert_in_range(clock_mono_us() - began, 25000, 2000000);
	worker_free(w);
}

static void
note_thread(void *arg)
{
	struct worker *w = arg;

	heard[heard_count++] = worker_is_mine(w);
}

static void
test_stop_after_what_is_queued(void **state)
{
	struct worker *w = worker_new(0);
	struct task task;

	(void)state;
	assert_true(worker_start(w));
	worker_post(w, &task, note_thread, w);
	worker_stop(w);
	worker_stop(w); /* twice is once */
	worker_join(w);
	assert_int_equal(heard_count, 1);
	assert_int_equal(heard[0], 1);
	assert_true(worker_is_mine(w));
	worker_free(w);
}

static void
test_runs_again_after_a_stop(void **state)
{
	struct worker *w = worker_new(0);
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		worker_stop(w); /* before the loop runs: it ends at once */
		worker_run(w);
	}
	worker_free(w);
}

/* Several threads post at once; each one's tasks come in its order, none is lost. */
enum { POSTERS = 4, POSTS = 5000 };

struct post {
	struct task task;
	struct poster *from;
	unsigned serial;
};

struct poster {
	struct worker *to;
	struct post posts[POSTS];
	unsigned heard; /* worker's thread */
	pthread_t thread;
};

static void
post_heard(void *arg)
{
	struct post *p = arg;

	assert_int_equal(p->serial, p->from->heard);
	p->from->heard++;
}

static void *
poster_run(void *arg)
{
	struct poster *p = arg;
	unsigned i;

	for (i = 0; i < POSTS; i++) {
		p->posts[i].from = p;
		p->posts[i].serial = i;
		worker_post(p->to, &p->posts[i].task, post_heard, &p->posts[i]);
	}
	return NULL;
}

static void
test_many_posters(void **state)
{
	struct worker *w = worker_new(0);
	struct poster *posters = calloc(POSTERS, sizeof(*posters));
	unsigned i;

	(void)state;
	assert_non_null(posters);
	assert_true(worker_start(w));
	for (i = 0; i < POSTERS; i++) {
		posters[i].to = w;
		assert_int_equal(pthread_create(&posters[i].thread, NULL, poster_run, &posters[i]),
		    0);
	}
	for (i = 0; i < POSTERS; i++)
		pthread_join(posters[i].thread, NULL);
	worker_stop(w);
	worker_join(w);
	for (i = 0; i < POSTERS; i++)
		assert_int_equal(posters[i].heard, POSTS);
	free(posters);
	worker_free(w);
}

static void
doze(void *arg)
{
	struct timespec ms150 = { .tv_nsec = 150000000 };

	(void)arg;
	nanosleep(&ms150, NULL);
}

static void
test_lag_is_seen(void **state)
{
	struct worker *w = worker_new(0);
	struct task task;
	unsigned i;

	(void)state;
	assert_true(worker_start(w));
	worker_post(w, &task, doze, NULL);
	for (i = 0; i < 200 && worker_lag_us(w) < 20000; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	assert_true(worker_lag_reset(w) >= 20000);
	worker_stop(w);
	worker_join(w);
	worker_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_tasks_in_order, deaf),
		cmocka_unit_test_setup(test_task_may_be_posted_from_its_fn, deaf),
		cmocka_unit_test_setup(test_free_runs_tasks, deaf),
		cmocka_unit_test_setup(test_later_is_after_the_callback, deaf),
		cmocka_unit_test_setup(test_turn_waits_no_longer, deaf),
		cmocka_unit_test_setup(test_stop_after_what_is_queued, deaf),
		cmocka_unit_test_setup(test_runs_again_after_a_stop, deaf),
		cmocka_unit_test_setup(test_many_posters, deaf),
		cmocka_unit_test_setup(test_lag_is_seen, deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
