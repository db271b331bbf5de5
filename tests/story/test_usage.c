/* SPDX-License-Identifier: MIT */
/*
 * test_usage: what a worker writes of what it has gathered: each batch until it is known to be
 * there, under its number and unchanged; and what becomes of it while the catalog is away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_catalog.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/usage.h"
#include "turn_until_idle.h"

#define HOUR_US (3600 * 1000000ull)

static struct worker *worker;
static struct usage *usage;
static struct buf written; /* "number rows;" of each batch that was sent */
static bool is_lost;
static const char *refused_for; /* the SQLSTATE of batches with a tenant "bad..."; NULL: none */
static unsigned refusals;
static unsigned batches, prunes;
static char pruned_before[16];
static bool prune_fails;
static unsigned long requests; /* in the batches that were taken */
static char writer[64];

static unsigned
rows_in(const char *json)
{
	unsigned n = 0;

	for (const char *p = json; (p = strstr(p, "\"tenant\":")) != NULL; p++)
		n++;
	return n;
}

static void
usage_catalog(const struct pg_query *q, struct fake_result *a)
{
	if (strstr(q->sql, "public.usage_writers AS w") == NULL) {
		prunes++;
		(void)snprintf(pruned_before, sizeof(pruned_before), "%s", q->params[0].data);
		if (prune_fails)
			a->status = PG_SQL_ERROR;
		return;
	}
	batches++;
	if (writer[0] == '\0')
		(void)snprintf(writer, sizeof(writer), "%s", q->params[0].data);
	assert_string_equal(writer, q->params[0].data);
	buf_printf(&written, "%s:%u%s;", q->params[1].data, rows_in(q->params[2].data),
	    strstr(q->params[2].data, "late") != NULL ? " late" : "");
	if (is_lost)
		a->status = PG_LOST;
	else if (refused_for != NULL && strstr(q->params[2].data, "\"bad") != NULL) {
		a->status = PG_SQL_ERROR;
		a->sqlstate = refused_for;
		refusals++;
		return;
	}
	for (const char *p = q->params[2].data; !is_lost; p++) {
		p = strstr(p, "\"requests\":");
		if (p == NULL)
			break;
		requests += strtoul(p + strlen("\"requests\":"), NULL, 10);
	}
}

static int
set_up(void **state)
{
	struct usage_conf conf;

	(void)state;
	batches = prunes = 0;
	is_lost = false;
	prune_fails = false;
	refused_for = NULL;
	refusals = 0;
	requests = 0;
	writer[0] = '\0';
	buf_init(&written, 1u << 16);
	worker = worker_new(0);
	usage_conf_init(&conf);
	conf.write_interval_us = HOUR_US; /* what a test wants to be written it flushes */
	fake_catalog_returns(usage_catalog, 0);
	usage = usage_open(worker, NULL, &conf);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	usage_close(usage);
	buf_free(&written);
	worker_free(worker);
	return 0;
}

static void
note(const char *tenant)
{
	const struct usage_count one = { .requests = 1 };

	usage_note(usage, tenant, NULL, &one);
}

static void
flush(void)
{
	usage_flush(usage);
	turn_until_idle(worker);
}

static void
check_written(const char *want)
{
	assert_string_equal(written.data != NULL ? written.data : "", want);
}

static void
what_was_noted_is_written_once(void **state)
{
	(void)state;
	flush();
	check_written("");
	assert_true(usage_is_settled(usage));
	note("a");
	note("a");
	note("b");
	assert_false(usage_is_settled(usage));
	flush();
	check_written("1:2;");
	assert_true(usage_is_settled(usage));
	flush();
	note("c");
	flush();
	check_written("1:2;2:1;");
	assert_int_equal(prunes, 1); /* once an hour */
}

/* The catalog may have it, or not: nobody knows. */
static void
a_batch_without_an_answer_is_sent_again_as_it_was(void **state)
{
	(void)state;
	is_lost = true;
	note("a");
	flush();
	note("late");
	flush();
	flush();
	check_written("1:1;1:1;1:1;");
	assert_false(usage_is_settled(usage));
	is_lost = false;
	flush(); /* both, though the first is as many rows as the other */
	check_written("1:1;1:1;1:1;1:1;2:1 late;");
	assert_true(usage_is_settled(usage));
}

static void
a_flow_that_is_aborted_leaves_its_batch(void **state)
{
	(void)state;
	fake_catalog_returns(usage_catalog, 50000);
	note("a");
	usage_flush(usage);
	worker_turn(worker, 0);
	flow_abort_all(worker, ERR_SHUTDOWN, "The server is shutting down. Try again.");
	turn_until_idle(worker);
	assert_false(usage_is_settled(usage));
	fake_catalog_returns(usage_catalog, 0);
	flush();
	assert_true(usage_is_settled(usage));
	assert_true(batches >= 1);
	assert_non_null(strstr(written.data, "1:1;"));
	assert_null(strstr(written.data, "2:"));
}

static void
many_rows_are_written_early_and_in_several_batches(void **state)
{
	char id[16];

	(void)state;
	for (int i = 0; i < 1100; i++) {
		(void)snprintf(id, sizeof(id), "t%d", i);
		note(id);
	}
	turn_until_idle(worker); /* nobody has flushed it */
	check_written("1:500;2:500;3:100;");
}

