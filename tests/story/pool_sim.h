/* SPDX-License-Identifier: MIT */
/*
 * pool_sim: closed loops of clients that think, borrow, query, give back, in simulated time.
 * Queries take 5 ms (exponential), logins 20 ms +- 30 %, thinking its time +- 50 %.
 *
 * Time is the pool's own clock: it stands still, and is put ahead from one event to the next. The
 * dice have a seed of their own. So the figures are the same each time.
 */
#ifndef TENANTGATE_TESTS_POOL_SIM_H
#define TENANTGATE_TESTS_POOL_SIM_H

#include <math.h>

#include "pool_fixture.h"

enum { EVENTS_MAX = 1024, CLIENTS_MAX = 800, TENANTS_MAX = 400, MS = 1000, S = 1000000 };
#define FOR_EVER (3600ull * S)

struct sim_event {
	uint64_t at_us;
	void (*fn)(void *);
	void *arg;
};

struct sim_client {
	struct flow flow;
	struct pool_lease lease;
	unsigned key; /* 0: another each time, by Zipf */
	bool once;    /* one request, and it ends */
	unsigned asks;
	uint64_t think_us, query_us;
	uint64_t asked_us;
};

static struct {
	struct sim_event events[EVENTS_MAX];
	unsigned count;
	unsigned steps;		  /* a counter of all that happens */
	unsigned tenants;	  /* of the Zipf clients */
	double zipf[TENANTS_MAX]; /* the sum up to each tenant */
	unsigned served, failed;
	unsigned key_served[TENANTS_MAX], key_logins[TENANTS_MAX];
	uint64_t key_wait_us[TENANTS_MAX]; /* the longest */
} sim;

static struct sim_client sim_clients[CLIENTS_MAX];
static bool verbose;

static inline double
dice_unit(void)
{
	return (fake_dice(1000000) + 0.5) / 1000000;
}

static inline void
sim_add(uint64_t us, void (*fn)(void *), void *arg)
{
	assert_true(sim.count < EVENTS_MAX);
	sim.events[sim.count++] =
	    (struct sim_event){ .at_us = clock_mono_us() + us, .fn = fn, .arg = arg };
	sim.steps++;
}

static inline void
sim_remove(void *arg)
{
	unsigned i;

	for (i = 0; i < sim.count; i++)
		if (sim.events[i].arg == arg)
			sim.events[i--] = sim.events[--sim.count];
}

static inline void
sim_conn_later(struct pg_conn *c, uint64_t us, void (*fn)(void *))
{
	(void)us;
	sim.key_logins[c->key]++;
	sim_add((uint64_t)(20 * MS * (0.7 + 0.6 * dice_unit())), fn, c);
}

static inline void
sim_conn_never(struct pg_conn *c)
{
	sim_remove(c);
}

/* The loop turns until nothing has happened for a few turns. */
static inline void
sim_settle(void)
{
	unsigned quiet = 0, steps;

	while (quiet < 4) {
		steps = sim.steps;
		worker_turn(worker, 0);
		quiet = sim.steps == steps ? quiet + 1 : 0;
	}
}

static inline void
sim_run(uint64_t us)
{
	uint64_t end_us = clock_mono_us() + us, now;
	struct sim_event e;
	unsigned i, first;

	for (;;) {
		sim_settle();
		for (i = 1, first = 0; i < sim.count; i++)
			if (sim.events[i].at_us < sim.events[first].at_us)
				first = i;
		assert_true(sim.count > 0);
		e = sim.events[first];
		if (e.at_us > end_us)
			return;
		sim.events[first] = sim.events[--sim.count];
		now = clock_mono_us();
		if (e.at_us > now)
			clock_test_advance(e.at_us - now);
		e.fn(e.arg);
	}
}

/* ---- clients ---- */

static inline void
sim_wake(void *arg)
{
	struct sim_client *c = arg;

	flow_wake(&c->flow);
}

static inline enum flow_rc
sim_wait(struct sim_client *c, uint64_t us)
{
	sim_add(us, sim_wake, c);
	return flow_wait(&c->flow, sim_remove, c);
}

