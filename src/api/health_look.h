/* SPDX-License-Identifier: MIT */
/*
 * health_look: a look at what is behind us, for /readyz. A catalog or a Redis that nobody asks
 * anything may be long gone, so it is asked when somebody wants to know: at most once in
 * HEALTH_LOOK_KEPT_US a worker, however many want it, and for HEALTH_LOOK_MAX_US at most. The
 * worker's thread only.
 */
#ifndef API_HEALTH_LOOK_H
#define API_HEALTH_LOOK_H

#include "tenantgate/api.h"
#include "tenantgate/loop/join.h"

#define HEALTH_LOOK_KEPT_US 1000000ull
#define HEALTH_LOOK_MAX_US  500000ull

enum health_subject { HEALTH_CATALOG, HEALTH_REDIS, HEALTH_SUBJECTS };

/* Begins what is to be looked at anew; to be called before the waits, so that they run side by
 * side. */
void		 health_looks_begin(struct health_looks *);
/* Waits until the look of this subject is over, if one is under way. */
enum flow_rc	 health_look_wait(struct flow *, struct health_looks *, enum health_subject,
		    struct join_waiter *) __attribute__((warn_unused_result));
/* What the last look has found; without effect when all was well. */
void		 health_look_condition(const struct health_looks *, enum health_subject,
		    struct condition *);

#endif
