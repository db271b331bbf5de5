/* SPDX-License-Identifier: MIT */
/*
 * A server of several tenants that have connections there already. The clock stands still, so that
 * a statement is short until the test says otherwise.
 */
#ifndef TESTS_POOL_WARM_H
#define TESTS_POOL_WARM_H

#include "pool_fixture.h"

enum { STATEMENTS = 2, YOUNG_US = 5000, LOGIN_US = 50000, QUIET_US = 50000 };
enum { GUARD_US = 250000, CROWD_US = 1000000 };

static inline void
open_shared(void)
{
	conf.default_pool_size = 10;
	conf.max_server_connections = 40;
	conf.hosts_are_shared = true;
	conf.max_host_statements = STATEMENTS;
	reopen();
}

/* So many connections of a tenant, idle. */
static inline void
warm_up(unsigned key, unsigned n)
{
	struct client c[10] = { 0 };
	unsigned i;

	for (i = 0; i < n; i++) {
		c[i] = (struct client){ .name = "", .key = key };
		borrow(&c[i]);
		clock_test_advance(YOUNG_US);
		while (!c[i].holds)
			worker_turn(worker, 20);
	}
	for (i = 0; i < n; i++)
		give_back(&c[i]);
	clock_test_advance(LOGIN_US);
}

static inline int
pool_warm_set_up(void **state)
{
	clock_test_freeze(true);
	return pool_fixture_set_up(state);
}

static inline int
pool_warm_tear_down(void **state)
{
	int rc = pool_fixture_tear_down(state);

	clock_test_freeze(false);
	return rc;
}

#endif
