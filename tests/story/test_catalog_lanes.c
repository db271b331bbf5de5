/* SPDX-License-Identifier: MIT */
/*
 * test_catalog_lanes: what each kind of statement leaves to the others, and who is next in a lane.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_statements.h"
#include "tenantgate/base/log.h"
#include "tenantgate/catalog.h"
#include "turn_until_idle.h"

#define ASKERS	   100
#define FLOOD_LINE 64 /* statements of one network that may wait */
#define FLOOD	   "SELECT 'flood'"
#define HONEST	   "SELECT 'honest'"

struct lane_asker {
	struct flow flow;
	enum catalog_lane lane;
	char holder[24];
	const char *sql;
	struct pg_result result;
	struct err err;
	unsigned ended;
};

static struct worker *worker;
static struct catalog *catalog;
static struct lane_asker askers[ASKERS];
static unsigned asked;

static enum flow_rc
lane_asker_run(struct flow *f)
{
	struct lane_asker *a = (struct lane_asker *)f;
	struct pg_query q = { .sql = a->sql };

	return catalog_run(f, catalog, a->lane, slice_str(a->holder), &q, &a->result);
}

static enum flow_rc
lane_asker_check(struct flow *f)
{
	return catalog_check(f, &((struct lane_asker *)f)->result, "test");
}

static void
lane_statement_end(struct flow *f, const struct err *err)
{
	struct lane_asker *a = (struct lane_asker *)f;

	a->err = *err;
	a->ended++;
}

static const struct flow_step lane_asker_steps[] = { { "run", lane_asker_run },
	{ "check", lane_asker_check }, { NULL, NULL } };
static const struct flow_kind lane_asker_kind = { "asker", lane_asker_steps, lane_statement_end,
	NULL };

static void
turns(void)
{
	unsigned i;

	for (i = 0; i < 10; i++)
		worker_turn(worker, 0);
}

/* Asks, and turns the loop until the statement is under way, waits or was refused. */
static struct lane_asker *
lane_statement(enum catalog_lane lane, const char *sql, const char *holder, unsigned n)
{
	struct lane_asker *a = &askers[asked++];

	assert_true(asked <= ASKERS);
	*a = (struct lane_asker){ .lane = lane, .sql = sql };
	snprintf(a->holder, sizeof(a->holder), "%s%u", holder, n);
	flow_start(&a->flow, &lane_asker_kind, worker, NULL);
	turns();
	return a;
}

static void
catalog_begin(unsigned pool_size)
{
	struct catalog_conf conf = { .url = "postgresql://u:p@127.0.0.1/c",
		.pool_size = pool_size };
	struct err err = { 0 };

	asked = 0;
	catalog = catalog_open(&conf, &err);
	assert_non_null(catalog);
	catalog_attach(catalog, worker, NULL);
}

static void
catalog_end(void)
{
	while (fake_statements_running() > 0) {
		fake_statements_end_oldest();
		turns();
	}
	turn_until_idle(worker);
	catalog_detach(catalog, worker);
	catalog_close(catalog);
}

static int
set_up(void **state)
{
	(void)state;
	log_level(LOG_EMERG);
	worker = worker_new(0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	worker_free(worker);
	return 0;
}

static void
no_lane_holds_all_connections(void **state)
{
	static const unsigned sizes[] = { 1, 2, 3, 4, 8, 20 };
	unsigned lane, i, n;

	(void)state;
	for (lane = 0; lane < CATALOG_LANES; lane++)
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			catalog_begin(sizes[i]);
			for (n = 0; n < 24; n++)
				lane_statement(lane, FLOOD, "h", n);
			assert_true(fake_statements_running() >= 1);
			assert_true(fake_statements_running() < sizes[i] || sizes[i] == 1);
			assert_true(fake_statements_running() <= sizes[i]);
			catalog_end();
		}
}

/* Both lanes of a table that is locked leave a quarter; and a lane that is full stops no other. */
static void
a_locked_table_leaves_connections_to_the_rest(void **state)
{
	struct lane_asker *a;
	unsigned n;

	(void)state;
	catalog_begin(8);
	for (n = 0; n < 20; n++) {
		lane_statement(CATALOG_KEYS, FLOOD, "k", n);
		lane_statement(CATALOG_UNVERIFIED_KEYS, FLOOD, "u", n);
	}
	assert_int_equal(fake_statements_running(), 6);
	a = lane_statement(CATALOG_TENANTS, HONEST, "t", 0);
	assert_int_equal(fake_statements_running(), 7);
	lane_statement(CATALOG_DOCUMENTS, HONEST, "t", 0);
	assert_int_equal(fake_statements_running(), 8);
	catalog_end();
	assert_int_equal(a->err.code, ERR_NONE);
}

static void
an_honest_network_is_next_whatever_waits_before_it(void **state)
{
	unsigned n;

	(void)state;
	catalog_begin(8);
	for (n = 0; n < 40; n++)
		lane_statement(CATALOG_UNVERIFIED_KEYS, FLOOD, "noisy", 0);
	lane_statement(CATALOG_UNVERIFIED_KEYS, HONEST, "quiet", 0);
	assert_string_equal(fake_statements_newest(), FLOOD);
	fake_statements_end_oldest();
	turns();
	assert_string_equal(fake_statements_newest(), HONEST);
	catalog_end();
}

static void
a_full_line_is_refused_with_what_is_scarce(void **state)
{
	struct lane_asker *refused, *other;
	unsigned n;

	(void)state;
	catalog_begin(8);
	for (n = 0; n < FLOOD_LINE + 2; n++)
		lane_statement(CATALOG_UNVERIFIED_KEYS, FLOOD, "noisy", 0);
	refused = lane_statement(CATALOG_UNVERIFIED_KEYS, FLOOD, "noisy", 0);
	other = lane_statement(CATALOG_UNVERIFIED_KEYS, HONEST, "quiet", 0);
	assert_int_equal(refused->ended, 1);
	assert_int_equal(refused->result.status, PG_REFUSED);
	assert_int_equal(refused->err.code, ERR_OVERLOADED);
	assert_true(refused->err.retry_after >= 1);
	assert_non_null(strstr(refused->err.detail, "lookups of unverified API keys"));
	assert_int_equal(other->ended, 0);
	catalog_end();
	assert_int_equal(other->err.code, ERR_NONE);
}

static void
one_that_leaves_gives_its_place_back(void **state)
{
	struct lane_asker *first, *second, *third;

	(void)state;
	catalog_begin(1);
	first = lane_statement(CATALOG_TENANTS, FLOOD, "a", 0);
	second = lane_statement(CATALOG_TENANTS, FLOOD, "b", 0);
	third = lane_statement(CATALOG_TENANTS, HONEST, "c", 0);
	flow_abort(&second->flow, ERR_CLIENT_GONE, "left");
	flow_abort(&first->flow, ERR_CLIENT_GONE, "left");
	turns();
	assert_int_equal(first->ended + second->ended, 2);
	assert_int_equal(fake_statements_running(), 1);
	assert_string_equal(fake_statements_newest(), HONEST);
	catalog_end();
	assert_int_equal(third->err.code, ERR_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_lane_holds_all_connections, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_locked_table_leaves_connections_to_the_rest,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_honest_network_is_next_whatever_waits_before_it,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_line_is_refused_with_what_is_scarce, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(one_that_leaves_gives_its_place_back, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
