/* SPDX-License-Identifier: MIT */
/*
 * test_tenant: tenants provisioned for real, over a Postgres, a Redis and the stand-in for Neon,
 * by four workers. Whatever fails: one project a tenant, and a later contact gets it ready.
 *
 *	TEST_PG_URL=postgresql://ADMIN:PASSWORD@127.0.0.1:PORT/postgres TEST_REDIS=127.0.0.1:PORT
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

#include "tenant/tenants_shared.h"
#include "tenant_checks.h"

#define CROWD	 20
#define KILLED	 24
#define SHORT_US 1000000

static struct tenant_fixture tenant_fixture;

static void
the_catalog_migrates_once(void **state)
{
	(void)state;
	assert_string_equal(tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
				"SELECT count(*) - max(version) FROM public.tenantgate_schema"),
	    "0");
	assert_string_equal(tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
				"SELECT count(*) FROM public.key_tag_secret"),
	    "1");
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
	    "INSERT INTO public.tenantgate_schema VALUES (99)");
	assert_int_equal(tenant_fixture_migrate(&tenant_fixture, 2), ERR_CATALOG);
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
	    "DELETE FROM public.tenantgate_schema WHERE version = 99");
	assert_int_equal(tenant_fixture_migrate(&tenant_fixture, 1), ERR_NONE);
}

static void
a_crowd_gets_one_project(void **state)
{
	static struct contact crowd[CROWD];
	unsigned i;

	(void)state;
	for (i = 0; i < CROWD; i++)
		contact_start(&crowd[i], &tenant_fixture.workers[i % WORKERS], "crowd");
	for (i = 0; i < CROWD; i++) {
		contact_wait(&crowd[i]);
		assert_int_equal(crowd[i].err.code, ERR_NONE);
		assert_int_equal(crowd[i].tenant.state, TENANT_READY);
		assert_string_equal(crowd[i].tenant.dbname, crowd[0].tenant.dbname);
		assert_string_equal(crowd[i].tenant.password, crowd[0].tenant.password);
	}
	assert_int_equal(projects_of(&tenant_fixture, "crowd"), 1);
	row_is_ready(&tenant_fixture, "crowd");
}

static void
many_tenants_are_provisioned_at_once(void **state)
{
	static struct contact crowd[CROWD];
	static char ids[CROWD][16];
	unsigned i;

	(void)state;
	for (i = 0; i < CROWD; i++) {
		snprintf(ids[i], sizeof(ids[i]), "many:%u@x", i);
		contact_start(&crowd[i], &tenant_fixture.workers[i % WORKERS], ids[i]);
	}
	for (i = 0; i < CROWD; i++) {
		contact_wait(&crowd[i]);
		assert_int_equal(crowd[i].err.code, ERR_NONE);
		assert_int_equal(projects_of(&tenant_fixture, ids[i]), 1);
	}
}

/* It is what is waited for the outcome of a creation that is unclear, too: short where one is,
 * and long where all goes well, on a busy machine as well. */
static void
neon_timeout_becomes(uint64_t us)
{
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture.conf.neon_timeout_us = us;
	tenant_fixture_start_workers(&tenant_fixture);
}

static const struct {
	const char *id, *knobs;
} faults[] = {
	{ "locked", "{\"fail_next\":[{\"status\":423,\"times\":3}]}" },
	{ "limited", "{\"fail_next\":[{\"status\":429,\"times\":2,\"retry_after\":1}]}" },
	{ "broken", "{\"fail_next\":[{\"status\":500,\"times\":1,\"route\":\"POST /projects\"}]}" },
	{ "broken-twice",
	    "{\"fail_next\":[{\"status\":500,\"times\":2,\"route\":\"POST /projects\"}]}" },
	{ "broken-after",
	    "{\"fail_next\":[{\"status\":502,\"times\":1,\"after\":true,"
	    "\"route\":\"POST /projects\"}]}" },
	{ "broken-gets",
	    "{\"fail_next\":[{\"status\":500,\"times\":2,\"route\":\"GET /projects\"},"
	    "{\"status\":500,\"times\":2,\"route\":\"GET /projects/{p}/operations\"}]}" },
	{ "away", "{\"fail_next\":[{\"status\":503,\"times\":9,\"route\":\"POST /projects\"}]}" },
	{ "lost", "{\"lose_next_reply\":1}" },
	{ "refused",
	    "{\"fail_next\":[{\"status\":422,\"times\":1,\"route\":\"POST /projects\"}]}" },
};

static void
whatever_neon_answers_one_project_is_made(void **state)
{
	unsigned i, n;

	(void)state;
	neon_timeout_becomes(SHORT_US);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		tenant_fixture_knobs(&tenant_fixture, faults[i].knobs);
		n = contacts_until_ready(&tenant_fixture, faults[i].id);
		print_message("  %s: ready at contact %u\n", faults[i].id, n);
		assert_int_equal(projects_of(&tenant_fixture, faults[i].id), 1);
		tenant_fixture_knobs(&tenant_fixture, "{\"fail_next\":[],\"lose_next_reply\":0}");
	}
	neon_timeout_becomes(FIXTURE_PATIENCE_US);
}

