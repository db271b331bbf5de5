/* SPDX-License-Identifier: MIT */
/*
 * Tenants against each other (pool_sim.h). What must be true of the figures is far from what they
 * are: `test_pool_shares -v` prints them.
 */
#include "pool_sim.h"

#include "pool/pool_internal.h"

/* Fault d. */
static void
a_quiet_tenant_keeps_its_connection_beside_a_noisy_one(void **state)
{
	(void)state;
	sim_open(20, 20);
	sim_clients_add(1, 2, 150 * MS, 5 * MS);
	sim_clients_add(25, 1, 0, 5 * MS);
	sim_run(5 * S);
	sim_report("noisy and quiet", 5);
	if (verbose)
		fprintf(stderr, "  quiet: %u served, %u logins, waits up to %.1f ms; noisy: %u\n",
		    sim.key_served[2], sim.key_logins[2], sim_longest_wait_ms(2, 2),
		    sim.key_served[1]);
	assert_int_equal(sim.key_logins[2], 1);
	assert_in_range(sim.key_logins[1], 13, 20);
	assert_true(sim.key_served[2] > 20);
	assert_true(sim.key_served[1] > 5 * 1500);
}

/* Fault e. */
static void
a_hung_tenant_leaves_the_others_served(void **state)
{
	unsigned i;

	(void)state;
	sim_open(20, 20);
	sim_clients_add(25, 1, 0, FOR_EVER);
	sim_run(1 * S);
	for (i = 2; i <= 11; i++)
		sim_clients_add(1, i, 150 * MS, 5 * MS);
	sim_restart();
	sim_run(5 * S);
	sim_report("one hung, ten others", 5);
	assert_int_equal(sim.failed, 0);
	for (i = 2; i <= 11; i++)
		assert_true(sim.key_served[i] > 15);
	assert_true(sim_longest_wait_ms(2, 11) < 1000);
}

/* What the janitor does once a second. */
static void
sim_seconds(unsigned n)
{
	struct deferred deferred;

	while (n-- > 0) {
		sim_run(1 * S);
		pools_lock(pools, &deferred);
		pools_notice_overdue(pools, &deferred);
		pools_unlock(pools, &deferred);
	}
}

/* More tenants than half of the connections, so that each holds one or two; one tenant has a
 * statement that never ends, and others besides. */
static void
a_hung_statement_leaves_its_tenant_served(void **state)
{
	unsigned i;

	(void)state;
	sim_open(20, 20);
	for (i = 1; i <= 12; i++)
		sim_clients_add(5, i, 0, 50 * MS);
	sim_clients_add(1, 13, 0, FOR_EVER);
	sim_run(1 * S);
	sim_clients_add(3, 13, 10 * MS, 5 * MS);
	sim_restart();
	sim_seconds(10);
	sim_report("twelve busy, one with a hung statement", 10);
	if (verbose)
		fprintf(stderr, "  the one: %u served, waits up to %.0f ms\n", sim.key_served[13],
		    sim_longest_wait_ms(13, 13));
	assert_true(sim.key_served[13] > 20);
	for (i = 1; i <= 12; i++)
		assert_true(sim.key_served[i] > 100);
}

/* A tenth is for those who hold nothing, however many tenants hang. */
static void
many_hung_tenants_leave_the_others_served(void **state)
{
	unsigned i;

	(void)state;
	sim_open(100, 20);
	for (i = 1; i <= 20; i++)
		sim_clients_add(12, i, 0, FOR_EVER);
	sim_run(1 * S);
	for (i = 101; i <= 150; i++)
		sim_clients_add(1, i, 150 * MS, 5 * MS);
	sim_restart();
	sim_run(3 * S);
	sim_report("twenty hung, fifty others", 3);
	for (i = 101; i <= 150; i++)
		assert_true(sim.key_served[i] > 5);
	assert_true(sim_longest_wait_ms(101, 150) < 1500);
}

/* Fault k. LRU would need 0.40, taking from the biggest 0.42. */
static void
skewed_demand_needs_few_logins(void **state)
{
	(void)state;
	sim_open(50, 20);
	sim_clients_add(64, 0, 0, 5 * MS);
	sim_run(2 * S);
	sim_restart();
	sim_run(3 * S);
	sim_report("300 Zipf tenants, budget 50", 3);
	assert_true(sim_logins() < 0.45 * sim.served);
	assert_true(sim.served > 3 * 400);
}

