/* SPDX-License-Identifier: MIT */
/*
 * neon-api-limits: the rate that an account may call at, as Neon has it: so many in any minute, and
 * so many of a route in any second. A call that is refused is not counted. The number of projects
 * is looked at where one is made (neon-api-routes.c).
 */
#include "neon-api.h"
#include "tenantgate/base/clock.h"

static const uint64_t second_us = 1000000, minute_us = 60000000;

/* Microseconds until another call is let through, when `max` may be in a span; 0: now. */
static uint64_t
calls_wait(const struct neon_calls *c, unsigned max, uint64_t span_us, uint64_t now)
{
	uint64_t oldest;

	if (max == 0 || c->count < max)
		return 0;
	oldest = c->at_us[(c->count - max) % CALLS_MAX];
	return oldest + span_us > now ? oldest + span_us - now : 0;
}

static void
calls_add(struct neon_calls *c, uint64_t now)
{
	c->at_us[c->count++ % CALLS_MAX] = now;
}

static struct neon_calls *
route_calls(struct neon_api *api, const char *route)
{
	size_t i;

	for (i = 0; i < STATS_MAX; i++) {
		if (strcmp(api->stats[i].route, route) == 0)
			return &api->stats[i].calls;
	}
	return NULL;
}

bool
limits_take(struct neon_api *api, const char *route, int *retry_after)
{
	struct neon_calls *of_route = route_calls(api, route);
	uint64_t now = clock_mono_us(), wait, of_second = 0;

	wait = calls_wait(&api->calls, api->calls_per_minute, minute_us, now);
	if (of_route != NULL)
		of_second = calls_wait(of_route, api->route_per_second, second_us, now);
	wait = of_second > wait ? of_second : wait;
	if (wait > 0) {
		api->limited++;
		*retry_after = api->limit_retry_after >= 0
		    ? api->limit_retry_after
		    : (int)((wait + second_us - 1) / second_us);
		return false;
	}
	calls_add(&api->calls, now);
	if (of_route != NULL)
		calls_add(of_route, now);
	return true;
}
