/* SPDX-License-Identifier: MIT */
/*
 * keepalive.c: the timer is not moved when something is written. It fires early, sees how much of
 * the interval is left, and waits for that: a token costs a look at the clock, no timer call.
 */
#include "api/keepalive.h"

#include "tenantgate/base/clock.h"

/* fn comes last: it may stop the timer. */
static void
keepalive_on_timer(void *arg)
{
	struct keepalive *k = arg;
	uint64_t now = clock_mono_us();

	if (now - k->heard_us < k->interval_us) {
		timer_start(&k->timer, k->heard_us + k->interval_us - now);
		return;
	}
	k->heard_us = now;
	timer_start(&k->timer, k->interval_us);
	k->fn(k->arg);
}

bool
keepalive_start(struct keepalive *k, struct worker *w, uint64_t interval_us, keepalive_fn *fn,
    void *arg)
{
	k->fn = fn;
	k->arg = arg;
	k->interval_us = interval_us;
	k->heard_us = clock_mono_us();
	if (!timer_init(&k->timer, w, keepalive_on_timer, k))
		return false;
	timer_start(&k->timer, interval_us);
	return true;
}

void
keepalive_heard(struct keepalive *k)
{
	k->heard_us = clock_mono_us();
}

void
keepalive_stop(struct keepalive *k)
{
	timer_free(&k->timer);
}
