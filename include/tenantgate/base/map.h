/* SPDX-License-Identifier: MIT */
/*
 * map: from a key of bytes to a pointer, with a ceiling and least-recently-used eviction. A
 * worker's caches and its tables of shared flows are maps. Keys are hashed with SipHash under a
 * random seed, for clients choose them. Values are the caller's; `drop` (may be NULL) is called for
 * each value that leaves by eviction, replacement, map_del() or map_free(), never by map_take(). It
 * must not call back into the map. One thread at a time, or under the owner's lock.
 */
#ifndef TENANTGATE_BASE_MAP_H
#define TENANTGATE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/slice.h"

struct map;
typedef void map_drop_fn(void *value);
typedef bool map_each_fn(struct slice key, void *value, void *arg);	/* false stops */

/* max: entries; the least recently used goes when one more comes. 0: no ceiling, for owners who
 * have one of their own. Aborts without memory (alloc.h). */
struct map	*map_new(size_t max, map_drop_fn *);
void		 map_free(struct map *);

/* NULL when absent. The entry counts as just used. */
void	*map_get(struct map *, struct slice key);
/* Copies the key, replaces an earlier value. False without memory: nothing has changed, and the
 * value is still the caller's. The value is not NULL. */
bool	 map_put(struct map *, struct slice key, void *value);
bool	 map_del(struct map *, struct slice key);		/* false when absent */
void	*map_take(struct map *, struct slice key);		/* NULL when absent; without drop */
void	 map_each(struct map *, map_each_fn *, void *arg);	/* fn must not change the map */
size_t	 map_count(const struct map *);

#endif
