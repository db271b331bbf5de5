/* SPDX-License-Identifier: MIT */
/*
 * test_metric: a page of metrics, line by line, in both forms, whatever a label holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tenantgate/base/metric.h"

static void
page_is(bool is_open, const char *expected)
{
	static const double bounds[] = { 0.001, 1 };
	static const uint64_t counts[] = { 3, 0, 1 };
	struct metric_label route = { "route", slice_str("chat") };
	struct metric_page page = { .is_open = is_open };
	struct buf b;

	buf_init(&b, 4096);
	page.out = &b;
	metric_family(&page, "a_total", METRIC_COUNTER, "Things done.");
	metric_sample(&page, "a_total", NULL, 0, 9007199254740992.0);
	metric_family(&page, "b_seconds", METRIC_HISTOGRAM, "How long.");
	metric_histogram(&page, "b_seconds", &route, 1, bounds, 2, counts, 2.5);
	metric_histogram(&page, "b_seconds", NULL, 0, bounds, 2, counts, 2.5);
	metric_end(&page);
	assert_string_equal(b.data, expected);
	buf_free(&b);
}

#define HISTOGRAM \
	"# HELP b_seconds How long.\n# TYPE b_seconds histogram\n" \
	"b_seconds_bucket{route=\"chat\",le=\"0.001\"} 3\n" \
	"b_seconds_bucket{route=\"chat\",le=\"1\"} 3\n" \
	"b_seconds_bucket{route=\"chat\",le=\"+Inf\"} 4\n" \
	"b_seconds_sum{route=\"chat\"} 2.5\nb_seconds_count{route=\"chat\"} 4\n" \
	"b_seconds_bucket{le=\"0.001\"} 3\nb_seconds_bucket{le=\"1\"} 3\n" \
	"b_seconds_bucket{le=\"+Inf\"} 4\nb_seconds_sum 2.5\nb_seconds_count 4\n"

static void
both_forms_are_as_they_are_specified(void **state)
{
	(void)state;
	page_is(false,
	    "# HELP a_total Things done.\n# TYPE a_total counter\n"
	    "a_total 9007199254740992\n" HISTOGRAM);
	page_is(true,
	    "# HELP a Things done.\n# TYPE a counter\na_total 9007199254740992\n" HISTOGRAM
	    "# EOF\n");
}

static void
labels_are_quoted(void **state)
{
	struct metric_label label = { "tenant", slice_of("a\"b\\c\nd\x1b\xff\xc3\xa9", 11) };
	struct metric_page page = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	page.out = &b;
	metric_sample(&page, "x", &label, 1, 0.5);
	assert_string_equal(b.data, "x{tenant=\"a\\\"b\\\\c?d??\xc3\xa9\"} 0.5\n");
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_are_as_they_are_specified),
		cmocka_unit_test(labels_are_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
