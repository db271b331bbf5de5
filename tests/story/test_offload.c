/* SPDX-License-Identifier: MIT */
/* Jobs on helper threads: where they run, in which order, how many wait and for how long. */
#include "offload_fixture.h"

static void
a_job_runs_on_another_thread(void **state)
{
	struct gated_flow g;
	struct gated_job *job;

	(void)state;
	offload_fixture_open(1, 0);
	gate_let_end('\0');
	gated_flow_start(&g, "a", 'a');
	assert_null(g.out);
	gated_flow_finish(&g);
	assert_true(g.went_on);
	job = g.out;
	assert_true(job->ran);
	assert_false(pthread_equal(job->ran_on, pthread_self()));
	free(g.out);
	assert_int_equal(gate.dropped_count, 0);
	assert_int_equal(offload_now().done_total, 1);
}

static void
without_helpers_it_runs_in_place(void **state)
{
	struct gated_flow g;
	struct gated_job *job;

	(void)state;
	gate_let_end('\0');
	gated_flow_start(&g, "a", 'a');
	assert_true(g.went_on && g.ended);
	job = g.out;
	assert_true(pthread_equal(job->ran_on, pthread_self()));
	free(job);
}

static void
the_loop_goes_on_while_a_job_runs(void **state)
{
	struct gated_flow slow, quick;

	(void)state;
	offload_fixture_open(2, 0);
	gated_flow_start(&slow, "a", 's');
	gate_wait_begun(1);
	gate_let_end('q');
	gated_flow_start(&quick, "b", 'q');
	gated_flow_finish(&quick);
	assert_false(slow.ended);
	gate_let_end('s');
	gated_flow_finish(&slow);
	free(slow.out);
	free(quick.out);
}

static void
the_holder_with_least_running_is_next(void **state)
{
	struct gated_flow g[4];
	unsigned i;

	(void)state;
	offload_fixture_open(2, 2);
	gated_flow_start(&g[0], "noisy", '1');
	gated_flow_start(&g[1], "noisy", '2');
	gate_wait_begun(2);
	gated_flow_start(&g[2], "noisy", '3');
	gated_flow_start(&g[3], "quiet", 'q');
	gate_let_end('1');
	gate_wait_begun(3);
	assert_int_equal(gate.began[2], 'q');
	gate_let_end('\0');
	for (i = 0; i < 4; i++) {
		gated_flow_finish(&g[i]);
		free(g[i].out);
	}
}

/* Four jobs at one helper, '1' to '4', of these holders; gate.began has their order. */
static void
four_jobs_run(const char *const holders[4])
{
	struct gated_flow g[4];
	unsigned i;

	offload_fixture_open(1, 0);
	for (i = 0; i < 4; i++)
		gated_flow_start(&g[i], holders[i], (char)('1' + i));
	gate_let_end('\0');
	for (i = 0; i < 4; i++) {
		gated_flow_finish(&g[i]);
		free(g[i].out);
	}
}

static void
among_equals_the_oldest_is_next(void **state)
{
	static const char *const holders[] = { "a", "b", "c", "a" };

	(void)state;
	four_jobs_run(holders);
	assert_string_equal(gate.began, "1234");
}

/* Whether the first job was taken before the others had come is the helper's to choose. */
static void
a_holder_that_was_just_served_lets_another_go_first(void **state)
{
	static const char *const holders[] = { "a", "a", "a", "b" };

	(void)state;
	four_jobs_run(holders);
	assert_true(strchr(gate.began, '4') < strchr(gate.began, '3'));
}

static void
one_helper_is_left_to_other_holders(void **state)
{
	struct gated_flow noisy[4], quiet;
	unsigned i;

	(void)state;
	offload_fixture_open(3, 0);
	for (i = 0; i < 4; i++)
		gated_flow_start(&noisy[i], "noisy", (char)('1' + i));
	gate_wait_begun(2);
	gate_let_end('q');
	gated_flow_start(&quiet, "quiet", 'q');
	gated_flow_finish(&quiet);
	assert_int_equal(gate_begun(), 3);
	assert_int_equal(offload_now().waiting, 2);
	gate_let_end('\0');
	free(quiet.out);
	for (i = 0; i < 4; i++) {
		gated_flow_finish(&noisy[i]);
		free(noisy[i].out);
	}
}

