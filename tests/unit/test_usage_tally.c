/* SPDX-License-Identifier: MIT */
/*
 * test_usage_tally: what is noted is added up by tenant, day and model, and leaves in batches,
 * once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tenantgate/base/json.h"
#include "usage/usage_tally.h"

#define DAY 20785 /* 2026-11-28 */

static struct usage_tally *tally;
static const struct usage_count one = { 1, 2, 3, 4, 5, 6, 7 };

static int
tally_open(void **state)
{
	(void)state;
	tally = usage_tally_new(1200);
	return 0;
}

static int
tally_close(void **state)
{
	(void)state;
	usage_tally_free(tally);
	return 0;
}

static json_t *
taken(void)
{
	struct err err = { 0 };
	struct buf b;
	json_t *rows;

	buf_init(&b, USAGE_BATCH_MAX);
	assert_true(usage_tally_take(tally, USAGE_BATCH_ROWS, &b));
	usage_tally_forget(tally, NULL);
	rows = json_read(buf_view(&b), &err);
	assert_non_null(rows);
	buf_free(&b);
	return rows;
}

static long long
member(const json_t *row, const char *name)
{
	assert_true(json_is_integer(json_object_get(row, name)));
	return json_integer_value(json_object_get(row, name));
}

static void
check_row(const json_t *row, const char *tenant, const char *day, const char *model, int times)
{
	assert_string_equal(json_string_value(json_object_get(row, "tenant")), tenant);
	assert_string_equal(json_string_value(json_object_get(row, "day")), day);
	assert_string_equal(json_string_value(json_object_get(row, "model")), model);
	assert_int_equal(member(row, "requests"), times);
	assert_int_equal(member(row, "inputTokens"), 2 * times);
	assert_int_equal(member(row, "outputTokens"), 3 * times);
	assert_int_equal(member(row, "embeddingCalls"), 4 * times);
	assert_int_equal(member(row, "embeddingTokens"), 5 * times);
	assert_int_equal(member(row, "documents"), 6 * times);
	assert_int_equal(member(row, "bytes"), 7 * times);
}

static void
equal_keys_are_added_up_and_others_are_not(void **state)
{
	json_t *rows;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(usage_tally_add(tally, "a", NULL, DAY, &one));
	assert_true(usage_tally_add(tally, "a", "m\"", DAY, &one));
	assert_true(usage_tally_add(tally, "am", "\"", DAY, &one));
	assert_true(usage_tally_add(tally, "a", "", DAY + 1, &one));
	assert_int_equal(usage_tally_rows(tally), 4);
	rows = taken();
	assert_int_equal(json_array_size(rows), 4);
	check_row(json_array_get(rows, 0), "a", "2026-11-28", "", 3);
	check_row(json_array_get(rows, 1), "a", "2026-11-28", "m\"", 1);
	check_row(json_array_get(rows, 2), "am", "2026-11-28", "\"", 1);
	check_row(json_array_get(rows, 3), "a", "2026-11-29", "", 1);
	json_decref(rows);
	assert_int_equal(usage_tally_rows(tally), 0);
	assert_true(usage_tally_add(tally, "a", NULL, DAY, &one));
	rows = taken();
	check_row(json_array_get(rows, 0), "a", "2026-11-28", "", 1);
	json_decref(rows);
}

static void
it_is_full_for_others_but_not_for_those_it_has(void **state)
{
	char id[16];
	size_t rows[3];

	(void)state;
	for (int i = 0; i < 1200; i++) {
		(void)snprintf(id, sizeof(id), "t%d", i);
		assert_true(usage_tally_add(tally, id, NULL, DAY, &one));
	}
	assert_false(usage_tally_add(tally, "more", NULL, DAY, &one));
	assert_true(usage_tally_add(tally, "t1199", NULL, DAY, &one));
	for (int i = 0; i < 3; i++) {
		json_t *batch = taken();

		rows[i] = json_array_size(batch);
		if (i == 2)
			check_row(json_array_get(batch, rows[i] - 1), "t1199", "2026-11-28", "", 2);
		json_decref(batch);
	}
	assert_int_equal(rows[0], USAGE_BATCH_ROWS);
	assert_int_equal(rows[1], USAGE_BATCH_ROWS);
	assert_int_equal(rows[2], 200);
	assert_true(usage_tally_add(tally, "more", NULL, DAY, &one));
}

static void
without_room_for_a_batch_nothing_moves(void **state)
{
	struct buf b;

	(void)state;
	assert_true(usage_tally_add(tally, "a", NULL, DAY, &one));
	buf_init(&b, 40);
	assert_false(usage_tally_take(tally, USAGE_BATCH_ROWS, &b));
	buf_free(&b);
	assert_int_equal(usage_tally_rows(tally), 1);
}

/* The rows that do not fit are in the next batch: none is ever too large to be made. */
static void
a_batch_is_bounded_by_bytes_too(void **state)
{
	size_t left = 600, batches = 0;
	char model[USAGE_MODEL_MAX + 8];

	(void)state;
	memset(model, 1, sizeof(model));
	model[sizeof(model) - 1] = '\0';
	for (size_t i = 0; i < left; i++) {
		(void)snprintf(model, 6, "%05zu", i);
		model[5] = 1;
		assert_true(usage_tally_add(tally, "a", model, DAY, &one));
	}
	while (left > 0) {
		json_t *rows = taken();

		assert_in_range(json_array_size(rows), 1, USAGE_BATCH_ROWS - 1);
		left -= json_array_size(rows);
		batches++;
		json_decref(rows);
	}
	assert_in_range(batches, 2, 3);
	assert_int_equal(usage_tally_rows(tally), 0);
}

