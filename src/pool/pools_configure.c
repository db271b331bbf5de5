/* SPDX-License-Identifier: MIT */
/*
 * pools_configure: what a reload changes of the pools, under their lock: the budget's capacity, and
 * the settings that the next decision reads.
 */
#include "pool/pools_configure.h"

#define SECONDS 1000000ull

/* Of two times; b is 0 when it is switched off. */
static uint64_t
shorter_time(uint64_t a, uint64_t b)
{
	return b != 0 && b < a ? b : a;
}

/* A quarter of the shortest of the times that the janitor keeps and of `us`, and a millisecond at
 * least. */
static uint64_t
janitor_period(const struct pool_conf *conf, uint64_t us)
{
	us = shorter_time(us, conf->server_idle_timeout_us);
	us = shorter_time(us, conf->server_lifetime_us);
	us = shorter_time(us, conf->pool_idle_timeout_us);
	return us / 4 > 1000 ? us / 4 : 1000;
}

void
pools_janitor_periods(struct pools *p)
{
	uint64_t us = shorter_time(4 * SECONDS, p->conf.server_login_retry_us);

	p->janitor_us = janitor_period(&p->conf, us);
	p->janitor_hurries = p->janitor_rests; /* times may be shorter than its rest */
	p->janitor_rest_us = janitor_period(&p->conf, 80 * SECONDS);
}

/* The longest idle first, as many as there are too many; those under way to be closed count as
 * open. */
static void
close_surplus(struct pools *p, struct deferred *deferred)
{
	unsigned max = p->conf.max_server_connections;
	unsigned surplus = p->open > max ? p->open - max : 0;

	for (; surplus > 0 && !TAILQ_EMPTY(&p->idle); surplus--)
		server_drop(TAILQ_FIRST(&p->idle), deferred);
}

void
pools_configure(struct pools *p, const struct pool_conf *conf)
{
	struct deferred deferred;
	struct pool_conf fresh = *conf;

	pools_lock(p, &deferred);
	fresh.settings = p->conf.settings;
	fresh.max_scram_iterations = p->conf.max_scram_iterations;
	fresh.single_owner = p->conf.single_owner;
	fresh.hosts_are_shared = p->conf.hosts_are_shared;
	p->conf = fresh;
	pools_janitor_periods(p);
	budget_resize(&p->budget, fresh.max_server_connections);
	close_surplus(p, &deferred);
	pools_resize(p, &deferred);
	pools_unlock(p, &deferred);
}
