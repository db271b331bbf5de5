/* SPDX-License-Identifier: MIT */
/* What a worker counts of the flows that have ended on it, by kind and step. */
#include "flow_fixture.h"

#include "tenantgate/loop/flow_stat.h"
#include "turn_until_idle.h"

#define MS 1000

static struct timer pause;

static enum flow_rc
step_over(struct flow *f)
{
	(void)flow_goto(f, f->kind->steps[2].run);
	return FLOW_NEXT;
}

static enum flow_rc
not_reached(struct flow *f)
{
	return flow_fail(f, ERR_INTERNAL, "This step was to be jumped over.");
}

static enum flow_rc
step_of_30_ms(struct flow *f)
{
	return flow_sleep(f, &pause, 30 * MS);
}

static enum flow_rc
step_that_fails(struct flow *f)
{
	return flow_fail(f, ERR_CONFLICT, "It is so; try another.");
}

KIND(jumps, NULL, { "over", step_over }, { "never", not_reached }, { "long", step_of_30_ms });
KIND(fails, NULL, { "fail", step_that_fails });
static void
end_with_404(struct flow *f, const struct err *err)
{
	(void)err;
	f->result = 404;
}

static const struct flow_step told_steps[] = { { "fail", step_that_fails }, { NULL, NULL } };
static const struct flow_kind told = { "told", told_steps, end_with_404, NULL };

KIND(unused, NULL, { "fail", step_that_fails });

static const struct flow_kind *wanted;
static struct flow_stat found;
static unsigned kinds_seen;

static void
keep_wanted(const struct flow_stat *stat, void *arg)
{
	(void)arg;
	kinds_seen++;
	if (stat->kind == wanted)
		found = *stat;
}

static void
look(const struct flow_kind *kind)
{
	memset(&found, 0, sizeof(found));
	wanted = kind;
	kinds_seen = 0;
	flow_stats_each(worker, keep_wanted, NULL);
}

static void
run_flow(const struct flow_kind *kind)
{
	struct flow f = { 0 };

	flow_start(&f, kind, worker, NULL);
	turn_until_idle(worker);
}

static void
nothing_is_counted_before_a_flow_has_ended(void **state)
{
	struct flow f = { 0 };

	(void)state;
	look(&jumps);
	assert_int_equal(kinds_seen, 0);
	flow_start(&f, &jumps, worker, NULL);
	look(&jumps);
	assert_int_equal(kinds_seen, 0);
	turn_until_idle(worker);
	look(&jumps);
	assert_int_equal(kinds_seen, 1);
}

static void
steps_that_ran_are_counted_with_their_time(void **state)
{
	(void)state;
	run_flow(&jumps);
	run_flow(&jumps);
	look(&jumps);
	assert_int_equal(flow_histogram_count(&found.total), 2);
	assert_int_equal(found.failed, 0);
	assert_int_equal(flow_histogram_count(&found.steps[0]), 2);
	assert_int_equal(flow_histogram_count(&found.steps[1]), 0);
	assert_int_equal(flow_histogram_count(&found.steps[2]), 2);
	assert_int_equal(flow_histogram_count(&found.steps[3]), 0);
	assert_true(found.steps[2].sum_us >= 2 * 30 * MS);
	assert_true(found.total.sum_us >= found.steps[2].sum_us);
	for (unsigned i = 0; i < FLOW_STAT_BOUNDS && flow_stat_bounds_us[i] < 30 * MS; i++)
		assert_int_equal(found.steps[2].counts[i], 0);
}

static void
failures_are_counted(void **state)
{
	(void)state;
	run_flow(&fails);
	run_flow(&jumps);
	look(&fails);
	assert_int_equal(kinds_seen, 2);
	assert_int_equal(found.failed, 1);
	assert_int_equal(flow_histogram_count(&found.total), 1);
	look(&unused);
	assert_null(found.kind);
}

static void
results_are_counted_apart(void **state)
{
	(void)state;
	run_flow(&told);
	run_flow(&told);
	look(&told);
	assert_int_equal(found.results[0].code, 404);
	assert_int_equal(found.results[0].count, 2);
	assert_int_equal(found.results[1].code, 0);
	run_flow(&fails);
	look(&fails);
	assert_int_equal(found.results[0].code, 0);
}

static void
quantiles_are_reckoned_inside_a_bucket(void **state)
{
	struct flow_histogram h = { 0 }, sum = { 0 };

	(void)state;
	assert_true(flow_histogram_quantile(&h, 0.5) <= 0);
	h.counts[1] = 10; /* 500 to 1000 us */
	h.sum_us = 7500;
	assert_true(
	    flow_histogram_quantile(&h, 0.5) > 749 && flow_histogram_quantile(&h, 0.5) < 751);
	h.counts[FLOW_STAT_BOUNDS] = 10;
	assert_true(flow_histogram_quantile(&h, 0.99) >= 60000000);
	flow_histogram_add(&sum, &h);
	flow_histogram_add(&sum, &h);
	assert_int_equal(flow_histogram_count(&sum), 40);
	assert_int_equal(sum.sum_us, 15000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_counted_before_a_flow_has_ended),
		TEST(steps_that_ran_are_counted_with_their_time),
		TEST(failures_are_counted),
		TEST(results_are_counted_apart),
		TEST(quantiles_are_reckoned_inside_a_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
