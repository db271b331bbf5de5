/* SPDX-License-Identifier: MIT */
/* A flow and its child: which ends first and with what error, whichever aborts which. */
#include "traced_flow.h"

struct family {
	struct flow flow;
	struct flow child;
	struct err why;
};

static enum flow_rc
step_calls(struct flow *f)
{
	trace("(");
	return flow_call(f, &((struct family *)f)->child, &waits);
}

static void
trace_parent_end(struct flow *f, const struct err *err)
{
	trace("P");
	trace_end(f, err);
}

static const struct flow_step calls_steps[] = {
	{ "defers", step_defers },
	{ "calls", step_calls },
	{ "waits", step_waits },
	{ NULL, NULL },
};
static const struct flow_kind calls = { "calls", calls_steps, trace_parent_end, NULL };

static void
a_child_ends_before_its_aborted_parent(void **state)
{
	struct family t = { 0 };

	(void)state;
	flow_start(&t.flow, &calls, worker, NULL);
	flow_fixture_turns(2);
	flow_abort(&t.flow, ERR_CLIENT_GONE, "left");
	flow_fixture_finish();
	assert_string_equal(traced, "(wc|E:client_gone|21rP|E:client_gone|21");
}

static void
a_child_is_woken_and_its_parent_aborted(void **state)
{
	struct family t = { 0 };

	(void)state;
	flow_start(&t.flow, &calls, worker, NULL);
	flow_fixture_turns(2);
	flow_wake(&t.child);
	flow_abort(&t.flow, ERR_CLIENT_GONE, "left");
	flow_fixture_finish();
	assert_string_equal(traced, "(w|E:client_gone|21rP|E:client_gone|21");
}

/* The last thing a child does is to abort its parent: from a step, from end(), from a defer. */
static struct flow *parent;
static const struct flow_kind *aborting_child;

static void
abort_parent(void *arg)
{
	(void)arg;
	flow_abort(parent, ERR_INTERNAL, "aborted by the child");
}

static enum flow_rc
step_aborts_parent(struct flow *f)
{
	abort_parent(f);
	return FLOW_NEXT;
}

static enum flow_rc
step_defers_abort(struct flow *f)
{
	flow_defer(f, abort_parent, NULL);
	return FLOW_NEXT;
}

static void
end_aborts_parent(struct flow *f, const struct err *err)
{
	abort_parent(f);
	trace_end(f, err);
}

KIND(aborts_in_step, trace_release, { "aborts", step_aborts_parent }, { "waits", step_waits });
KIND(aborts_in_defer, trace_release, { "defers", step_defers_abort });
static const struct flow_step nothing_steps[] = { { "defers", step_defers }, { NULL, NULL } };
static const struct flow_kind aborts_in_end = { "ends", nothing_steps, end_aborts_parent,
	trace_release };

static enum flow_rc
step_calls_aborter(struct flow *f)
{
	parent = f;
	return flow_call(f, &((struct family *)f)->child, aborting_child);
}

static const struct flow_step calls_aborter_steps[] = {
	{ "calls", step_calls_aborter },
	{ "waits", step_waits },
	{ NULL, NULL },
};
static const struct flow_kind calls_aborter = { "calls", calls_aborter_steps, trace_parent_end,
	NULL };

static void
a_child_may_abort_its_parent(void **state)
{
	const struct {
		const struct flow_kind *kind;
		const char *traced_flow;
	} cases[] = {
		{ &aborts_in_step, "|E:internal|rP|E:internal|" },
		{ &aborts_in_end, "|E:ok|21rP|E:internal|" },
		{ &aborts_in_defer, "|E:ok|rP|E:internal|" },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct family t = { 0 };

		traced[0] = '\0';
		aborting_child = cases[i].kind;
		flow_start(&t.flow, &calls_aborter, worker, NULL);
		flow_fixture_finish();
		assert_string_equal(traced, cases[i].traced_flow);
	}
}

/* flow_try(): the child's failure is reported, and not the parent's. */
static enum flow_rc
step_tries(struct flow *f)
{
	struct family *t = (struct family *)f;

	return flow_try(f, &t->child, &waits, &t->why);
}

static enum flow_rc
step_traces_why(struct flow *f)
{
	trace(err_slug(((struct family *)f)->why.code));
	return FLOW_NEXT;
}

static const struct flow_step tries_steps[] = {
	{ "tries", step_tries },
	{ "traces", step_traces_why },
	{ NULL, NULL },
};
static const struct flow_kind tries = { "tries", tries_steps, trace_parent_end, NULL };

static void
a_tried_child_may_fail(void **state)
{
	struct family t = { 0 };

	(void)state;
	flow_start(&t.flow, &tries, worker, NULL);
	flow_fixture_turns(2);
	flow_abort(&t.child, ERR_NEON, "gone");
	flow_fixture_finish();
	assert_string_equal(traced, "wc|E:neon_failed|21rneon_failedP|E:ok|");
}

static void
a_tried_child_may_succeed(void **state)
{
	struct family t = { 0 };

	(void)state;
	flow_start(&t.flow, &tries, worker, NULL);
	flow_fixture_turns(2);
	flow_wake(&t.child);
	flow_fixture_finish();
	assert_string_equal(traced, "w|E:ok|21rokP|E:ok|");
}

static void
all_of_a_family_are_aborted(void **state)
{
	struct family t = { 0 };

	(void)state;
	flow_start(&t.flow, &calls, worker, NULL);
	flow_fixture_turns(2);
	flow_abort_all(worker, ERR_SHUTDOWN, "stopping");
	flow_fixture_finish();
	assert_string_equal(traced, "(wc|E:shutting_down|21rP|E:shutting_down|21");
}

/* A write in a step may find out that the client has left, and the same step go on to call. */
static enum flow_rc
step_calls_aborted(struct flow *f)
{
	flow_abort(f, ERR_CLIENT_GONE, "left");
	return step_calls(f);
}

static const struct flow_step aborted_steps[] = {
	{ "defers", step_defers },
	{ "calls", step_calls_aborted },
	{ NULL, NULL },
};
static const struct flow_kind calls_aborted = { "calls", aborted_steps, trace_parent_end, NULL };

static void
a_parent_is_aborted_in_the_step_that_calls(void **state)
{
	struct family t = { 0 };

	(void)state;
	flow_start(&t.flow, &calls_aborted, worker, NULL);
	flow_fixture_finish();
	assert_string_equal(traced, "(|E:client_gone|rP|E:client_gone|21");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_child_ends_before_its_aborted_parent),
		TEST(a_child_is_woken_and_its_parent_aborted),
		TEST(a_child_may_abort_its_parent),
		TEST(a_tried_child_may_fail),
		TEST(a_tried_child_may_succeed),
		TEST(all_of_a_family_are_aborted),
		TEST(a_parent_is_aborted_in_the_step_that_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
