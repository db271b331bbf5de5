/* SPDX-License-Identifier: MIT */
/*
 * A few tenants on a few servers, and steps by chance: borrow, return, leave, a login that ends,
 * forget, limits, replicas, time. After each, the counts of pool_internal.h must agree; after a
 * pause, nobody may wait who could be served; at the end all are.
 *
 *	test_pool_steps [steps [seed]]	(default 6000, 1: the first of six)
 */
#include <unistd.h>

#include "pool_fixture.h"

#include "pool/pool_internal.h"

enum { KEYS = 9, CLIENTS = 60, LOGINS_MAX = 64, BUDGET = 10, PAUSE_US = 300000 };

static struct client clients[CLIENTS];
static struct step_login {
	struct pg_conn *conn;
	void (*over)(void *);
} logins[LOGINS_MAX];
static unsigned login_count, steps = 6000, seed = 1;

static void
login_later(struct pg_conn *c, uint64_t us, void (*over)(void *))
{
	(void)us;
	assert_true(login_count < LOGINS_MAX);
	logins[login_count++] = (struct step_login){ c, over };
}

static void
login_never(struct pg_conn *c)
{
	unsigned i;

	for (i = 0; i < login_count; i++)
		if (logins[i].conn == c)
			logins[i--] = logins[--login_count];
}

static void
end_login(void)
{
	struct step_login ended;

	if (login_count == 0)
		return;
	ended = logins[fake_dice(login_count)];
	ended.over(ended.conn);
}

/* ---- what must hold ---- */

static void
check_pool(struct pool *pool, enum pool_place place)
{
	unsigned n = 0, i;
	struct waiter *w;

	assert_int_equal(pool->place, place);
	for (i = 0; i < SERVER_STATES; i++)
		n += pool->servers[i];
	assert_int_equal(pool->count, n);
	n = 0;
	TAILQ_FOREACH(w, &pool->waiters, link)
		n++;
	assert_int_equal(pool->waiting, n);
	assert_int_equal(pool->holder.held, pool->host_holder.held);
	assert_int_equal(pool->holder.waits, place == POOL_WAITS);
	assert_int_equal(pool->host_holder.waits, place == POOL_WAITS_HOST);
	assert_int_equal(heap_holds(&pool->login_item), place == POOL_WAITS_LOGIN);
	if (pool->waiting == 0)
		assert_true(place == POOL_EMPTY || place == POOL_SATISFIED);
}

static void
check_hosts(bool is_shared)
{
	struct pool_host *host;

	TAILQ_FOREACH(host, &pools->hosts[is_shared], link)
		assert_int_equal(host->open, host->budget.held + host->servers[SERVER_IDLE]);
}

static void
check_counts(void)
{
	unsigned place, n, waiting = 0;
	struct pool *pool;

	assert_int_equal(pools->open, pools->budget.held + pools->servers[SERVER_IDLE]);
	assert_true(pools->open <= BUDGET);
	check_hosts(false);
	check_hosts(true);
	for (place = 0; place < POOL_PLACES; place++) {
		n = 0;
		TAILQ_FOREACH(pool, &pools->places[place], link) {
			check_pool(pool, place);
			waiting += pool->waiting;
			n++;
		}
		assert_int_equal(pools->place_counts[place], n);
	}
	assert_int_equal(pools->waiting, waiting);
}

static bool
could_log_in(const struct pool *pool)
{
	unsigned coming = pool->servers[SERVER_LOGIN] + pool->servers[SERVER_RESETTING];

	return pool->waiting > coming && pool->servers[SERVER_LOGIN] < pool_logins_max(pool) &&
	    !pool_in_backoff(pool) && !pool_host_logs_in(pool->host) &&
	    ((pools->open < BUDGET && pool_host_has_room(pool->host)) ||
		pool_victim(pool, !pool_host_has_room(pool->host)) != NULL);
}

/* Who is behind another waits for that one. */
static bool
is_first(const struct pool *pool)
{
	if (pool->place == POOL_WAITS)
		return budget_next(&pools->budget) == &pool->holder;
	return pool->place != POOL_WAITS_HOST || pool_host_next(pool->host) == pool;
}

static bool
is_passed_over(const struct pool *pool)
{
	return pool->waiting > 0 && is_first(pool) &&
	    pool->place != POOL_BACKOFF && /* the janitor's */
	    budget_admits(&pool->holder, 1) && budget_admits(&pool->host_holder, 1) &&
	    !pool_host_is_busy(pool) && (pool->servers[SERVER_IDLE] > 0 || could_log_in(pool));
}

static const struct pool *
first_passed_over(void)
{
	const struct pool *pool;
	unsigned place;

	for (place = 0; place < POOL_PLACES; place++)
		TAILQ_FOREACH(pool, &pools->places[place], link)
			if (is_passed_over(pool))
				return pool;
	return NULL;
}

/* A timer, which is of real time, has to look; without other help, for it is the clock that has
 * made it possible. The busy timer comes every 5 ms, the janitor once a second at the least. */