static inline unsigned
zipf_tenant(void)
{
	double at = dice_unit() * sim.zipf[sim.tenants];
	unsigned low = 1, high = sim.tenants, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (sim.zipf[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static inline enum flow_rc
sim_client_think(struct flow *f)
{
	struct sim_client *c = (struct sim_client *)f;

	if (c->think_us == 0)
		return FLOW_NEXT;
	return sim_wait(c, (uint64_t)((double)c->think_us * (0.5 + dice_unit())));
}

static inline enum flow_rc
sim_client_ask(struct flow *f)
{
	struct sim_client *c = (struct sim_client *)f;
	char key[16];
	struct pool_target t = { .pg = { .host = "fake", .dbname = key } };

	c->asks = c->key != 0 ? c->key : zipf_tenant();
	snprintf(key, sizeof(key), "%u", c->asks);
	t.key = slice_str(key);
	c->asked_us = clock_mono_us();
	return pool_borrow(f, pools, &t, &c->lease);
}

static inline enum flow_rc
sim_client_query(struct flow *f)
{
	struct sim_client *c = (struct sim_client *)f;
	uint64_t waited = clock_mono_us() - c->asked_us;

	sim.served++;
	sim.key_served[c->asks]++;
	if (waited > sim.key_wait_us[c->asks])
		sim.key_wait_us[c->asks] = waited;
	return sim_wait(c, (uint64_t)(-log(dice_unit()) * (double)c->query_us));
}

static inline enum flow_rc
sim_client_return(struct flow *f)
{
	struct sim_client *c = (struct sim_client *)f;

	pool_return(&c->lease, POOL_CLEAN);
	return c->once ? FLOW_NEXT : flow_goto(f, sim_client_think);
}

static inline void
sim_client_end(struct flow *f, const struct err *err)
{
	sim.failed += err->code != ERR_SHUTDOWN;
	pool_return(&((struct sim_client *)f)->lease, POOL_CLEAN);
}

static const struct flow_step sim_client_steps[] = {
	{ "think", sim_client_think },
	{ "ask", sim_client_ask },
	{ "query", sim_client_query },
	{ "return", sim_client_return },
	{ NULL, NULL },
};
static const struct flow_kind sim_client_kind = { "sim_client", sim_client_steps, sim_client_end,
	NULL };

/* From the first free place on. */
static inline void
sim_clients_add(unsigned n, unsigned key, uint64_t think_us, uint64_t query_us)
{
	struct sim_client *c = sim_clients;

	while (c->flow.magic != 0)
		c++;
	for (; n > 0; n--, c++) {
		assert_true(c < sim_clients + CLIENTS_MAX);
		*c = (struct sim_client){ .key = key, .think_us = think_us, .query_us = query_us };
		flow_start(&c->flow, &sim_client_kind, worker, NULL);
	}
}

/* So many tenants, with one request each. */
static inline void
sim_burst(unsigned first_key, unsigned n)
{
	struct sim_client *c;
	unsigned i;

	for (i = 0; i < n; i++) {
		sim_clients_add(1, first_key + i, 0, 5 * MS);
		for (c = sim_clients; c->key != first_key + i; c++)
			;
		c->once = true;
	}
}

static inline void
sim_open(unsigned budget, unsigned size)
{
	unsigned i;

	memset(&sim, 0, sizeof(sim));
	memset(sim_clients, 0, sizeof(sim_clients));
	fake_rng = 88172645463325252ull;
	clock_test_freeze(true);
	fake_later = sim_conn_later;
	fake_never = sim_conn_never;
	conf.max_server_connections = budget;
	conf.default_pool_size = size;
	reopen();
	sim.tenants = 300;
	for (i = 1; i <= sim.tenants; i++)
		sim.zipf[i] = sim.zipf[i - 1] + 1.0 / i;
}

/* What has been counted so far does not count. */
static inline void
sim_restart(void)
{
	sim.served = sim.failed = 0;
	memset(sim.key_served, 0, sizeof(sim.key_served));
	memset(sim.key_logins, 0, sizeof(sim.key_logins));
	memset(sim.key_wait_us, 0, sizeof(sim.key_wait_us));
}

static inline unsigned
sim_logins(void)
{
	unsigned i, n = 0;

	for (i = 0; i < TENANTS_MAX; i++)
		n += sim.key_logins[i];
	return n;
}

static inline double
sim_longest_wait_ms(unsigned from, unsigned to)
{
	uint64_t longest = 0;

	for (; from <= to; from++)
		if (sim.key_wait_us[from] > longest)
			longest = sim.key_wait_us[from];
	return (double)longest / MS;
}

static inline void
sim_report(const char *what, double s)
{
	if (verbose)
		fprintf(stderr, "%s: %.0f requests/s, %.3f logins a request, waits up to %.0f ms\n",
		    what, sim.served / s, (double)sim_logins() / sim.served,
		    sim_longest_wait_ms(0, TENANTS_MAX - 1));
}

static inline int
sim_tear_down(void **state)
{
	int rc;

	flow_abort_all(worker, ERR_SHUTDOWN, "over");
	sim_settle();
	clock_test_freeze(false);
	rc = pool_fixture_tear_down(state);
	fake_later = NULL;
	fake_never = NULL;
	return rc;
}

#define SIM_CASE(fn) cmocka_unit_test_setup_teardown(fn, pool_fixture_set_up, sim_tear_down)

#endif
