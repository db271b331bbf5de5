/* SPDX-License-Identifier: MIT */
/* How a flow goes through its steps: waits, wakes, loops, lets others run, calls a child. */
#include "flow_fixture.h"

#include "tenantgate/base/clock.h"

static struct flow *waiting; /* the flow that waits in wait_here() */
static unsigned rounds;

static void
forget(void *arg)
{
	trace("c");
	assert_ptr_equal(arg, waiting);
	waiting = NULL;
}

static void
wipe_and_trace(struct flow *f)
{
	memset(f, 0xdd, sizeof(*f)); /* nobody may look at it any more */
	trace("r");
}

static enum flow_rc
step_a(struct flow *f)
{
	(void)f;
	trace("a");
	return FLOW_NEXT;
}

static enum flow_rc
step_b(struct flow *f)
{
	(void)f;
	trace("b");
	return FLOW_NEXT;
}

static enum flow_rc
wait_here(struct flow *f)
{
	trace("w");
	waiting = f;
	return flow_wait(f, forget, f);
}

static enum flow_rc
done_here(struct flow *f)
{
	(void)f;
	trace("d");
	return FLOW_DONE;
}

KIND(plain, wipe_and_trace, { "a", step_a }, { "b", step_b });
KIND(waits, wipe_and_trace, { "a", step_a }, { "wait", wait_here }, { "b", step_b });
KIND(early, wipe_and_trace, { "d", done_here }, { "b", step_b });

static void
steps_run_from_the_loop(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &plain, worker, NULL);
	assert_string_equal(traced, "");
	assert_int_equal(flow_count(worker), 1);
	flow_fixture_turns(1);
	assert_string_equal(traced, "ab|E:ok|r");
	assert_int_equal(flow_count(worker), 0);
}

static void
done_skips_the_rest(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &early, worker, NULL);
	flow_fixture_turns(1);
	assert_string_equal(traced, "d|E:ok|r");
}

static void
a_wake_queues(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &waits, worker, NULL);
	flow_fixture_turns(3);
	assert_string_equal(traced, "aw");
	assert_string_equal(flow_step_name(&f), "wait");
	flow_wake(&f);
	assert_string_equal(traced, "aw");
	flow_fixture_turns(1);
	assert_string_equal(traced, "awb|E:ok|r");
}

static void
a_wake_may_bring_an_error(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &waits, worker, NULL);
	flow_fixture_turns(1);
	flow_wake_fail(&f, ERR_MODEL, "it said %d", 500);
	flow_fixture_turns(1);
	assert_string_equal(traced, "aw|E:model_failed|r");
}

/* An operation that is over before its step has returned. */
static enum flow_rc
wait_and_wake(struct flow *f)
{
	enum flow_rc rc = wait_here(f);

	flow_wake(f);
	return rc;
}

KIND(hasty, wipe_and_trace, { "hasty", wait_and_wake }, { "b", step_b });

static void
a_flow_may_be_woken_inside_its_step(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &hasty, worker, NULL);
	flow_fixture_turns(1);
	assert_string_equal(traced, "wb|E:ok|r");
}

static enum flow_rc
loop_tail(struct flow *f)
{
	if (rounds-- > 1)
		return flow_goto(f, wait_here);
	return FLOW_NEXT;
}

static const struct flow_step loops_steps[] = {
	{ "a", step_a },
	{ "wait", wait_here },
	{ "tail", loop_tail },
	{ "b", step_b },
	{ NULL, NULL },
};
static const struct flow_kind loops = { "loops", loops_steps, trace_end, NULL };

static void
a_loop_adds_up_its_time(void **state)
{
	struct flow f = { 0 };
	unsigned i;

	(void)state;
	rounds = 3;
	flow_start(&f, &loops, worker, NULL);
	for (i = 0; i < 3; i++) {
		flow_fixture_turns(1);
		clock_test_advance(1000000);
		flow_wake(waiting);
	}
	assert_true(flow_age_us(&f) >= 3000000);
	flow_fixture_turns(1);
	assert_string_equal(traced, "awwwb|E:ok|");
	assert_in_range(f.step_us[1], 3000000, 5900000);
	assert_in_range(f.step_us[0], 0, 2900000);
	assert_in_range(f.step_us[2], 0, 2900000);
}

