/* SPDX-License-Identifier: MIT */
/* pools_configure: what follows from settings, at the opening and at a reload. Private to pool/. */
#ifndef POOL_POOLS_CONFIGURE_H
#define POOL_POOLS_CONFIGURE_H

#include "pool/pool_internal.h"

/* Microseconds between two rounds of the janitor. */
uint64_t	pools_janitor_period(const struct pool_conf *);
/* pool_host.c, under the lock: sizes have changed, of any pool and host. */
void		pools_resize(struct pools *, struct deferred *);

#endif
