/* SPDX-License-Identifier: MIT */
/* grant_rate.c: a ring of counters, one a second; those that time has passed are set to zero. */
#include "loop/grant_rate.h"

#define SECOND 1000000u

void
grant_rate_init(struct grant_rate *r, uint64_t now_us)
{
	*r = (struct grant_rate){ .began_us = now_us, .newest_s = now_us / SECOND };
}

/* An older time than the newest (threads read the clock before they have the lock) counts as it. */
static void
rate_advance(struct grant_rate *r, uint64_t now_us)
{
	uint64_t now_s = now_us / SECOND;
	unsigned i;

	if (now_s > r->newest_s + GRANT_RATE_SECONDS)
		r->newest_s = now_s - GRANT_RATE_SECONDS;
	for (i = 0; i < GRANT_RATE_SECONDS && r->newest_s < now_s; i++) {
		r->newest_s++;
		r->counts[r->newest_s % GRANT_RATE_SECONDS] = 0;
	}
}

void
grant_rate_count(struct grant_rate *r, uint64_t now_us)
{
	rate_advance(r, now_us);
	r->counts[r->newest_s % GRANT_RATE_SECONDS]++;
}

double
grant_rate_per_s(struct grant_rate *r, uint64_t now_us)
{
	uint64_t age_us = now_us > r->began_us ? now_us - r->began_us : 0, sum = 0;
	unsigned i;

	rate_advance(r, now_us);
	for (i = 0; i < GRANT_RATE_SECONDS; i++)
		sum += r->counts[i];
	if (age_us > GRANT_RATE_SECONDS * (uint64_t)SECOND)
		age_us = GRANT_RATE_SECONDS * (uint64_t)SECOND;
	return (double)sum * SECOND / (double)(age_us > SECOND ? age_us : SECOND);
}
