/* SPDX-License-Identifier: MIT */
/* How a flow ends: once, with the first reason, defers newest first; aborted in every state. */
#include "flow_fixture.h"

#include "tenantgate/base/arena.h"

#include "traced_flow.h"

static enum flow_rc
step_fails(struct flow *f)
{
	return flow_fail(f, ERR_CONFLICT, "twice %s", "the same");
}

KIND(fails, trace_release, { "defers", step_defers }, { "fails", step_fails },
    { "wait", step_waits });

static void
a_failure_ends_the_flow(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &fails, worker, NULL);
	flow_fixture_turns(1);
	assert_string_equal(traced, "|E:conflict|21r");
	assert_string_equal(f.err.detail, "twice the same");
	flow_abort(&f, ERR_SHUTDOWN, "on an ended flow: nothing");
	assert_int_equal(f.err.code, ERR_CONFLICT);
}

/* The wait is over at once, the end comes from the loop; a second reason is too late. */
static void
a_waiting_flow_may_be_aborted(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &waits, worker, NULL);
	flow_fixture_turns(1);
	flow_abort(&f, ERR_CLIENT_GONE, "left");
	assert_string_equal(traced, "wc");
	flow_abort(&f, ERR_SHUTDOWN, "too late");
	flow_fixture_turns(1);
	assert_string_equal(traced, "wc|E:client_gone|21r");
}

static void
a_flow_may_be_aborted_before_its_first_step(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &waits, worker, NULL);
	flow_abort(&f, ERR_SHUTDOWN, "no");
	flow_fixture_turns(1);
	assert_string_equal(traced, "|E:shutting_down|r");
}

/* No cancel: the wait was over. */
static void
a_woken_flow_may_be_aborted(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &waits, worker, NULL);
	flow_fixture_turns(1);
	flow_wake(&f);
	flow_abort(&f, ERR_CLIENT_GONE, "left");
	flow_fixture_turns(1);
	assert_string_equal(traced, "w|E:client_gone|21r");
}

static enum flow_rc
abort_and_next(struct flow *f)
{
	flow_abort(f, ERR_CLIENT_GONE, "left");
	trace("n");
	return FLOW_NEXT;
}

static enum flow_rc
abort_and_done(struct flow *f)
{
	flow_abort(f, ERR_CLIENT_GONE, "left");
	return FLOW_DONE;
}

static enum flow_rc
abort_and_fail(struct flow *f)
{
	flow_abort(f, ERR_CLIENT_GONE, "left");
	return flow_fail(f, ERR_INTERNAL, "second");
}

static enum flow_rc
abort_and_wait(struct flow *f)
{
	flow_abort(f, ERR_CLIENT_GONE, "left");
	return step_waits(f);
}

static enum flow_rc
wait_and_abort(struct flow *f)
{
	enum flow_rc rc = step_waits(f);

	flow_abort(f, ERR_CLIENT_GONE, "left");
	return rc;
}

KIND(aborts_next, trace_release, { "x", abort_and_next }, { "wait", step_waits });
KIND(aborts_done, trace_release, { "x", abort_and_done });
KIND(aborts_fail, trace_release, { "x", abort_and_fail });
KIND(aborts_wait, trace_release, { "x", abort_and_wait });
KIND(waits_abort, trace_release, { "x", wait_and_abort });

static void
a_flow_may_be_aborted_inside_its_own_step(void **state)
{
	const struct {
		const struct flow_kind *kind;
		const char *traced_flow;
	} cases[] = {
		{ &aborts_next, "n|E:client_gone|r" },
		{ &aborts_done, "|E:client_gone|r" },
		{ &aborts_fail, "|E:client_gone|r" },
		{ &aborts_wait, "wc|E:client_gone|r" },
		{ &waits_abort, "wc|E:client_gone|r" },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < 5; i++) {
		struct flow f = { 0 };

		traced[0] = '\0';
		flow_start(&f, cases[i].kind, worker, NULL);
		flow_fixture_finish();
		assert_string_equal(traced, cases[i].traced_flow);
	}
}

static void
a_deadline_names_the_step(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &waits, worker, NULL);
	flow_deadline(&f, 3600 * 1000000ull);
	flow_deadline(&f, 5000);
	flow_fixture_finish();
	assert_string_equal(traced, "wc|E:timeout|21r");
	assert_string_equal(f.err.detail, "The deadline passed in step 'wait'. Try again.");
	assert_null(f.deadline.event);
}

static void
a_deadline_may_be_taken_back(void **state)
{
	struct flow f = { 0 };

	(void)state;
	flow_start(&f, &waits, worker, NULL);
	flow_deadline(&f, 1000);
	flow_deadline(&f, 0);
	worker_turn(worker, 0);
	worker_turn(worker, 20);
	assert_string_equal(traced, "w");
	flow_wake(&f);
	flow_fixture_finish();
	assert_string_equal(traced, "w|E:ok|21r");
}

static void
count_one(struct flow *f, void *arg)
{
	(void)f;
	++*(unsigned *)arg;
}

static void
all_flows_are_aborted(void **state)
{
	struct flow one = { 0 }, other = { 0 };
	unsigned n = 0;

	(void)state;
	flow_start(&one, &waits, worker, NULL);
	flow_start(&other, &waits, worker, NULL);
	flow_fixture_turns(1);
	flow_each(worker, count_one, &n);
	assert_int_equal(n, 2);
	flow_abort_all(worker, ERR_SHUTDOWN, "stopping");
	flow_fixture_finish();
	assert_int_equal(one.err.code, ERR_SHUTDOWN);
	assert_int_equal(other.err.code, ERR_SHUTDOWN);
}

/* The usual request: the flow lives in its own arena, release frees both. */
static void
release_arena(struct flow *f)
{
	arena_free(f->arena);
}

static const struct flow_kind in_arena = { "in_arena", waits_steps, trace_end, release_arena };

static void
release_frees_the_flow(void **state)
{
	struct arena *arena = arena_new(4096);
	struct flow *f = arena_alloc(arena, sizeof(*f));

	(void)state;
	assert_non_null(f);
	flow_start(f, &in_arena, worker, arena);
	flow_fixture_turns(1);
	flow_abort(f, ERR_CLIENT_GONE, "left");
	flow_fixture_finish();
	assert_string_equal(traced, "wc|E:client_gone|21");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_failure_ends_the_flow),
		TEST(a_waiting_flow_may_be_aborted),
		TEST(a_flow_may_be_aborted_before_its_first_step),
		TEST(a_woken_flow_may_be_aborted),
		TEST(a_flow_may_be_aborted_inside_its_own_step),
		TEST(a_deadline_names_the_step),
		TEST(a_deadline_may_be_taken_back),
		TEST(all_flows_are_aborted),
		TEST(release_frees_the_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
