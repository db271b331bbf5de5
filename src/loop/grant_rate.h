/* SPDX-License-Identifier: MIT */
/*
 * grant_rate: how many a second there were of late: a counter for each of the last ten seconds. One
 * thread at a time, or under the owner's lock. Times are monotonic microseconds.
 */
#ifndef TENANTGATE_LOOP_GRANT_RATE_H
#define TENANTGATE_LOOP_GRANT_RATE_H

#include <stdint.h>

#define GRANT_RATE_SECONDS 10u

struct grant_rate {
	uint64_t	began_us;	/* grant_rate_init() */
	uint64_t	newest_s;	/* the second that the newest counter is of */
	uint64_t	counts[GRANT_RATE_SECONDS];	/* by second modulo their number */
};

void	grant_rate_init(struct grant_rate *, uint64_t now_us);
void	grant_rate_count(struct grant_rate *, uint64_t now_us);
/* Over the last ten seconds, or since the start when that is less (but a second at least). */
double	grant_rate_per_s(struct grant_rate *, uint64_t now_us);

#endif
