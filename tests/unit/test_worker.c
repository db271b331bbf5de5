/* SPDX-License-Identifier: MIT */
/* A worker's mailbox keeps the order of each poster; its safe point; how it stops. */
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

static unsigned noted[8];
static unsigned noted_count;

static void
note_task(void *arg)
{
	noted[noted_count++] = *(unsigned *)arg;
}

static int
set_up(void **state)
{
	(void)state;
	noted_count = 0;
	return 0;
}

static void
tasks_run_in_order(void **state)
{
	struct worker *w = worker_new(3);
	struct task tasks[3] = { 0 };
	unsigned ids[3] = { 1, 2, 3 };
	unsigned i;

	(void)state;
	assert_int_equal(worker_index(w), 3);
	assert_true(worker_is_mine(w));
	for (i = 0; i < 3; i++)
		worker_post(w, &tasks[i], note_task, &ids[i]);
	assert_int_equal(noted_count, 0);
	worker_turn(w, 1000);
	assert_int_equal(noted_count, 3);
	assert_int_equal(noted[0], 1);
	assert_int_equal(noted[2], 3);
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
a_task_may_be_posted_from_its_function(void **state)
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
a_freed_worker_runs_what_was_posted(void **state)
{
	struct worker *w = worker_new(0);
	struct task task;
	unsigned id = 7;

	(void)state;
	worker_post(w, &task, note_task, &id);
	worker_free(w);
	assert_int_equal(noted_count, 1);
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

	worker_later(p->worker, &p->later, note_task, &p->ids[1]);
	note_task(&p->ids[0]);
}

static void
later_is_after_the_callback(void **state)
{
	struct put_off p = { .worker = worker_new(0), .ids = { 1, 2 } };

	(void)state;
	worker_post(p.worker, &p.post, put_off, &p);
	worker_turn(p.worker, 1000);
	assert_int_equal(noted_count, 2);
	assert_int_equal(noted[0], 1);
	assert_int_equal(noted[1], 2);
	worker_free(p.worker);
}

static void
a_turn_waits_no_longer_than_asked(void **state)
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

	noted[noted_count++] = worker_is_mine(w);
}

static void
a_stop_comes_after_what_is_queued(void **state)
{
	struct worker *w = worker_new(0);
	struct task task;

	(void)state;
	assert_true(worker_start(w));
	worker_post(w, &task, note_thread, w);
	worker_stop(w);
	worker_stop(w); /* twice is once */
	worker_join(w);
	assert_int_equal(noted_count, 1);
	assert_int_equal(noted[0], 1);
	assert_true(worker_is_mine(w));
	worker_free(w);
}

static void
a_worker_runs_again_after_a_stop(void **state)
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
	unsigned noted; /* worker's thread */
	pthread_t thread;
};

static void
post_arrives(void *arg)
{
	struct post *p = arg;

	assert_int_equal(p->serial, p->from->noted);
	p->from->noted++;
}

static void *
poster_run(void *arg)
{
	struct poster *p = arg;
	unsigned i;

	for (i = 0; i < POSTS; i++) {
		p->posts[i].from = p;
		p->posts[i].serial = i;
		worker_post(p->to, &p->posts[i].task, post_arrives, &p->posts[i]);
	}
	return NULL;
}

static void
many_threads_may_post(void **state)
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
		assert_int_equal(posters[i].noted, POSTS);
	free(posters);
	worker_free(w);
}

static void
block_loop(void *arg)
{
	struct timespec ms150 = { .tv_nsec = 150000000 };

	(void)arg;
	nanosleep(&ms150, NULL);
}

static void
lag_is_seen(void **state)
{
	struct worker *w = worker_new(0);
	struct task task;
	unsigned i;

	(void)state;
	assert_true(worker_start(w));
	worker_post(w, &task, block_loop, NULL);
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
		cmocka_unit_test_setup(tasks_run_in_order, set_up),
		cmocka_unit_test_setup(a_task_may_be_posted_from_its_function, set_up),
		cmocka_unit_test_setup(a_freed_worker_runs_what_was_posted, set_up),
		cmocka_unit_test_setup(later_is_after_the_callback, set_up),
		cmocka_unit_test_setup(a_turn_waits_no_longer_than_asked, set_up),
		cmocka_unit_test_setup(a_stop_comes_after_what_is_queued, set_up),
		cmocka_unit_test_setup(a_worker_runs_again_after_a_stop, set_up),
		cmocka_unit_test_setup(many_threads_may_post, set_up),
		cmocka_unit_test_setup(lag_is_seen, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
