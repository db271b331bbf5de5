/* SPDX-License-Identifier: MIT */
/* pools_configure: what follows from settings, at the opening and at a reload. Private to pool/. */
#ifndef POOL_POOLS_CONFIGURE_H
#define POOL_POOLS_CONFIGURE_H

#include "pool/pool_internal.h"

/* How long it is between two rounds of the janitor. */
void		pools_janitor_periods(struct pools *);
/* pool_host.c, under the lock: sizes have changed, of any pool and host. */
void		pools_resize(struct pools *, struct deferred *);

#endif
