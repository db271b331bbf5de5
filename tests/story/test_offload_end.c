/* SPDX-License-Identifier: MIT */
/* A job whose flow is aborted, at each of its moments; posted jobs; the close. */
#include "offload_fixture.h"

static void
a_queued_job_is_dropped_at_once(void **state)
{
	struct gated_flow running, queued;

	(void)state;
	offload_fixture_open(1, 0);
	gated_flow_start(&running, "a", 'r');
	gate_wait_begun(1);
	gated_flow_start(&queued, "b", 'q');
	flow_abort(&queued.flow, ERR_CLIENT_GONE, "left");
	assert_string_equal(gate.dropped, "q");
	worker_turn(worker, 0);
	assert_true(queued.ended && !queued.went_on);
	assert_null(queued.out);
	gate_let_end('\0');
	gated_flow_finish(&running);
	free(running.out);
	assert_string_equal(gate.began, "r");
}

static void
a_running_job_outlives_its_flow(void **state)
{
	struct gated_flow g;

	(void)state;
	offload_fixture_open(1, 0);
	gated_flow_start(&g, "a", 'a');
	gate_wait_begun(1);
	flow_abort(&g.flow, ERR_CLIENT_GONE, "left");
	worker_turn(worker, 0);
	assert_true(g.ended);
	assert_int_equal(flow_count(worker), 0);
	memset(&g, 0x5a, sizeof(g)); /* it may be gone, too */
	gate_let_end('\0');
	gate_wait_dropped(1);
	worker_turn(worker, 0);
}

static void
a_running_job_outlives_its_worker(void **state)
{
	struct gated_flow g;

	(void)state;
	offload_fixture_open(1, 0);
	gated_flow_start(&g, "a", 'a');
	gate_wait_begun(1);
	flow_abort(&g.flow, ERR_SHUTDOWN, "stopping");
	worker_free(worker);
	worker = worker_new(0);
	gate_let_end('\0');
	gate_wait_dropped(1);
}

/* The job has been done, and its task is in the mailbox. */
static void
a_delivered_job_is_dropped_by_its_task(void **state)
{
	struct gated_flow g;

	(void)state;
	offload_fixture_open(1, 0);
	gate_let_end('\0');
	gated_flow_start(&g, "a", 'a');
	wait_done(1);
	flow_abort(&g.flow, ERR_CLIENT_GONE, "left");
	assert_int_equal(gate.dropped_count, 0);
	worker_turn(worker, 20);
	assert_true(g.ended && !g.went_on);
	assert_null(g.out);
	assert_string_equal(gate.dropped, "a");
}

static void
abort_gated_flow(void *arg)
{
	flow_abort(&((struct gated_flow *)arg)->flow, ERR_CLIENT_GONE, "left");
}

/* Woken by the first task, aborted by the second, before its next step: the job is the flow's. */
static void
a_job_that_was_given_back_is_the_flows(void **state)
{
	struct gated_flow g;
	struct task task;

	(void)state;
	offload_fixture_open(1, 0);
	gate_let_end('\0');
	gated_flow_start(&g, "a", 'a');
	wait_done(1);
	worker_post(worker, &task, abort_gated_flow, &g);
	worker_turn(worker, 20);
	assert_true(g.ended && !g.went_on);
	assert_non_null(g.out);
	assert_int_equal(gate.dropped_count, 0);
	free(g.out);
}

static void
a_posted_job_runs_and_is_dropped(void **state)
{
	(void)state;
	offload_fixture_open(1, 0);
	gate_let_end('\0');
	assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
	    gated_job_new('p')));
	gate_wait_dropped(1);
	assert_string_equal(gate.began, "p");
}

static void
a_posted_job_that_waited_too_long_is_only_dropped(void **state)
{
	(void)state;
	offload_fixture_open(1, 0);
	assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
	    gated_job_new('1')));
	gate_wait_begun(1);
	assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
	    gated_job_new('2')));
	clock_test_advance(61000000);
	gate_let_end('\0');
	gate_wait_dropped(2);
	assert_string_equal(gate.began, "1");
	assert_string_equal(gate.dropped, "12");
}

static void
too_many_posted_are_the_callers_again(void **state)
{
	struct gated_job *job = gated_job_new('x');
	char name;

	(void)state;
	offload_fixture_open(1, 0);
	assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
	    gated_job_new('0')));
	gate_wait_begun(1);
	for (name = '1'; name <= '4'; name++)
		assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
		    gated_job_new(name)));
	assert_false(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop, job));
	assert_int_equal(gate.dropped_count, 0);
	free(job);
	gate_let_end('\0');
	gate_wait_dropped(5);
}

static void
free_when_let(void *arg)
{
	gated_job_run(arg);
	gated_job_drop(arg);
}

/* Of a job that only frees memory the drop is the work, and counts as its holder's. */
static void
what_frees_memory_leaves_a_helper_to_others(void **state)
{
	struct gated_flow quiet;
	char name;

	(void)state;
	offload_fixture_open(2, 0);
	for (name = '1'; name <= '3'; name++)
		offload_discard(worker, SLICE_LIT("noisy"), free_when_let, gated_job_new(name));
	gate_wait_begun(1);
	gate_let_end('q');
	gated_flow_start(&quiet, "quiet", 'q');
	gated_flow_finish(&quiet);
	free(quiet.out);
	assert_int_equal(gate_begun(), 2);
	assert_int_equal(offload_now().waiting, 2);
	gate_let_end('\0');
	gate_wait_dropped(3);
}

static void *
let_end_soon(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	gate_let_end('\0');
	return NULL;
}

static void
the_close_waits_for_what_runs(void **state)
{
	pthread_t thread;

	(void)state;
	offload_fixture_open(1, 0);
	assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
	    gated_job_new('r')));
	gate_wait_begun(1);
	assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
	    gated_job_new('q')));
	assert_int_equal(pthread_create(&thread, NULL, let_end_soon, NULL), 0);
	offload_close(offload);
	offload = NULL;
	assert_string_equal(gate.dropped, "rq"); /* q has run only if the close was late */
	pthread_join(thread, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_queued_job_is_dropped_at_once),
		TEST(a_running_job_outlives_its_flow),
		TEST(a_running_job_outlives_its_worker),
		TEST(a_delivered_job_is_dropped_by_its_task),
		TEST(a_job_that_was_given_back_is_the_flows),
		TEST(a_posted_job_runs_and_is_dropped),
		TEST(a_posted_job_that_waited_too_long_is_only_dropped),
		TEST(too_many_posted_are_the_callers_again),
		TEST(what_frees_memory_leaves_a_helper_to_others),
		TEST(the_close_waits_for_what_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
