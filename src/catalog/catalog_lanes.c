/* SPDX-License-Identifier: MIT */
/*
 * catalog_lanes: how much of the catalog's connections each kind of statement may use (catalog.h).
 * A lane is a budget of loop/share without headroom: a statement takes a millisecond, so the order
 * alone is fair. The lanes' parts add up to more than the pool: what one does not use serves the
 * others, and what waits in the pool itself is never more than half of its size, or three.
 */
#include "catalog/catalog_internal.h"

#include <limits.h>

#define LANE_WAIT_US (10 * 1000000ull) /* as long as for a connection of a pool */

static const struct {
	const char *noun;
	unsigned divisor;     /* of the pool's connections */
	unsigned waiting_max; /* statements of one holder */
} lanes_of[CATALOG_LANES] = {
	[CATALOG_KEYS] = { "lookups of API keys", 2, 1024 },
	/* Few: what a network floods with must neither fill the count of lookups under way nor
	 * make those of its neighbours wait. */
	[CATALOG_UNVERIFIED_KEYS] = { "lookups of unverified API keys", 4, 64 },
	[CATALOG_TENANTS] = { "lookups of tenants", 2, 1024 },
	[CATALOG_DOCUMENTS] = { "notes of documents", 4, 1024 },
	[CATALOG_LOOKS] = { "looks at its health", UINT_MAX, 1024 },
};

static unsigned
lane_size(unsigned pool_size, unsigned divisor)
{
	return pool_size > divisor ? pool_size / divisor : 1;
}

void
catalog_lanes_open(struct share_budget *lanes[CATALOG_LANES], unsigned pool_size)
{
	for (unsigned i = 0; i < CATALOG_LANES; i++)
		lanes[i] = share_open(&(struct share_conf){
		    .noun = lanes_of[i].noun,
		    .setting = "catalog_pool_size",
		    .capacity = lane_size(pool_size, lanes_of[i].divisor),
		    .waiting_max = lanes_of[i].waiting_max,
		    .wait_timeout_us = LANE_WAIT_US,
		});
}

const char *
catalog_lane_noun(enum catalog_lane lane)
{
	return lanes_of[lane].noun;
}

void
catalog_lanes_close(struct share_budget *lanes[CATALOG_LANES])
{
	for (unsigned i = 0; i < CATALOG_LANES; i++)
		share_close(lanes[i]);
}
