/* SPDX-License-Identifier: MIT */
/* Identical questions share one flow: all are woken in order, leaving only unlinks. */
#include "flow_fixture.h"

#include "tenantgate/loop/join.h"

/* The shared one, and those who ask. */
struct lookup {
	struct flow flow;
	struct join join;
	struct err verdict;
	struct timer timer;
};

struct asker {
	struct flow flow;
	const char *name;
	struct join_waiter waiter;
};

static struct lookup lookup;
static struct asker a, b, c;

static enum flow_rc
lookup_work(struct flow *f)
{
	return flow_sleep(f, &lookup.timer, 2000);
}

static void
lookup_end(struct flow *f, const struct err *err)
{
	(void)f;
	trace(err_is(err) ? "L:" : "L");
	join_finish(&lookup.join, err_is(&lookup.verdict) ? &lookup.verdict : err);
	assert_int_equal(lookup.join.count, 0);
}

static const struct flow_step lookup_steps[] = { { "work", lookup_work }, { NULL, NULL } };
static const struct flow_kind lookup_kind = { "lookup", lookup_steps, lookup_end, NULL };

static enum flow_rc
ask(struct flow *f)
{
	return join_wait(&lookup.join, f, &((struct asker *)f)->waiter);
}

static enum flow_rc
answered(struct flow *f)
{
	trace(((struct asker *)f)->name);
	return FLOW_NEXT;
}

static void
asker_end(struct flow *f, const struct err *err)
{
	if (!err_is(err))
		return;
	trace("!");
	trace(((struct asker *)f)->name);
}

static const struct flow_step asker_steps[] = {
	{ "ask", ask },
	{ "answered", answered },
	{ NULL, NULL },
};
static const struct flow_kind asker_kind = { "asker", asker_steps, asker_end, NULL };

static int
setup(void **state)
{
	memset(&lookup, 0, sizeof(lookup));
	a = (struct asker){ .name = "a" };
	b = (struct asker){ .name = "b" };
	c = (struct asker){ .name = "c" };
	join_init(&lookup.join);
	if (flow_fixture_setup(state) != 0)
		return -1;
	flow_start(&lookup.flow, &lookup_kind, worker, NULL);
	flow_start(&a.flow, &asker_kind, worker, NULL);
	flow_start(&b.flow, &asker_kind, worker, NULL);
	flow_start(&c.flow, &asker_kind, worker, NULL);
	flow_fixture_turns(1);
	return lookup.join.count == 3 ? 0 : -1;
}

static void
test_all_are_woken_in_order(void **state)
{
	(void)state;
	flow_fixture_finish();
	assert_string_equal(traced, "Labc");
}

static void
test_failure_is_everybodys(void **state)
{
	(void)state;
	err_set(&lookup.verdict, ERR_CATALOG, "down");
	flow_fixture_finish();
	assert_string_equal(traced, "L!a!b!c");
	assert_int_equal(c.flow.err.code, ERR_CATALOG);
}

static void
test_aborted_lookup_fails_everybody(void **state)
{
	(void)state;
	flow_abort(&lookup.flow, ERR_SHUTDOWN, "stopping");
	flow_fixture_finish();
	assert_string_equal(traced, "L:!a!b!c");
	assert_int_equal(a.flow.err.code, ERR_SHUTDOWN);
}

static void
test_leaving_only_unlinks(void **state)
{
	(void)state;
	flow_abort(&b.flow, ERR_CLIENT_GONE, "left");
	assert_int_equal(lookup.join.count, 2);
	assert_null(b.waiter.join);
	flow_fixture_finish();
	assert_string_equal(traced, "!bLac");
}

/* The lookup goes on. */
static void
test_everybody_left(void **state)
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
		cmocka_unit_test_setup_teardown(test_all_are_woken_in_order, setup,
		    flow_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_failure_is_everybodys, setup,
		    flow_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_aborted_lookup_fails_everybody, setup,
		    flow_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_leaving_only_unlinks, setup,
		    flow_fixture_teardown),
		cmocka_unit_test_setup_teardown(test_everybody_left, setup, flow_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