static void
old_days_that_cannot_be_deleted_hold_up_nothing(void **state)
{
	(void)state;
	prune_fails = true;
	for (int i = 0; i < 3; i++) {
		note("a");
		flush();
		assert_true(usage_is_settled(usage));
	}
	check_written("1:1;2:1;3:1;");
	assert_int_equal(prunes, 1); /* it is tried again, but not each time */
}

static void
a_retention_longer_than_the_calendar_deletes_nothing(void **state)
{
	struct usage_conf conf;

	(void)state;
	usage_close(usage);
	usage_conf_init(&conf);
	conf.retention_us = 36500 * 24 * HOUR_US;
	usage = usage_open(worker, NULL, &conf);
	note("a");
	flush();
	assert_string_equal(pruned_before, "1970-01-01");
}

static void
notes_with_bad(int every)
{
	char id[16];

	for (int i = 0; i < 400; i++) {
		(void)snprintf(id, sizeof(id), "%s%d", i % every == every / 2 ? "bad" : "t", i);
		note(id);
	}
}

/* One row must not hold up the others, nor be sent for ever; each number is of one batch. */
static void
a_row_that_is_refused_for_good_is_isolated_and_dropped(void **state)
{
	static const char *const states[] = { "22003", "21000", "22021", "23514", "P0001" };
	unsigned long last = 0, number;

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		refused_for = states[i];
		refusals = 0;
		requests = 0;
		notes_with_bad(200);
		flush();
		assert_true(usage_is_settled(usage));
		assert_int_equal(requests, 398);
		assert_in_range(refusals, 3, 24);
	}
	for (const char *p = written.data; *p != '\0'; p = strchr(p, ';') + 1) {
		number = strtoul(p, NULL, 10);
		assert_int_equal(number, ++last);
	}
}

/* So many statements at a time, whatever is refused. */
static void
where_all_rows_are_refused_they_go_a_few_at_a_time(void **state)
{
	unsigned flushes = 0;

	(void)state;
	refused_for = "P0001";
	notes_with_bad(1);
	for (; !usage_is_settled(usage) && flushes < 100; flushes++) {
		unsigned before = batches;

		flush();
		assert_in_range(batches - before, 1, 64);
	}
	assert_in_range(flushes, 6, 20);
	assert_int_equal(requests, 0);
	refused_for = NULL;
	note("a");
	flush();
	assert_int_equal(requests, 1);
}

/* A privilege, a table, a lock: nothing of a row's, and mended by others. */
static void
what_may_be_mended_is_kept(void **state)
{
	static const char *const states[] = { "42501", "42P01", "40P01", "53300", "57014" };

	(void)state;
	notes_with_bad(200);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		refused_for = states[i];
		flush();
		assert_int_equal(refusals, i + 1);
	}
	assert_false(usage_is_settled(usage));
	refused_for = NULL;
	flush();
	assert_int_equal(requests, 400);
	check_written("1:400;1:400;1:400;1:400;1:400;1:400;");
}

/* A flow that went on with them would send a batch for each few rows, without an end. */
static void
what_is_noted_meanwhile_waits_for_its_interval(void **state)
{
	(void)state;
	fake_catalog_returns(usage_catalog, 20000);
	note("a");
	usage_flush(usage);
	for (unsigned i = 0; batches == 0 && i < 1000; i++) {
		note("b");
		worker_turn(worker, 5);
	}
	turn_until_idle(worker);
	assert_int_equal(batches, 1);
	assert_false(usage_is_settled(usage));
	flush();
	assert_true(usage_is_settled(usage));
}

/* What it has no room for is dropped; whom it has is counted on. */
static void
while_the_catalog_is_away_memory_is_bounded(void **state)
{
	unsigned rows = 0;
	char id[16];

	(void)state;
	is_lost = true;
	note("first");
	flush();
	for (int i = 0; i < USAGE_ROWS_MAX + 500; i++) {
		(void)snprintf(id, sizeof(id), "t%d", i);
		note(id);
	}
	is_lost = false;
	batches = 0;
	buf_reset(&written);
	for (int i = 0; i < 100 && !usage_is_settled(usage); i++)
		flush();
	for (const char *p = written.data; (p = strchr(p, ':')) != NULL; p++)
		rows += (unsigned)strtoul(p + 1, NULL, 10);
	assert_int_equal(rows, USAGE_ROWS_MAX + 1);
	assert_int_equal(batches, USAGE_ROWS_MAX / 500 + 1);
}

static void
who_stops_does_not_wait_for_a_catalog_that_is_away(void **state)
{
	(void)state;
	note("a");
	fake_catalog_fails_at_once(true);
	assert_true(usage_is_settled(usage));
	fake_catalog_fails_at_once(false);
	flush();
	check_written("1:1;");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_noted_is_written_once),
		TEST(a_batch_without_an_answer_is_sent_again_as_it_was),
		TEST(a_flow_that_is_aborted_leaves_its_batch),
		TEST(many_rows_are_written_early_and_in_several_batches),
		TEST(a_row_that_is_refused_for_good_is_isolated_and_dropped),
		TEST(where_all_rows_are_refused_they_go_a_few_at_a_time),
		TEST(what_may_be_mended_is_kept),
		TEST(what_is_noted_meanwhile_waits_for_its_interval),
		TEST(old_days_that_cannot_be_deleted_hold_up_nothing),
		TEST(a_retention_longer_than_the_calendar_deletes_nothing),
		TEST(while_the_catalog_is_away_memory_is_bounded),
		TEST(who_stops_does_not_wait_for_a_catalog_that_is_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
