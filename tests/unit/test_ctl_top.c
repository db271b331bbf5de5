/* SPDX-License-Identifier: MIT */
/*
 * test_ctl_top: rates and times from two answers of the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/ctl_top.h"

#define BOUNDS "\"boundsSeconds\":[0.001,0.01,0.1]"

static const struct top_row *
row_named(const struct top_row *rows, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	fail_msg("%s is not there", name);
	return NULL;
}

static double
reckon(struct top_table *t, const char *before, const char *now)
{
	json_t *a = json_loads(before, 0, NULL), *b = json_loads(now, 0, NULL);
	double over_s;

	assert_non_null(a);
	assert_non_null(b);
	*t = (struct top_table){ 0 };
	over_s = ctl_top_reckon(t, a, b);
	json_decref(a);
	json_decref(b);
	return over_s;
}

static bool
is_near(double a, double b)
{
	return fabs(a - b) < 1e-6;
}

static const char before[] =
    "{\"clockSeconds\":100," BOUNDS ",\"flows\":[{\"kind\":\"chat\",\"failed\":1,\"count\":10,"
    "\"sumSeconds\":1,\"buckets\":[10,0,0,0],\"steps\":[{\"step\":\"auth\",\"count\":10,"
    "\"sumSeconds\":0.5,\"buckets\":[10,0,0,0]}]}],\"tenants\":[{\"tenant\":\"acme\","
    "\"count\":10,\"error\":0,\"failed\":0,\"sumSeconds\":1}]}";

static const char later[] =
    "{\"clockSeconds\":102," BOUNDS ",\"flows\":[{\"kind\":\"chat\",\"failed\":3,\"count\":30,"
    "\"sumSeconds\":5,\"buckets\":[10,20,0,0],\"steps\":[{\"step\":\"auth\",\"count\":30,"
    "\"sumSeconds\":1.5,\"buckets\":[10,10,10,0]}]},{\"kind\":\"search\",\"failed\":0,\"count\":4,"
    "\"sumSeconds\":2,\"buckets\":[0,0,0,4],\"steps\":[]}],\"tenants\":[{\"tenant\":\"acme\","
    "\"count\":20,\"error\":0,\"failed\":2,\"sumSeconds\":3},{\"tenant\":\"new\",\"count\":7,"
    "\"error\":5,\"failed\":1,\"sumSeconds\":1}]}";

static void
the_difference_is_shown(void **state)
{
	const struct top_row *r;
	struct top_table t;

	(void)state;
	assert_true(is_near(reckon(&t, before, later), 2));
	assert_int_equal(t.kind_count, 2);
	r = row_named(t.kinds, t.kind_count, "chat");
	assert_true(is_near(r->rate, 10) && is_near(r->failed, 1) && is_near(r->busy, 2));
	assert_true(is_near(r->p50, 0.0055)); /* half of the bucket from 1 to 10 ms */
	r = row_named(t.kinds, t.kind_count, "search");
	assert_true(is_near(r->rate, 2) && is_near(r->p99, 0.1));
	assert_int_equal(t.step_count, 1);
	r = row_named(t.steps, t.step_count, "chat auth");
	assert_true(is_near(r->rate, 10) && is_near(r->busy, 0.5) && is_near(r->p95, 0.091));
	ctl_top_free(&t);
}

static void
a_tenant_that_is_new_brings_no_others_count(void **state)
{
	const struct top_row *r;
	struct top_table t;

	(void)state;
	(void)reckon(&t, before, later);
	r = row_named(t.tenants, t.tenant_count, "acme");
	assert_true(is_near(r->rate, 5) && is_near(r->failed, 1) && is_near(r->busy, 1));
	r = row_named(t.tenants, t.tenant_count, "new");
	assert_true(is_near(r->rate, 1));
	ctl_top_free(&t);
}

static void
a_server_that_started_anew_is_told_from_its_start(void **state)
{
	const struct top_row *r;
	struct top_table t;

	(void)state;
	assert_true(is_near(reckon(&t, later, before), 100));
	r = row_named(t.kinds, t.kind_count, "chat");
	assert_true(is_near(r->rate, 0.1));
	ctl_top_free(&t);
}

static void
nothing_has_no_times(void **state)
{
	struct top_table t;

	(void)state;
	(void)reckon(&t, later, later);
	assert_true(isnan(row_named(t.kinds, t.kind_count, "chat")->p50));
	ctl_top_free(&t);
	(void)reckon(&t, "{}", "{}");
	assert_int_equal(t.kind_count + t.step_count + t.tenant_count, 0);
	ctl_top_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_difference_is_shown),
		cmocka_unit_test(a_tenant_that_is_new_brings_no_others_count),
		cmocka_unit_test(a_server_that_started_anew_is_told_from_its_start),
		cmocka_unit_test(nothing_has_no_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