static void
too_many_waiting_are_refused(void **state)
{
	struct gated_flow running, waiting[4], refused, other;
	unsigned i;

	(void)state;
	offload_fixture_open(1, 0);
	gated_flow_start(&running, "noisy", 'r');
	gate_wait_begun(1);
	for (i = 0; i < 4; i++)
		gated_flow_start(&waiting[i], "noisy", (char)('1' + i));
	gated_flow_start(&refused, "noisy", 'x');
	assert_true(refused.ended);
	assert_int_equal(refused.err.code, ERR_OVERLOADED);
	assert_in_range(refused.err.retry_after, 1, 60);
	assert_null(refused.out);
	assert_string_equal(gate.dropped, "x");
	gated_flow_start(&other, "other", 'o'); /* its own queue is empty */
	assert_false(other.ended);
	gate_let_end('\0');
	gated_flow_finish(&running);
	gated_flow_finish(&other);
	for (i = 0; i < 4; i++) {
		gated_flow_finish(&waiting[i]);
		free(waiting[i].out);
	}
	free(running.out);
	free(other.out);
	assert_int_equal(offload_now().refused_total, 1);
}

static void
waiting_has_an_end(void **state)
{
	struct gated_flow running, late;
	struct offload_conf conf;

	(void)state;
	offload_conf_init(&conf);
	conf.helpers = 1;
	conf.wait_timeout_us = 20000;
	offload = offload_open(&conf);
	offload_attach(offload, worker);
	gated_flow_start(&running, "a", 'r');
	gate_wait_begun(1);
	gated_flow_start(&late, "b", 'l');
	gated_flow_finish(&late);
	assert_int_equal(late.err.code, ERR_OVERLOADED);
	assert_in_range(late.err.retry_after, 1, 60);
	assert_string_equal(gate.dropped, "l");
	assert_false(running.ended); /* its wait was over in time */
	gate_let_end('\0');
	gated_flow_finish(&running);
	assert_true(running.went_on);
	free(running.out);
}

/* Without a turn of the loop: its timers do not run meanwhile. */
static void
let_pass_us(uint64_t us)
{
	uint64_t began = clock_mono_us();

	while (clock_mono_us() - began < us)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static void
who_is_patient_waits_while_jobs_end(void **state)
{
	struct offload_conf conf;
	struct gated_flow late;

	(void)state;
	offload_conf_init(&conf);
	conf.helpers = 1;
	conf.wait_timeout_us = 200000;
	conf.is_patient = true;
	offload = offload_open(&conf);
	offload_attach(offload, worker);
	for (int i = 0; i < 2; i++)
		assert_true(offload_post(offload, SLICE_LIT("a"), gated_job_run, gated_job_drop,
		    gated_job_new((char)('1' + i))));
	gate_wait_begun(1);
	gated_flow_start(&late, "a", 'l');
	gate_let_end('1');
	gate_wait_begun(2);
	let_pass_us(2 * conf.wait_timeout_us);
	worker_turn(worker, 0);
	assert_false(late.ended);
	/* From now on nothing moves. */
	gated_flow_finish(&late);
	assert_int_equal(late.err.code, ERR_OVERLOADED);
	gate_let_end('\0');
	gate_wait_dropped(3);
	assert_string_equal(gate.dropped, "1l2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_runs_on_another_thread),
		TEST(without_helpers_it_runs_in_place),
		TEST(the_loop_goes_on_while_a_job_runs),
		TEST(the_holder_with_least_running_is_next),
		TEST(among_equals_the_oldest_is_next),
		TEST(a_holder_that_was_just_served_lets_another_go_first),
		TEST(one_helper_is_left_to_other_holders),
		TEST(too_many_waiting_are_refused),
		TEST(waiting_has_an_end),
		TEST(who_is_patient_waits_while_jobs_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
