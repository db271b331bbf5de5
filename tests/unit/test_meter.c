/* SPDX-License-Identifier: MIT */
/*
 * test_meter: what several workers count of a family is added up, by labels; a family with too many
 * sets of labels has one for the rest, and no memory is taken for more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tenantgate/loop/meter.h"

#define READINGS 80

static const double bounds[] = { 1, 10 };
static const struct meter_family jobs = {
	.name = "jobs_total",
	.help = "Jobs.",
	.type = METRIC_COUNTER,
	.labels = { "kind", "result" },
};
static const struct meter_family sizes = {
	.name = "sizes",
	.help = "Sizes.",
	.type = METRIC_HISTOGRAM,
	.bounds = bounds,
	.bound_count = 2,
};

static void
job(struct worker *w, const char *kind, const char *result)
{
	const struct slice values[] = { slice_str(kind), slice_str(result) };

	meter_add(w, &jobs, values, 1);
}

static double
counted(const struct meter_reading *readings, unsigned n, const char *kind, const char *result)
{
	for (unsigned i = 0; i < n; i++)
		if (slice_is(slice_str(readings[i].values[0]), kind) &&
		    slice_is(slice_str(readings[i].values[1]), result))
			return readings[i].sum;
	return -1;
}

static void
workers_are_added_up_by_labels(void **state)
{
	static struct meter_reading readings[READINGS];
	struct worker *one = worker_new(0), *two = worker_new(1);
	unsigned n = 0;

	(void)state;
	job(one, "a", "good");
	job(one, "a", "good");
	job(one, "a", "");
	job(two, "a", "good");
	job(two, "ag", "ood");
	assert_true(meter_gather(one, &jobs, readings, &n, READINGS));
	assert_true(meter_gather(two, &jobs, readings, &n, READINGS));
	assert_int_equal(n, 3);
	assert_true(counted(readings, n, "a", "good") == 3);
	assert_true(counted(readings, n, "a", "") == 1);
	assert_true(counted(readings, n, "ag", "ood") == 1);
	worker_free(one);
	worker_free(two);
}

static void
a_histogram_has_its_buckets(void **state)
{
	static struct meter_reading r[1];
	struct worker *w = worker_new(0);
	unsigned n = 0;

	(void)state;
	meter_add(w, &sizes, NULL, 1);
	meter_add(w, &sizes, NULL, 9.5);
	meter_add(w, &sizes, NULL, 11);
	meter_count(meter_series(w, &sizes, NULL), 100);
	assert_true(meter_gather(w, &sizes, r, &n, 1));
	assert_int_equal(n, 1);
	assert_int_equal(r[0].counts[0], 1);
	assert_int_equal(r[0].counts[1], 1);
	assert_int_equal(r[0].counts[2], 2);
	assert_true(r[0].sum > 121.4 && r[0].sum < 121.6);
	worker_free(w);
}

static void
what_is_past_the_limit_is_other(void **state)
{
	static struct meter_reading readings[READINGS];
	struct worker *w = worker_new(0);
	unsigned n = 0;
	double all = 0;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		char kind[32];

		(void)snprintf(kind, sizeof(kind), "kind-%u", i);
		job(w, kind, "good");
	}
	job(w, "kind-3", "good");
	assert_true(meter_gather(w, &jobs, readings, &n, READINGS));
	assert_int_equal(n, METER_SERIES_MAX + 1);
	for (unsigned i = 0; i < n; i++)
		all += readings[i].sum;
	assert_true(all == 10001);
	assert_true(counted(readings, n, "kind-3", "good") == 2);
	assert_true(counted(readings, n, "other", "other") == 10000 - METER_SERIES_MAX);
	n = 0;
	assert_false(meter_gather(w, &jobs, readings, &n, 5));
	assert_int_equal(n, 5);
	worker_free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_are_added_up_by_labels),
		cmocka_unit_test(a_histogram_has_its_buckets),
		cmocka_unit_test(what_is_past_the_limit_is_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
