/* SPDX-License-Identifier: MIT */
/*
 * test_metrics_tenants: the page of metrics does not grow with the tenants: a hundred thousand of
 * them, with the longest ids there are, are the loudest by name, and one sample for all others.
 */
#define _GNU_SOURCE /* strsep */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/metrics_page.h"

#define TENANTS	 100000u
#define NOISY	 50u
#define MUCH	 10000u
#define PAGE_MAX (1u << 20)

static void
tenant_name(char *out, size_t size, unsigned i)
{
	(void)snprintf(out, size, "%0*u", LOUDEST_NAME_MAX, i);
}

/* Every tenant asks once, on whichever worker; the noisy ones so often that
 * the crowd cannot push them out. */
static void
count_all(struct loudest *l)
{
	char name[LOUDEST_NAME_MAX + 1];

	for (unsigned i = 0; i < TENANTS; i++) {
		tenant_name(name, sizeof(name), i);
		loudest_add(l, i, slice_str(name), 1, false);
		for (unsigned n = 0; n < MUCH && i < NOISY; n++)
			loudest_add(l, n, slice_str(name), 1, false);
	}
}

static void
the_page_is_small_and_its_sum_is_right(void **state)
{
	struct api_shared shared = { .loudest = loudest_new(LOUDEST_TENANTS, 2) };
	struct api_context api = { .shared = &shared };
	struct admin_context ctx = { .api = &api };
	struct buf out;
	struct metric_page page = { .out = &out };
	double sum = 0;
	unsigned lines = 0;

	(void)state;
	count_all(shared.loudest);
	buf_init(&out, PAGE_MAX);
	metrics_put_tenants(&page, &ctx);
	assert_false(out.failed);
	assert_true(out.len < 64 * 1024);
	buf_putc(&out, '\0');
	for (char *at = out.data, *line; (line = strsep(&at, "\n")) != NULL && line[0] != '\0';) {
		double value;

		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(strrchr(line, ' '), "%lf", &value), 1);
		sum += value;
		lines++;
		if (strstr(line, "\"other\"") == NULL && lines <= NOISY)
			assert_true(value >= MUCH);
	}
	assert_int_equal(lines, LOUDEST_TENANTS + 1);
	assert_true(sum == TENANTS + (double)MUCH * NOISY);
	buf_free(&out);
	loudest_free(shared.loudest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_is_small_and_its_sum_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
