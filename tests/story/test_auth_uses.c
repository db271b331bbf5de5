/* SPDX-License-Identifier: MIT */
/*
 * test_auth_uses: when keys were used last is written behind, many keys by one statement, once an
 * interval, and what could not be written is written later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/key_uses.h"
#include "auth_fixture.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "turn_until_idle.h"

#define INTERVAL_US 3000
#define MANY	    1500 /* more than one statement takes */

struct uses_fixture {
	struct worker *worker;
	struct key_uses *uses;
};

static unsigned ids_written; /* by all statements */
static char last_ids[64], last_times[64];
static enum pg_status catalog_says;
static const char *sqlstate;

/* Of an array as Postgres reads it. */
static unsigned
elements(const char *array)
{
	unsigned n = 1;

	assert_int_equal(array[0], '{');
	for (; *array != '\0'; array++)
		n += *array == ',';
	assert_int_equal(array[-1], '}');
	return n;
}

static void
an_update(const struct pg_query *q, struct fake_result *a)
{
	assert_int_equal(q->param_count, 3);
	assert_int_equal(elements(q->params[0].data), elements(q->params[1].data));
	assert_string_equal(q->params[2].data, "2500 microseconds");
	ids_written += elements(q->params[0].data);
	snprintf(last_ids, sizeof(last_ids), "%.60s", q->params[0].data);
	snprintf(last_times, sizeof(last_times), "%.60s", q->params[1].data);
	a->status = catalog_says;
	a->sqlstate = sqlstate;
}

static int
uses_set_up(void **state)
{
	struct uses_fixture *u = calloc(1, sizeof(*u));

	log_level(LOG_EMERG);
	ids_written = 0;
	catalog_says = PG_OK;
	sqlstate = "";
	fake_catalog_returns(an_update, 0);
	u->worker = worker_new(0);
	u->uses = key_uses_open(u->worker, NULL, INTERVAL_US, 10000);
	*state = u;
	return 0;
}

static int
uses_tear_down(void **state)
{
	struct uses_fixture *u = *state;

	key_uses_close(u->uses);
	worker_free(u->worker);
	free(u);
	return 0;
}

static void
turn_until_asked(struct uses_fixture *u, unsigned statements)
{
	for (unsigned turns = 0; fake_catalog_asked() < statements && turns < 1000; turns++)
		worker_turn(u->worker, 20);
	assert_int_equal(fake_catalog_asked(), statements);
	turn_until_idle(u->worker);
}

/* Long enough for a timer that was started, if one was. */
static void
turn_intervals(struct uses_fixture *u)
{
	uint64_t until = clock_mono_us() + 5 * INTERVAL_US;

	while (clock_mono_us() < until)
		worker_turn(u->worker, 1);
	turn_until_idle(u->worker);
}

static void
many_uses_of_a_key_are_one_time_in_one_statement(void **state)
{
	struct uses_fixture *u = *state;
	char now[32];

	clock_test_freeze(true);
	for (unsigned i = 0; i < 1000; i++)
		key_uses_note(u->uses, i % 2 == 0 ? "aaaaaaaaaaaa" : "bbbbbbbbbbbb");
	snprintf(now, sizeof(now), "%llu.%06llu", (unsigned long long)(clock_wall_us() / 1000000),
	    (unsigned long long)(clock_wall_us() % 1000000));
	assert_int_equal(fake_catalog_asked(), 0);
	turn_until_asked(u, 1);
	clock_test_freeze(false);
	assert_int_equal(ids_written, 2);
	assert_non_null(strstr(last_ids, "aaaaaaaaaaaa"));
	assert_non_null(strstr(last_ids, "bbbbbbbbbbbb"));
	assert_non_null(strstr(last_times, now));
	assert_int_equal(fake_catalog_asked_in(CATALOG_LOOKS), 1);
}

/* Nothing is asked of the catalog for a key that rests, nor is a timer left running for it. */
static void
what_was_written_is_not_written_again(void **state)
{
	struct uses_fixture *u = *state;

	key_uses_note(u->uses, "aaaaaaaaaaaa");
	turn_until_asked(u, 1);
	turn_intervals(u);
	assert_int_equal(fake_catalog_asked(), 1);
	key_uses_note(u->uses, "bbbbbbbbbbbb");
	turn_until_asked(u, 2);
	assert_string_equal(last_ids, "{bbbbbbbbbbbb}");
}

static void
more_keys_than_a_statement_takes_are_several(void **state)
{
	struct uses_fixture *u = *state;
	char id[KEY_ID_LEN + 1];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "key%09u", i);
		key_uses_note(u->uses, id);
	}
	turn_until_asked(u, 2);
	assert_int_equal(ids_written, MANY);
}

static void
what_could_not_be_written_is_written_later(void **state)
{
	struct uses_fixture *u = *state;

	catalog_says = PG_LOST;
	key_uses_note(u->uses, "aaaaaaaaaaaa");
	turn_until_asked(u, 1);
	catalog_says = PG_OK;
	turn_until_asked(u, 2);
	assert_string_equal(last_ids, "{aaaaaaaaaaaa}");
	turn_intervals(u);
	assert_int_equal(fake_catalog_asked(), 2);
}

static void
a_catalog_that_takes_no_writes_is_let_be(void **state)
{
	struct uses_fixture *u = *state;

	catalog_says = PG_SQL_ERROR;
	sqlstate = "25006";
	key_uses_note(u->uses, "aaaaaaaaaaaa");
	turn_until_asked(u, 1);
	turn_intervals(u);
	assert_int_equal(fake_catalog_asked(), 1);
}

/* One that comes while it is being written is a newer time, and another statement's. */
static void
a_use_during_the_write_is_kept(void **state)
{
	struct uses_fixture *u = *state;

	fake_catalog_returns(an_update, 2000);
	key_uses_note(u->uses, "aaaaaaaaaaaa");
	for (unsigned turns = 0; flow_count(u->worker) == 0 && turns < 1000; turns++)
		worker_turn(u->worker, 20);
	clock_test_advance(1000);
	key_uses_note(u->uses, "aaaaaaaaaaaa");
	turn_until_asked(u, 2);
}

static void
it_may_be_off(void **state)
{
	struct uses_fixture *u = *state;

	key_uses_close(u->uses);
	u->uses = key_uses_open(u->worker, NULL, 0, 10000);
	key_uses_note(u->uses, "aaaaaaaaaaaa");
	turn_intervals(u);
	assert_int_equal(fake_catalog_asked(), 0);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, uses_set_up, uses_tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(many_uses_of_a_key_are_one_time_in_one_statement),
		STORY(what_was_written_is_not_written_again),
		STORY(more_keys_than_a_statement_takes_are_several),
		STORY(what_could_not_be_written_is_written_later),
		STORY(a_catalog_that_takes_no_writes_is_let_be),
		STORY(a_use_during_the_write_is_kept),
		STORY(it_may_be_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
