/* SPDX-License-Identifier: MIT */
/*
 * neon_bucket: the arithmetic, as it is in process. neon_gate.c has the same in Redis's Lua.
 */
#include "tenant/neon_bucket.h"

struct neon_rate
neon_rate_of(unsigned per_second, unsigned burst, unsigned parts)
{
	struct neon_rate rate;

	parts = parts > 0 ? parts : 1;
	burst = burst / parts > 0 ? burst / parts : 1;
	rate.interval_us = 1000000ull * parts / (per_second > 0 ? per_second : 1);
	rate.interval_us = rate.interval_us > 0 ? rate.interval_us : 1;
	rate.tolerance_us = burst * rate.interval_us;
	return rate;
}

uint64_t
neon_bucket_ahead(uint64_t bucket_us, uint64_t now_us)
{
	return bucket_us > now_us ? bucket_us - now_us : 0;
}

bool
neon_bucket_reserve(struct neon_rate rate, uint64_t *bucket_us, uint64_t now_us,
    uint64_t ahead_max_us, uint64_t *wait_us)
{
	uint64_t ahead = neon_bucket_ahead(*bucket_us, now_us) + rate.interval_us;

	*wait_us = ahead > rate.tolerance_us ? ahead - rate.tolerance_us : 0;
	if (*wait_us > ahead_max_us)
		return false;
	*bucket_us = now_us + ahead;
	return true;
}

void
neon_bucket_hold(struct neon_rate rate, uint64_t *bucket_us, uint64_t now_us, uint64_t us)
{
	uint64_t until = now_us + us + rate.tolerance_us;

	if (until > *bucket_us)
		*bucket_us = until;
}
