/* SPDX-License-Identifier: MIT */
/* A turn of the loop that computes too long is counted, and logged by the step that took most. */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "flow_fixture.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define LONG_US (WORKER_TURN_LIMIT_US + 2000)

static void
burn(uint64_t us)
{
	uint64_t until = clock_thread_cpu_us() + us;

	while (clock_thread_cpu_us() < until)
		continue;
}

static enum flow_rc
step_burn(struct flow *f)
{
	(void)f;
	burn(LONG_US);
	return FLOW_NEXT;
}

static enum flow_rc
step_pass(struct flow *f)
{
	(void)f;
	return FLOW_NEXT;
}

static enum flow_rc
step_block(struct flow *f)
{
	(void)f;
	nanosleep(&(struct timespec){ .tv_nsec = (long)LONG_US * 1000 }, NULL);
	return FLOW_NEXT;
}

KIND(burning_kind, NULL, { "before", step_pass }, { "burn", step_burn }, { "after", step_pass });
KIND(blocking_kind, NULL, { "block", step_block });

/* What the log has got meanwhile; valid until the next call. */
static const char *
logged_by(void (*fn)(void))
{
	static char text[4096];
	char path[] = "/tmp/tenantgate-test-turn.XXXXXX";
	int fd = mkstemp(path);
	ssize_t n;

	assert_true(fd >= 0);
	assert_true(log_open(path));
	fn();
	assert_true(log_open(NULL));
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	unlink(path);
	return text;
}

static void
play_burning(void)
{
	struct flow f = { 0 };

	flow_start(&f, &burning_kind, worker, NULL);
	flow_fixture_finish();
}

static void
a_step_that_computes_long_is_counted_and_named(void **state)
{
	const char *text;

	(void)state;
	text = logged_by(play_burning);
	assert_int_equal(worker_long_turns(worker), 1);
	assert_non_null(strstr(text, "\"worker.long_turn\""));
	assert_non_null(strstr(text, "flow burning_kind, step burn took"));
	assert_true(worker_turn_worst_us(worker) > WORKER_TURN_LIMIT_US);
	assert_true(worker_turn_reset(worker) > WORKER_TURN_LIMIT_US);
	assert_int_equal(worker_turn_worst_us(worker), 0);
	assert_int_equal(worker_long_turns(worker), 1);
}

static void
burn_task(void *arg)
{
	(void)arg;
	burn(LONG_US);
}

static void
play_task(void)
{
	struct task task;

	worker_post(worker, &task, burn_task, NULL);
	worker_turn(worker, 20);
}

static void
no_step_is_blamed_for_a_callback(void **state)
{
	const char *text;

	(void)state;
	text = logged_by(play_task);
	assert_int_equal(worker_long_turns(worker), 1);
	assert_non_null(strstr(text, "or a callback"));
}

static void
waiting_is_no_computing(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &blocking_kind, worker, NULL);
	flow_fixture_finish();
	worker_turn(worker, (unsigned)(LONG_US / 1000));
	assert_int_equal(worker_long_turns(worker), 0);
}

static enum flow_rc
step_burn_little(struct flow *f)
{
	(void)f;
	burn(1000);
	return FLOW_NEXT;
}

KIND(little_kind, NULL, { "burn_little", step_burn_little });

static void
many_flows_have_several_turns(void **state)
{
	enum { FLOWS = 2 * WORKER_TURN_LIMIT_US / 1000 };
	static struct flow flows[FLOWS];
	unsigned i;

	(void)state;
	for (i = 0; i < FLOWS; i++)
		flow_start(&flows[i], &little_kind, worker, NULL);
	while (flow_count(worker) > 0) {
		worker_turn(worker, 20);
		traced[0] = '\0'; /* more ends than it has room for */
	}
	assert_int_equal(worker_long_turns(worker), 0);
}

static void
end_burn_little(struct flow *f, const struct err *err)
{
	(void)f;
	(void)err;
	burn(1000);
}

static const struct flow_step waiting_steps[] = { { "pass", step_pass }, { NULL, NULL } };
static const struct flow_kind ending_kind = { "ending_kind", waiting_steps, end_burn_little, NULL };

/* Of flows that are aborted no step runs: a crowd of clients that leave at once. */
static void
many_ends_have_several_turns(void **state)
{
	enum { FLOWS = 2 * WORKER_TURN_LIMIT_US / 1000 };
	static struct flow flows[FLOWS];
	unsigned i;

	(void)state;
	for (i = 0; i < FLOWS; i++) {
		flow_start(&flows[i], &ending_kind, worker, NULL);
		flow_abort(&flows[i], ERR_CLIENT_GONE, "left");
	}
	while (flow_count(worker) > 0)
		worker_turn(worker, 20);
	assert_int_equal(worker_long_turns(worker), 0);
}

static void
end_burn(struct flow *f, const struct err *err)
{
	(void)f;
	(void)err;
	burn(LONG_US);
}

static const struct flow_kind long_end_kind = { "long_end_kind", waiting_steps, end_burn, NULL };

static void
play_long_end(void)
{
	struct flow f = { 0 };

	flow_start(&f, &long_end_kind, worker, NULL);
	while (flow_count(worker) > 0)
		worker_turn(worker, 20);
}

static void
a_long_end_is_named_as_such(void **state)
{
	const char *text;

	(void)state;
	text = logged_by(play_long_end);
	assert_non_null(strstr(text, "flow long_end_kind, step end took"));
}

struct short_turns {
	struct task task;
	struct worker *worker;
	uint64_t until_us; /* of the worker's CPU; 0: at the first */
};

/* Once a turn, until the sum is that of many long ones. */
static void
burn_little(void *arg)
{
	struct short_turns *s = arg;

	if (s->until_us == 0)
		s->until_us = clock_thread_cpu_us() + 5 * WORKER_TURN_LIMIT_US;
	burn(300);
	if (clock_thread_cpu_us() < s->until_us)
		worker_post(s->worker, &s->task, burn_little, s);
	else
		worker_stop(s->worker);
}

static void
short_turns_do_not_add_up(void **state)
{
	struct short_turns s = { .worker = worker };

	(void)state;
	worker_post(worker, &s.task, burn_little, &s);
	worker_run(worker);
	assert_int_equal(worker_long_turns(worker), 0);
	assert_true(worker_turn_worst_us(worker) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_step_that_computes_long_is_counted_and_named),
		TEST(no_step_is_blamed_for_a_callback),
		TEST(many_ends_have_several_turns),
		TEST(a_long_end_is_named_as_such),
		TEST(waiting_is_no_computing),
		TEST(many_flows_have_several_turns),
		TEST(short_turns_do_not_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