/* Without turns nearly each request would log in, and 849 a second are served. */
static void
more_tenants_than_connections_take_turns(void **state)
{
	unsigned i;

	(void)state;
	sim_open(20, 20);
	for (i = 1; i <= 300; i++)
		sim_clients_add(2, i, 0, 5 * MS);
	sim_run(1 * S);
	sim_restart();
	sim_run(3 * S);
	sim_report("300 tenants x 2, budget 20", 3);
	assert_true(sim.served > 3 * 1500);
	for (i = 1; i <= 300; i++)
		assert_true(sim.key_served[i] > 0);
}

/* Sleepers' connections are kept from it up to half of the budget only. */
static void
a_burst_finds_room_beside_sleepers(void **state)
{
	unsigned i;

	(void)state;
	sim_open(30, 20);
	for (i = 2; i <= 31; i++)
		sim_clients_add(1, i, 200 * MS, 5 * MS);
	sim_run(2 * S);
	sim_restart();
	sim_clients_add(100, 1, 0, 5 * MS);
	sim_run(1 * S);
	sim_report("a burst of 100 beside 30", 1);
	assert_true(sim.key_served[1] > 800);
}

/* Tenants that come again and again keep their connections: the burst shares what is left. */
static void
a_burst_of_tenants_leaves_the_warm_their_connections(void **state)
{
	unsigned i, logins = 0;

	(void)state;
	sim_open(50, 20);
	for (i = 1; i <= 30; i++)
		sim_clients_add(1, i, 200 * MS, 5 * MS);
	sim_run(4 * S);
	sim_restart();
	sim_burst(101, 100);
	sim_run(1 * S);
	sim_report("a burst of 100 tenants beside 30", 1);
	for (i = 1; i <= 30; i++)
		logins += sim.key_logins[i];
	if (verbose)
		fprintf(stderr, "  warm: %u logins, waits up to %.0f ms; burst: up to %.0f ms\n",
		    logins, sim_longest_wait_ms(1, 30), sim_longest_wait_ms(101, 200));
	assert_int_equal(logins, 0);
	assert_true(sim_longest_wait_ms(1, 30) < 10);
	for (i = 101; i <= 200; i++)
		assert_int_equal(sim.key_served[i], 1);
	assert_true(sim_longest_wait_ms(101, 200) < 250);
}

/* A server that is given four short statements at once: what comes back when it is busy stays with
 * its pool, where no other holds less. Else one request in sixteen logs in. */
static void
slow_tenants_with_equal_shares_log_in_no_more(void **state)
{
	unsigned i, slow_logins = 0;

	(void)state;
	conf.max_host_statements = 4;
	sim_open(50, 50);
	for (i = 2; i <= 11; i++)
		sim_clients_add(20, i, 0, 100 * MS);
	sim_clients_add(1, 1, 40 * MS, 2 * MS);
	sim_run(4 * S);
	sim_restart();
	sim_run(4 * S);
	sim_report("ten slow tenants and a quiet one", 4);
	for (i = 2; i <= 11; i++)
		slow_logins += sim.key_logins[i];
	if (verbose)
		fprintf(stderr, "  slow: %u logins of %u; quiet: %u of %u, waits up to %.1f ms\n",
		    slow_logins, sim.served - sim.key_served[1], sim.key_logins[1],
		    sim.key_served[1], sim_longest_wait_ms(1, 1));
	assert_true(slow_logins < sim.served / 200);
	assert_int_equal(sim.key_logins[1], 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SIM_CASE(a_quiet_tenant_keeps_its_connection_beside_a_noisy_one),
		SIM_CASE(a_hung_tenant_leaves_the_others_served),
		SIM_CASE(a_hung_statement_leaves_its_tenant_served),
		SIM_CASE(many_hung_tenants_leave_the_others_served),
		SIM_CASE(skewed_demand_needs_few_logins),
		SIM_CASE(more_tenants_than_connections_take_turns),
		SIM_CASE(a_burst_finds_room_beside_sleepers),
		SIM_CASE(a_burst_of_tenants_leaves_the_warm_their_connections),
		SIM_CASE(slow_tenants_with_equal_shares_log_in_no_more),
	};

	verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
