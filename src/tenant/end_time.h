/* SPDX-License-Identifier: MIT */
/*
 * end_time: how long a tenant's end is worked at, and how long it rests (tenant_end.c). Pure.
 */
#ifndef TENANT_END_TIME_H
#define TENANT_END_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* What is left of a lease that was asked for at claimed_us (monotonic), less an eighth: whoever has
 * the work next begins only when all that was sent before is over. False when nothing is: a catalog
 * that takes most of a lease to grant it leaves no time to do anything under it. */
bool	end_time_left(uint64_t claimed_us, uint64_t lease_us, uint64_t *left_us);
/* After a failure: as the provider says (retry_after_s, 0: it does not); else the longer the longer
 * it has been in vain. An operator's order ends it. */
uint64_t	end_rest_us(uint64_t lease_us, int retry_after_s, int ordered_ago_s);

#endif
