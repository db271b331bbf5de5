/* SPDX-License-Identifier: MIT */
/*
 * test_tenant_outages: tenants while the catalog or Redis is away, and how a change reaches the
 * other workers. Needs what test_tenant needs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenant_checks.h"

static struct tenant_fixture tenant_fixture;

static void
a_suspension_is_seen_everywhere(void **state)
{
	static struct contact c;
	unsigned i, tries;

	(void)state;
	for (i = 0; i < WORKERS; i++)
		assert_int_equal(contact_make(&c, &tenant_fixture.workers[i], "bad-payer"),
		    ERR_NONE);
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
	    "UPDATE public.tenants SET state = 'suspended' WHERE tenant_id = 'bad-payer'");
	fixture_worker_forget(&tenant_fixture, &tenant_fixture.workers[0], "bad-payer");
	/* The other workers are notified through Redis, a moment later. */
	for (i = 0; i < WORKERS; i++) {
		for (tries = 0; tries < 600; tries++) {
			if (contact_make(&c, &tenant_fixture.workers[i], "bad-payer") != ERR_NONE)
				break;
			poll(NULL, 0, 50);
		}
		assert_int_equal(c.err.code, ERR_SUSPENDED);
	}
}

static void
catalog_cut(void)
{
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.admin,
	    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '%s'",
	    tenant_fixture.catalog_name);
}

static void
dead_catalog_connections_are_replaced(void **state)
{
	static struct contact c;
	unsigned i;

	(void)state;
	for (i = 0; i < WORKERS; i++) {
		catalog_cut();
		assert_int_equal(contact_make(&c, &tenant_fixture.workers[i], "after-the-cut"),
		    ERR_NONE);
	}
}

static void
without_the_catalog_a_contact_fails(void **state)
{
	static struct contact c;

	(void)state;
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.admin,
	    "ALTER DATABASE %s ALLOW_CONNECTIONS false", tenant_fixture.catalog_name);
	catalog_cut();
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[0], "no-catalog"), ERR_CATALOG);
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.admin,
	    "ALTER DATABASE %s ALLOW_CONNECTIONS true", tenant_fixture.catalog_name);
	contacts_until_ready(&tenant_fixture, "no-catalog");
	assert_int_equal(projects_of(&tenant_fixture, "no-catalog"), 1);
}

/* The catalog goes away in the middle of an attempt, and is back before its project is built. */
static void
a_catalog_that_falters_costs_a_contact(void **state)
{
	static struct contact c;
	unsigned tries;

	(void)state;
	tenant_fixture_knobs(&tenant_fixture, "{\"operation_ms\":600000}");
	contact_start(&c, &tenant_fixture.workers[0], "faltering");
	for (tries = 0; tries < 600 && projects_of(&tenant_fixture, "faltering") == 0; tries++)
		poll(NULL, 0, 50);
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.admin,
	    "ALTER DATABASE %s ALLOW_CONNECTIONS false", tenant_fixture.catalog_name);
	catalog_cut();
	contact_wait(&c);
	assert_int_equal(c.err.code, ERR_CATALOG);
	tenant_fixture_knobs(&tenant_fixture, "{\"operation_ms\":300}");
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.admin,
	    "ALTER DATABASE %s ALLOW_CONNECTIONS true", tenant_fixture.catalog_name);
	contacts_until_ready(&tenant_fixture, "faltering");
	assert_int_equal(projects_of(&tenant_fixture, "faltering"), 1);
}

static void
a_redis_that_hangs_is_done_without(void **state)
{
	static struct contact c;

	(void)state;
	tenant_fixture_redis_pause(&tenant_fixture, 1500);
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[0], "no-redis"), ERR_NONE);
	assert_int_equal(projects_of(&tenant_fixture, "no-redis"), 1);
	poll(NULL, 0, 1000);
}

static int
set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	log_level(getenv("TEST_LOG") != NULL ? LOG_DEBUG : LOG_EMERG);
	tenant_fixture_open(&tenant_fixture);
	assert_int_equal(tenant_fixture_migrate(&tenant_fixture, 4), ERR_NONE);
	tenant_fixture_start_workers(&tenant_fixture);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture_close(&tenant_fixture);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_suspension_is_seen_everywhere),
		cmocka_unit_test(dead_catalog_connections_are_replaced),
		cmocka_unit_test(without_the_catalog_a_contact_fails),
		cmocka_unit_test(a_catalog_that_falters_costs_a_contact),
		cmocka_unit_test(a_redis_that_hangs_is_done_without),
	};

	if (!tenant_fixture_wanted()) {
		fprintf(stderr, "test_tenant_outages: TEST_PG_URL and TEST_REDIS are not set\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