/* Slower than neon_timeout: the project is created after the request for it has timed out. */
static void
a_slow_neon_makes_one_project(void **state)
{
	static struct contact c;

	(void)state;
	neon_timeout_becomes(SHORT_US);
	tenant_fixture_knobs(&tenant_fixture,
	    "{\"delay_ms\":3500,\"delay_route\":\"POST /projects\"}");
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[0], "slow"), ERR_NEON);
	tenant_fixture_knobs(&tenant_fixture, "{\"delay_ms\":0,\"delay_route\":\"\"}");
	contacts_until_ready(&tenant_fixture, "slow");
	assert_int_equal(projects_of(&tenant_fixture, "slow"), 1);
	neon_timeout_becomes(FIXTURE_PATIENCE_US);
}

/* Contacts that begin one after the other and are all cut off at the same moment: each at another
 * step. */
static void
cut_off_anywhere_it_goes_on(void **state)
{
	static const int gaps_ms[KILLED] = { 100, 100, 100, 60, 60, 60, 60, 40, 40, 40, 40, 40, 40,
		30, 30, 20, 20, 15, 15, 10, 10, 5, 5, 2 };
	static struct contact killed[KILLED], again[KILLED];
	static char ids[KILLED][16];
	unsigned i, round, missing;
	int wait_s;

	(void)state;
	neon_timeout_becomes(SHORT_US);
	for (i = 0; i < KILLED; i++) {
		snprintf(ids[i], sizeof(ids[i]), "killed-%u", i);
		contact_start(&killed[i], &tenant_fixture.workers[i % WORKERS], ids[i]);
		poll(NULL, 0, gaps_ms[i]);
	}
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture_start_workers(&tenant_fixture);
	for (round = 0, missing = KILLED; round < 12 && missing > 0; round++) {
		for (i = 0; i < KILLED; i++)
			contact_start(&again[i], &tenant_fixture.workers[(i + round) % WORKERS],
			    ids[i]);
		for (wait_s = 0, missing = 0, i = 0; i < KILLED; i++) {
			contact_wait(&again[i]);
			missing += err_is(&again[i].err);
			wait_s =
			    again[i].err.retry_after > wait_s ? again[i].err.retry_after : wait_s;
		}
		/* Retry-After of one that was cut off while creating: when that is surely over. */
		poll(NULL, 0, wait_s * 1000);
	}
	for (i = 0; i < KILLED; i++) {
		contact_wait(&killed[i]);
		assert_int_equal(again[i].err.code, ERR_NONE);
		assert_int_equal(projects_of(&tenant_fixture, ids[i]), 1);
		row_is_ready(&tenant_fixture, ids[i]);
	}
	neon_timeout_becomes(FIXTURE_PATIENCE_US);
}

static void
a_request_waits_only_so_long(void **state)
{
	static struct contact c;

	(void)state;
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture.conf.provision_wait_us = 50000;
	tenant_fixture_start_workers(&tenant_fixture);
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[0], "patient"), ERR_PROVISIONING);
	assert_int_equal(c.err.retry_after, 2);
	contacts_until_ready(&tenant_fixture, "patient");
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture.conf.provision_wait_us = 30 * 1000000ull;
	tenant_fixture_start_workers(&tenant_fixture);
}

/* PUT /tenant asks the same function. */
static void
a_full_queue_says_when_to_come_back(void **state)
{
	struct contact surplus = { 0 };

	(void)state;
	atomic_store(&tenant_fixture.shared->provisions, 4096);
	assert_int_equal(contact_make(&surplus, &tenant_fixture.workers[0], "surplus"),
	    ERR_PROVISIONING);
	assert_true(surplus.err.retry_after > 0);
	atomic_store(&tenant_fixture.shared->provisions, 0);
	assert_int_equal(projects_of(&tenant_fixture, "surplus"), 0);
	assert_int_equal(contacts_until_ready(&tenant_fixture, "surplus"), 1);
}

static void
a_partial_inventory_makes_nothing(void **state)
{
	static struct contact c;
	char project[80], knobs[160];

	(void)state;
	contacts_until_ready(&tenant_fixture, "orphan");
	snprintf(project, sizeof(project), "%s",
	    tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
		"SELECT project_id FROM public.tenants WHERE tenant_id = 'orphan'"));
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
	    "DELETE FROM public.users WHERE user_id = 'orphan'");
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture_redis_set(&tenant_fixture, "orphan", "");
	tenant_fixture_start_workers(&tenant_fixture);
	snprintf(knobs, sizeof(knobs), "{\"unavailable\":[\"%s\"]}", project);
	tenant_fixture_knobs(&tenant_fixture, knobs);
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[0], "orphan"), ERR_NEON);
	tenant_fixture_knobs(&tenant_fixture, "{\"unavailable\":[]}");
	contacts_until_ready(&tenant_fixture, "orphan");
	assert_int_equal(projects_of(&tenant_fixture, "orphan"), 1);
	assert_string_equal(tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
				"SELECT project_id FROM public.tenants WHERE tenant_id = 'orphan'"),
	    project);
}

