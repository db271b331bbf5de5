/* SPDX-License-Identifier: MIT */
/*
 * end_time: see the header.
 */
#include "tenant/end_time.h"

#include "tenantgate/base/clock.h"

#define RETRY_MAX_S 60
#define REST_MAX_US (300 * 1000000ull)

bool
end_time_left(uint64_t claimed_us, uint64_t lease_us, uint64_t *left_us)
{
	uint64_t until = claimed_us + lease_us / 8 * 7, now = clock_mono_us();

	*left_us = now < until ? until - now : 0;
	return now < until;
}

uint64_t
end_rest_us(uint64_t lease_us, int retry_after_s, int ordered_ago_s)
{
	uint64_t ago_us = (uint64_t)ordered_ago_s * 1000000 / 4;
	int retry_s = retry_after_s < RETRY_MAX_S ? retry_after_s : RETRY_MAX_S;

	if (retry_s > 0)
		return (uint64_t)retry_s * 1000000;
	if (ago_us > REST_MAX_US)
		return REST_MAX_US;
	return ago_us > lease_us ? ago_us : lease_us;
}
