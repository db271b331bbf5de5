/* SPDX-License-Identifier: MIT */
/*
 * loudest: who of very many does most, in a fixed number of places (the space-saving algorithm:
 * Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k elements", 2005). Who
 * comes without a place takes that of the least, with its count as the error: so whoever did more
 * than all / places is there for certain, and the count is at most `error` too high.
 *
 * It is counted in shards, one for each thread that counts, each with a lock of its own that nobody
 * else takes but whoever looks: any thread. Looked at, the shards are one: what a name has in each
 * is added up, and whoever has done most keeps the places.
 */
#ifndef TENANTGATE_BASE_LOUDEST_H
#define TENANTGATE_BASE_LOUDEST_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"

#define LOUDEST_NAME_MAX 128	/* bytes; the rest of a name is cut */

struct loudest_place {
	char		name[LOUDEST_NAME_MAX + 1];
	uint64_t	count;
	uint64_t	error;		/* of the count, that may be others' */
	uint64_t	failed;		/* of its own, since it has the place */
	uint64_t	sum_us;		/* likewise */
};

struct loudest;
/* Aborts without memory (alloc.h). */
struct loudest	*loudest_new(unsigned places, unsigned shards);
void		 loudest_free(struct loudest *);	/* NULL is fine */

/* Counts one of `us` microseconds. shard: any number; equal ones share a lock. */
void		 loudest_add(struct loudest *, unsigned shard, struct slice name, uint64_t us,
		    bool failed);
/* Copies up to `max` of its places, the loudest first; returns how many. *all: how many were
 * counted, of whatever name. */
unsigned	 loudest_copy(struct loudest *, struct loudest_place *out, unsigned max,
		    uint64_t *all);

#endif
