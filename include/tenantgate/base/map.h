/* SPDX-License-Identifier: MIT */
/*
 * map: bytes -> pointer, with a ceiling and least-recently-used eviction. The caches of a worker
 * and the tables of waiting flows are maps. Keys are hashed with SipHash under a random seed, for
 * they come from outside. Values are the caller's; `drop` (may be NULL) is called for each value
 * that leaves by eviction, replacement, map_del() or map_free(), never by map_take().
 * One thread at a time, or under the owner's lock. `drop` must not call back into the map.
 */
#ifndef TENANTGATE_BASE_MAP_H
#define TENANTGATE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/slice.h"

struct map;
typedef void map_drop_fn(void *value);
typedef bool map_each_fn(struct slice key, void *value, void *arg);	/* false stops */

/* max: entries; the least recently used goes when one more comes. 0: no ceiling (owner's own). */
struct map	*map_new(size_t max, map_drop_fn *);
void		 map_free(struct map *);

void	*map_get(struct map *, struct slice key);		/* NULL when absent; touches */
bool	 map_put(struct map *, struct slice key, void *value);	/* key copied; replaces */
bool	 map_del(struct map *, struct slice key);		/* false when absent */
void	*map_take(struct map *, struct slice key);		/* out, without drop */
void	 map_each(struct map *, map_each_fn *, void *arg);	/* no changes while walking */
size_t	 map_count(const struct map *);

#endif
