/* SPDX-License-Identifier: MIT */
/*
 * pool_limit: what a server takes, learned from its refusals. Nobody tells how many connections
 * others have there: so the limit is what was in use when it refused, and grows by a twentieth each
 * ten seconds, until the next refusal or until it means nothing any more.
 */
#include "pool/pool_internal.h"
#include "tenantgate/base/clock.h"

#define RISE_EVERY_US (10 * 1000000ull)
#define RISE_DIVISOR  20 /* 5 % */

/* 1 at least: with 0 nothing would be tried again before the first rise. */
void
pool_limit_learn(struct pool_limit *l, unsigned in_use)
{
	l->limit = in_use > 0 ? in_use : 1;
	l->at_us = clock_mono_us();
}

/* Logins that were under way at the refusal have worked: there is room for more than was thought.
 */
void
pool_limit_confirm(struct pool_limit *l, unsigned in_use)
{
	if (l->limit != 0 && in_use > l->limit)
		l->limit = in_use;
}

/* Each turn of the loop adds to the limit, which ends it. */
void
pool_limit_rise(struct pool_limit *l, unsigned most)
{
	uint64_t now;

	if (l->limit == 0)
		return;
	now = clock_mono_us();
	while (l->limit != 0 && now - l->at_us >= RISE_EVERY_US) {
		l->limit += l->limit >= RISE_DIVISOR ? l->limit / RISE_DIVISOR : 1;
		l->at_us += RISE_EVERY_US;
		if (l->limit >= most)
			l->limit = 0;
	}
}

unsigned
pool_limit_value(const struct pool_limit *l)
{
	return l->limit != 0 ? l->limit : UINT_MAX;
}