static void
check_nobody_is_passed_over(void)
{
	const struct pool *pool;
	unsigned turns = 2000;

	while ((pool = first_passed_over()) != NULL && turns-- > 0)
		worker_turn(worker, 6);
	if (pool != NULL)
		fprintf(stderr, "key %s waits: place %u, held %u, idle %u, waiting %u, login %u\n",
		    pool->target.dbname, pool->place, (unsigned)pool->holder.held,
		    pool->servers[SERVER_IDLE], pool->waiting, pool->servers[SERVER_LOGIN]);
	assert_null(pool);
}

/* ---- steps ---- */

static void
step_turns(void)
{
	unsigned i;

	for (i = 0; i < 8; i++)
		worker_turn(worker, 0);
	traced[0] = '\0';
}

/* Its place is free. */
static void
step_client_release(struct flow *f)
{
	((struct client *)f)->name = NULL;
}

static const struct flow_kind step_client_kind = { "step_client", client_steps, client_end,
	step_client_release };

static void
step_borrow(void)
{
	static const char *const hosts[] = { "one", "two", "127.0.0.1" };
	struct client *c;

	for (c = clients; c < clients + CLIENTS && c->name != NULL; c++)
		;
	if (c == clients + CLIENTS)
		return;
	*c = (struct client){ .name = "", .key = 1 + fake_dice(KEYS) };
	c->host = hosts[c->key % 3];
	c->password = c->key == 1 && fake_dice(20) == 0 ? "other" : NULL;
	c->size = c->key == 4 && fake_dice(3) == 0 ? 1 + fake_dice(3) : 0;
	c->hygiene = fake_dice(8) == 0 ? POOL_DIRTY : POOL_CLEAN;
	flow_start(&c->flow, &step_client_kind, worker, NULL);
}

/* From a place by chance on, the first that holds one. */
static void
step_return(void)
{
	unsigned from = fake_dice(CLIENTS), i = 0;
	struct client *c;

	do
		c = &clients[(from + i) % CLIENTS];
	while (!c->holds && ++i < CLIENTS);
	if (!c->holds)
		return;
	if (fake_dice(40) == 0)
		c->lease.conn->state = PG_BROKEN;
	c->holds = false;
	flow_wake(&c->flow);
}

static void
step_leave(void)
{
	struct client *c = &clients[fake_dice(CLIENTS)];

	if (c->name != NULL)
		flow_abort(&c->flow, ERR_CLIENT_GONE, "left");
}

static void
step_disturb(void)
{
	char key[16];

	snprintf(key, sizeof(key), "%u", 1 + fake_dice(KEYS));
	switch (fake_dice(4)) {
	case 0:
		pool_forget(pools, slice_str(key));
		break;
	case 1:
		pools_host_limit(pools, SLICE_LIT("one:0"), 3 + fake_dice(6));
		break;
	case 2:
		pools_host_limit(pools, SLICE_LIT("two:0"), 1 + fake_dice(8));
		break;
	default:
		pools_replicas(pools, 1 + fake_dice(4));
	}
}

/* Of the steps that borrow or return, there are more of the one, then more of the other. */
static void
step_by_chance(unsigned i)
{
	unsigned at = fake_dice(100);

	if (at < 28 + i / 100 % 3 * 9)
		step_borrow();
	else if (at < 75)
		step_return();
	else if (at < 78)
		step_leave();
	else if (at < 93)
		end_login();
	else if (at < 95)
		step_disturb();
	else
		clock_test_advance(fake_dice(30000));
}

static void
step_pause(void)
{
	clock_test_advance(PAUSE_US);
	check_nobody_is_passed_over();
	step_turns();
}

static void
counts_agree_after_every_step(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < steps; i++) {
		step_by_chance(i);
		if (fake_dice(40) == 0)
			timer_start(&pools->janitor, 0); /* as where a step takes long */
		step_turns();
		check_counts();
		if (fake_dice(20) != 0)
			continue;
		step_pause();
		check_counts();
	}
	for (i = 0; i < 4000 && flow_count(worker) > 0; i++) {
		end_login();
		step_return();
		step_turns();
		if (i % 50 == 0)
			step_pause();
	}
	assert_int_equal(flow_count(worker), 0);
	assert_true(stats().borrowed_total > steps / 10); /* it was no idle time */
}

static int
set_up(void **state)
{
	int rc;

	fake_rng = seed * 0x9e3779b97f4a7c15ull;
	clock_test_freeze(true);
	rc = pool_fixture_set_up(state);
	fake_later = login_later;
	fake_never = login_never;
	conf.default_pool_size = 4;
	conf.max_server_connections = BUDGET;
	conf.max_host_statements = seed % 3;
	conf.query_wait_timeout_us = 3600 * 1000000ull;
	fake.max_connections = POOL_HOST_RESERVED + 8;
	fake.fail_logins = seed % 2 * 20;
	memset(clients, 0, sizeof(clients));
	reopen();
	return rc;
}

static int
tear_down(void **state)
{
	int rc = pool_fixture_tear_down(state);

	fake_later = NULL;
	fake_never = NULL;
	clock_test_freeze(false);
	seed++;
	return rc;
}

#define STEPS_CASE cmocka_unit_test_setup_teardown(counts_agree_after_every_step, set_up, tear_down)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		STEPS_CASE,
		STEPS_CASE,
		STEPS_CASE,
		STEPS_CASE,
		STEPS_CASE,
		STEPS_CASE,
	};

	steps = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : steps;
	seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : seed;
	alarm(60); /* a decision without an end */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