static void
a_model_is_cut_between_characters(void **state)
{
	char text[USAGE_MODEL_MAX + 8], want[USAGE_MODEL_MAX + 8];
	json_t *rows;

	(void)state;
	memset(text, 'm', sizeof(text));
	(void)snprintf(text + USAGE_MODEL_MAX - 2, 4,
	    "\xe2\x82\xac"); /* the last byte is one too many */
	assert_true(usage_tally_add(tally, "a", text, DAY, &one));
	(void)snprintf(text, sizeof(text), "broken \xff");
	assert_true(usage_tally_add(tally, "a", text, DAY, &one));
	(void)snprintf(text, sizeof(text), "broken \xfe");
	assert_true(usage_tally_add(tally, "a", text, DAY, &one));
	assert_int_equal(usage_tally_rows(tally), 2);
	rows = taken();
	memset(want, 'm', USAGE_MODEL_MAX - 2);
	want[USAGE_MODEL_MAX - 2] = '\0';
	check_row(json_array_get(rows, 0), "a", "2026-11-28", want, 1);
	check_row(json_array_get(rows, 1), "a", "2026-11-28", "broken \xef\xbf\xbd", 2);
	json_decref(rows);
}

static void
a_batch_that_is_returned_comes_first_again(void **state)
{
	struct usage_count lost = { 0 };
	char name[USAGE_ROW_TEXT_SIZE];
	struct buf b;
	json_t *rows;

	(void)state;
	assert_true(usage_tally_add(tally, "a", "m", DAY, &one));
	assert_true(usage_tally_add(tally, "b", NULL, DAY, &one));
	buf_init(&b, USAGE_BATCH_MAX);
	assert_true(usage_tally_take(tally, 2, &b));
	buf_free(&b);
	assert_int_equal(usage_tally_taken(tally), 2);
	assert_int_equal(usage_tally_rows(tally), 0);
	usage_tally_name(tally, name);
	assert_string_equal(name, "a, 2026-11-28, \"m\"");
	assert_true(usage_tally_add(tally, "c", NULL, DAY, &one));
	assert_true(usage_tally_add(tally, "b", NULL, DAY, &one));
	usage_tally_return(tally, &lost);
	assert_int_equal(usage_tally_rows(tally), 3);
	assert_int_equal(usage_tally_taken(tally), 0);
	rows = taken();
	check_row(json_array_get(rows, 0), "a", "2026-11-28", "m", 1);
	check_row(json_array_get(rows, 1), "b", "2026-11-28", "", 2);
	check_row(json_array_get(rows, 2), "c", "2026-11-28", "", 1);
	json_decref(rows);
	assert_int_equal(lost.requests, 0);
}

/* What a server says may be any number: the catalog's columns must not overflow. */
static void
a_sum_stays_within_its_bounds(void **state)
{
	struct usage_count huge = { .input_tokens = UINT64_MAX };
	json_t *rows;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(usage_tally_add(tally, "a", NULL, DAY, &huge));
	rows = taken();
	assert_int_equal(member(json_array_get(rows, 0), "inputTokens"), 1000000000000000ll);
	json_decref(rows);
}

static void
days_are_read_as_the_calendar_has_them(void **state)
{
	static const char *const good[] = { "2026-11-28", "2024-02-29", "2000-02-29",
		"1970-01-01" };
	static const char *const bad[] = { "2026-02-29", "2100-02-29", "2026-13-01", "2026-00-10",
		"2026-04-31", "2026-1-1", "2026-11-28T", "20261128--", "", "1969-12-31",
		"2026-11-00" };
	struct usage_days days;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = { 0 };

		assert_true(usage_days_read(slice_str(good[i]), slice_str(good[i]), &days, &err));
		assert_string_equal(days.from, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = { 0 };

		if (usage_days_read(slice_str(bad[i]), (struct slice){ 0 }, &days, &err))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.code, ERR_INVALID_FIELD);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(equal_keys_are_added_up_and_others_are_not,
		    tally_open, tally_close),
		cmocka_unit_test_setup_teardown(it_is_full_for_others_but_not_for_those_it_has,
		    tally_open, tally_close),
		cmocka_unit_test_setup_teardown(without_room_for_a_batch_nothing_moves, tally_open,
		    tally_close),
		cmocka_unit_test_setup_teardown(a_sum_stays_within_its_bounds, tally_open,
		    tally_close),
		cmocka_unit_test_setup_teardown(a_batch_is_bounded_by_bytes_too, tally_open,
		    tally_close),
		cmocka_unit_test_setup_teardown(a_model_is_cut_between_characters, tally_open,
		    tally_close),
		cmocka_unit_test_setup_teardown(a_batch_that_is_returned_comes_first_again,
		    tally_open, tally_close),
		cmocka_unit_test(days_are_read_as_the_calendar_has_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