static void
a_project_that_is_gone_is_made_again(void **state)
{
	(void)state;
	contacts_until_ready(&tenant_fixture, "gone");
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.admin,
	    "UPDATE neon_standin.projects SET state = 'gone' "
	    "WHERE name LIKE 'tg-%s-gone-%%'",
	    tenant_fixture.catalog_name);
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
	    "UPDATE public.tenants SET state = 'failed' WHERE tenant_id = 'gone'");
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture_redis_set(&tenant_fixture, "gone", "");
	tenant_fixture_start_workers(&tenant_fixture);
	contacts_until_ready(&tenant_fixture, "gone");
	assert_int_equal(projects_of(&tenant_fixture, "gone"), 1);
}

static void
garbage_in_redis_is_a_miss(void **state)
{
	static struct contact c, other;
	static char record[8192];

	(void)state;
	contacts_until_ready(&tenant_fixture, "redis-a");
	contacts_until_ready(&tenant_fixture, "redis-b");
	for (unsigned i = 0;
	     i < 200 && *tenant_fixture_redis_get(&tenant_fixture, "redis-b") == '\0'; i++)
		poll(NULL, 0, 50);
	snprintf(record, sizeof(record), "%s",
	    tenant_fixture_redis_get(&tenant_fixture, "redis-b"));
	assert_true(slice_starts(slice_str(record), "tgs1."));
	assert_null(strstr(record, "password"));
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture_start_workers(&tenant_fixture);
	assert_int_equal(contact_make(&other, &tenant_fixture.workers[0], "redis-b"), ERR_NONE);
	tenant_fixture_redis_set(&tenant_fixture, "redis-a", record);
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[0], "redis-a"), ERR_NONE);
	assert_string_not_equal(c.tenant.dbname, other.tenant.dbname);
	tenant_fixture_redis_set(&tenant_fixture, "redis-a", "{\"v\":1}");
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[1], "redis-a"), ERR_NONE);
	record[40] ^= 1;
	tenant_fixture_redis_set(&tenant_fixture, "redis-b", record);
	assert_int_equal(contact_make(&c, &tenant_fixture.workers[1], "redis-b"), ERR_NONE);
	assert_string_equal(c.tenant.dbname, other.tenant.dbname);
}

static void
a_tenant_may_be_on_our_own_cluster(void **state)
{
	static struct contact crowd[CROWD], again;
	unsigned i;

	(void)state;
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture.conf.provider = PROVIDER_POSTGRES;
	tenant_fixture_start_workers(&tenant_fixture);
	for (i = 0; i < CROWD; i++)
		contact_start(&crowd[i], &tenant_fixture.workers[i % WORKERS], "own");
	for (i = 0; i < CROWD; i++) {
		contact_wait(&crowd[i]);
		assert_int_equal(crowd[i].err.code, ERR_NONE);
	}
	tenant_fixture_sql(&tenant_fixture, tenant_fixture.catalog,
	    "DELETE FROM public.users WHERE user_id = 'own'");
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture_redis_set(&tenant_fixture, "own", "");
	tenant_fixture_start_workers(&tenant_fixture);
	assert_int_equal(contact_make(&again, &tenant_fixture.workers[0], "own"), ERR_NONE);
	assert_string_equal(again.tenant.dbname, crowd[0].tenant.dbname);
	assert_string_not_equal(again.tenant.password, crowd[0].tenant.password);
	tenant_fixture_stop_workers(&tenant_fixture);
	tenant_fixture.conf.provider = PROVIDER_NEON;
	tenant_fixture_start_workers(&tenant_fixture);
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
		cmocka_unit_test(the_catalog_migrates_once),
		cmocka_unit_test(a_crowd_gets_one_project),
		cmocka_unit_test(many_tenants_are_provisioned_at_once),
		cmocka_unit_test(whatever_neon_answers_one_project_is_made),
		cmocka_unit_test(a_slow_neon_makes_one_project),
		cmocka_unit_test(cut_off_anywhere_it_goes_on),
		cmocka_unit_test(a_request_waits_only_so_long),
		cmocka_unit_test(a_full_queue_says_when_to_come_back),
		cmocka_unit_test(a_partial_inventory_makes_nothing),
		cmocka_unit_test(a_project_that_is_gone_is_made_again),
		cmocka_unit_test(garbage_in_redis_is_a_miss),
		cmocka_unit_test(a_tenant_may_be_on_our_own_cluster),
	};

	if (!tenant_fixture_wanted()) {
		fprintf(stderr, "test_tenant: TEST_PG_URL and TEST_REDIS are not set\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
