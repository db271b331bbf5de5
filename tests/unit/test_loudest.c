/* SPDX-License-Identifier: MIT */
/*
 * test_loudest: the loudest of many are found in a few places, with counts that err upwards alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tenantgate/base/loudest.h"

#define PLACES 16

static const struct loudest_place *
named(const struct loudest_place *all, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (slice_is(slice_str(name), all[i].name))
			return &all[i];
	return NULL;
}

static void
what_fits_is_counted_exactly(void **state)
{
	struct loudest *l = loudest_new(PLACES, 2);
	struct loudest_place all[PLACES];
	uint64_t counted;

	(void)state;
	for (int i = 0; i < 5; i++)
		loudest_add(l, 0, slice_str("acme"), 10, i == 0);
	loudest_add(l, 0, slice_str("acm"), 7, false);
	loudest_add(l, 0, slice_str(""), 1, false);
	assert_int_equal(loudest_copy(l, all, PLACES, &counted), 3);
	assert_int_equal(counted, 7);
	assert_int_equal(named(all, 3, "acme")->count, 5);
	assert_int_equal(named(all, 3, "acme")->failed, 1);
	assert_int_equal(named(all, 3, "acme")->sum_us, 50);
	assert_int_equal(named(all, 3, "acm")->count, 1);
	assert_int_equal(named(all, 3, "acm")->error, 0);
	assert_int_equal(loudest_copy(l, all, 1, &counted), 1);
	loudest_free(l);
}

/* 3 of 10,000 names do a tenth of all each: they are among 16, whatever the order. */
static void
the_loudest_of_many_are_there(void **state)
{
	struct loudest *l = loudest_new(PLACES, 2);
	struct loudest_place all[PLACES];
	uint64_t counted;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "quiet-%u", i);
		loudest_add(l, 0, slice_str(name), 1, false);
		if (i % 7 == 0)
			for (unsigned k = 0; k < 3; k++) {
				(void)snprintf(name, sizeof(name), "loud-%u", k);
				loudest_add(l, 0, slice_str(name), 1, false);
			}
	}
	assert_int_equal(loudest_copy(l, all, PLACES, &counted), PLACES);
	for (unsigned k = 0; k < 3; k++) {
		char name[32];
		const struct loudest_place *p;

		(void)snprintf(name, sizeof(name), "loud-%u", k);
		p = named(all, PLACES, name);
		assert_non_null(p);
		assert_true(p->count >= 1429 && p->count - p->error <= 1429);
	}
	loudest_free(l);
}

static void
long_names_are_cut(void **state)
{
	struct loudest *l = loudest_new(PLACES, 2);
	struct loudest_place all[PLACES];
	uint64_t counted;
	char name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = 'x';
	loudest_add(l, 0, slice_of(name, sizeof(name)), 1, false);
	loudest_add(l, 0, slice_of(name, sizeof(name)), 1, false);
	assert_int_equal(loudest_copy(l, all, PLACES, &counted), 1);
	assert_int_equal(strlen(all[0].name), LOUDEST_NAME_MAX);
	assert_int_equal(all[0].count, 2);
	loudest_free(l);
}

static void
shards_are_one_when_looked_at(void **state)
{
	struct loudest *l = loudest_new(PLACES, 3);
	struct loudest_place all[PLACES];
	uint64_t counted;

	(void)state;
	for (unsigned shard = 0; shard < 6; shard++)
		for (unsigned i = 0; i < 10; i++)
			loudest_add(l, shard, slice_str("everywhere"), 2, i == 0);
	for (unsigned shard = 0; shard < 3; shard++)
		for (unsigned i = 0; i < PLACES; i++) {
			char name[32];

			(void)snprintf(name, sizeof(name), "once-%u-%u", shard, i);
			loudest_add(l, shard, slice_str(name), 1, false);
		}
	assert_int_equal(loudest_copy(l, all, PLACES, &counted), PLACES);
	assert_int_equal(counted, 60 + 3 * PLACES);
	assert_string_equal(all[0].name, "everywhere"); /* the loudest first */
	assert_int_equal(all[0].count - all[0].error, 60);
	assert_int_equal(all[0].failed, 6);
	assert_int_equal(all[0].sum_us, 120);
	loudest_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_is_counted_exactly),
		cmocka_unit_test(the_loudest_of_many_are_there),
		cmocka_unit_test(shards_are_one_when_looked_at),
		cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