static enum flow_rc
spin(struct flow *f)
{
	if (rounds-- > 1)
		return flow_goto(f, spin);
	return FLOW_NEXT;
}

KIND(spins, wipe_and_trace, { "spin", spin }, { "b", step_b });

static void
no_flow_keeps_the_loop(void **state)
{
	struct flow f = { 0 }, other = { 0 };

	(void)state;
	rounds = 1000;
	flow_start(&f, &spins, worker, NULL);
	flow_start(&other, &plain, worker, NULL);
	flow_fixture_finish();
	assert_string_equal(traced, "ab|E:ok|rb|E:ok|r"); /* the other first */
}

struct two {
	struct flow flow;
	struct flow child;
	struct timer timer;
};

static enum flow_rc
call_waits(struct flow *f)
{
	trace("(");
	return flow_call(f, &((struct two *)f)->child, &waits);
}

static enum flow_rc
after_call(struct flow *f)
{
	(void)f;
	trace(")");
	return FLOW_NEXT;
}

static const struct flow_step calls_steps[] = {
	{ "call", call_waits },
	{ "after", after_call },
	{ NULL, NULL },
};
static const struct flow_kind calls = { "calls", calls_steps, trace_end, NULL };

static void
a_call_waits_for_the_child(void **state)
{
	struct two two = { 0 };

	(void)state;
	flow_start(&two.flow, &calls, worker, NULL);
	two.flow.request_id = "req-1";
	flow_fixture_turns(2);
	assert_string_equal(traced, "(aw");
	assert_string_equal(two.child.request_id, "req-1");
	flow_wake(&two.child);
	flow_fixture_finish();
	assert_string_equal(traced, "(awb|E:ok|r)|E:ok|");
}

static void
a_call_fails_with_the_child(void **state)
{
	struct two two = { 0 };

	(void)state;
	flow_start(&two.flow, &calls, worker, NULL);
	flow_fixture_turns(2);
	flow_abort(&two.child, ERR_NEON, "gone");
	flow_fixture_finish();
	assert_string_equal(traced, "(awc|E:neon_failed|r|E:neon_failed|");
	assert_string_equal(two.flow.err.detail, "gone");
}

static enum flow_rc
sleep_a_moment(struct flow *f)
{
	trace("z");
	return flow_sleep(f, &((struct two *)f)->timer, 5000);
}

static const struct flow_step delays_steps[] = {
	{ "sleep", sleep_a_moment },
	{ "again", sleep_a_moment },
	{ "b", step_b },
	{ NULL, NULL },
};
static const struct flow_kind delays = { "delays", delays_steps, trace_end, NULL };

/* An ended flow may start anew; a sleep cut short leaves no timer. */
static void
a_sleep_is_a_wait(void **state)
{
	struct two two = { 0 };

	(void)state;
	flow_start(&two.flow, &delays, worker, NULL);
	flow_fixture_finish();
	assert_string_equal(traced, "zzb|E:ok|");
	assert_null(two.timer.event);
	flow_start(&two.flow, &delays, worker, NULL);
	flow_fixture_turns(1);
	flow_abort(&two.flow, ERR_CLIENT_GONE, "left");
	flow_fixture_finish();
	assert_string_equal(traced, "zzb|E:ok|z|E:client_gone|");
	assert_null(two.timer.event);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(steps_run_from_the_loop),
		TEST(done_skips_the_rest),
		TEST(a_wake_queues),
		TEST(a_wake_may_bring_an_error),
		TEST(a_flow_may_be_woken_inside_its_step),
		TEST(a_loop_adds_up_its_time),
		TEST(no_flow_keeps_the_loop),
		TEST(a_call_waits_for_the_child),
		TEST(a_call_fails_with_the_child),
		TEST(a_sleep_is_a_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
