/* SPDX-License-Identifier: MIT */
/* Flows that wait for one shared flow: all are woken in order, leaving only unlinks. */
#include "flow_fixture.h"

#include "tenantgate/loop/join.h"

/* The shared one, and those that wait for it. */
struct shared_flow {
	struct flow flow;
	struct join join;
	struct err verdict;
	struct timer timer;
};

struct joiner {
	struct flow flow;
	const char *name;
	struct join_waiter waiter;
};

static struct shared_flow shared;
static struct joiner a, b, c;

static enum flow_rc
shared_work(struct flow *f)
{
	return flow_sleep(f, &shared.timer, 2000);
}

static void
shared_end(struct flow *f, const struct err *err)
{
	(void)f;
	trace(err_is(err) ? "L:" : "L");
	join_finish(&shared.join, err_is(&shared.verdict) ? &shared.verdict : err);
	assert_int_equal(shared.join.count, 0);
}

static const struct flow_step shared_steps[] = { { "work", shared_work }, { NULL, NULL } };
static const struct flow_kind shared_kind = { "lookup", shared_steps, shared_end, NULL };

static enum flow_rc
joiner_wait(struct flow *f)
{
	return join_wait(&shared.join, f, &((struct joiner *)f)->waiter);
}

static enum flow_rc
joiner_woken(struct flow *f)
{
	trace(((struct joiner *)f)->name);
	return FLOW_NEXT;
}

static void
joiner_end(struct flow *f, const struct err *err)
{
	if (!err_is(err))
		return;
	trace("!");
	trace(((struct joiner *)f)->name);
}

static const struct flow_step joiner_steps[] = {
	{ "ask", joiner_wait },
	{ "answered", joiner_woken },
	{ NULL, NULL },
};
static const struct flow_kind joiner_kind = { "asker", joiner_steps, joiner_end, NULL };

static int
set_up(void **state)
{
	memset(&shared, 0, sizeof(shared));
	a = (struct joiner){ .name = "a" };
	b = (struct joiner){ .name = "b" };
	c = (struct joiner){ .name = "c" };
	join_init(&shared.join);
	if (flow_fixture_set_up(state) != 0)
		return -1;
	flow_start(&shared.flow, &shared_kind, worker, NULL);
	flow_start(&a.flow, &joiner_kind, worker, NULL);
	flow_start(&b.flow, &joiner_kind, worker, NULL);
	flow_start(&c.flow, &joiner_kind, worker, NULL);
	flow_fixture_turns(1);
	return shared.join.count == 3 ? 0 : -1;
}

static void
all_are_woken_in_order(void **state)
{
	(void)state;
	flow_fixture_finish();
	assert_string_equal(traced, "Labc");
}

static void
a_failure_reaches_all_waiters(void **state)
{
	(void)state;
	err_set(&shared.verdict, ERR_CATALOG, "down");
	flow_fixture_finish();
	assert_string_equal(traced, "L!a!b!c");
	assert_int_equal(c.flow.err.code, ERR_CATALOG);
}

static void
an_aborted_flow_fails_all_waiters(void **state)
{
	(void)state;
	flow_abort(&shared.flow, ERR_SHUTDOWN, "stopping");
	flow_fixture_finish();
	assert_string_equal(traced, "L:!a!b!c");
	assert_int_equal(a.flow.err.code, ERR_SHUTDOWN);
}

static void
leaving_only_unlinks(void **state)
{
	(void)state;
	flow_abort(&b.flow, ERR_CLIENT_GONE, "left");
	assert_int_equal(shared.join.count, 2);
	assert_null(b.waiter.join);
	flow_fixture_finish();
	assert_string_equal(traced, "!bLac");
}

/* The shared flow goes on. */
static void
all_waiters_may_leave(void **state)
{
	(void)state;
	flow_abort(&a.flow, ERR_CLIENT_GONE, "left");
	flow_abort(&b.flow, ERR_CLIENT_GONE, "left");
	flow_abort(&c.flow, ERR_CLIENT_GONE, "left");
	flow_fixture_finish();
	assert_string_equal(traced, "!a!b!cL");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_are_woken_in_order, set_up,
		    flow_fixture_tear_down),
		cmocka_unit_test_setup_teardown(a_failure_reaches_all_waiters, set_up,
		    flow_fixture_tear_down),
		cmocka_unit_test_setup_teardown(an_aborted_flow_fails_all_waiters, set_up,
		    flow_fixture_tear_down),
		cmocka_unit_test_setup_teardown(leaving_only_unlinks, set_up,
		    flow_fixture_tear_down),
		cmocka_unit_test_setup_teardown(all_waiters_may_leave, set_up,
		    flow_fixture_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
