/* SPDX-License-Identifier: MIT */
/*
 * backoff: how long to wait before something that failed (or was not ready) is tried again.
 *
 * The ceiling of the wait is first_us after the first try, grows to growth_percent of itself with
 * each further try, and stays at most_us. The wait is a random time between half of the ceiling and
 * all of it ("equal jitter"). One half is certain, so that a server in trouble is never asked again
 * at once, as it would be with "full jitter" (0 to all); the other is random, so that workers and
 * replicas that failed together do not come back together.
 *
 * floor_us is what the other side asked for (Retry-After), or 0: no wait is shorter. One that would
 * be is the floor and a random time of up to half of the ceiling more.
 *
 * A policy is a constant of its owner, who counts the tries. Microseconds. Any thread.
 */
#ifndef TENANTGATE_BASE_BACKOFF_H
#define TENANTGATE_BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint64_t	first_us;
	uint64_t	most_us;	/* no less than first_us */
	unsigned	growth_percent;	/* 200: doubles; 100: stays */
};

/* tries: how many have failed so far, 1 or more (0 is taken as 1). */
uint64_t	backoff_us(const struct backoff *, unsigned tries, uint64_t floor_us);

/* Tests only: random numbers come from fn (any 64 bits) from now on; NULL: from the system. */
typedef uint64_t backoff_random_fn(void);
void		backoff_test_random(backoff_random_fn *);

#endif
