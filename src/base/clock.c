/* SPDX-License-Identifier: MIT */
/*
 * clock.c: the system's clocks; to the monotonic and the wall clock is added what a test wants.
 */
#include "tenantgate/base/clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

/* Microseconds; zero outside of tests. Relaxed: it orders no other memory. */
static _Atomic uint64_t clock_ahead;

static uint64_t
clock_read(clockid_t id)
{
	struct timespec ts;
	int rc = clock_gettime(id, &ts);

	assert(rc == 0); /* Linux has these clocks, and ts is ours */
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* What the clocks said when a test stopped them; zero while they run. */
static _Atomic uint64_t frozen_mono_us, frozen_wall_us;

static uint64_t
clock_read_ahead(clockid_t id, _Atomic uint64_t *frozen_us)
{
	uint64_t us = atomic_load_explicit(frozen_us, memory_order_relaxed);

	return (us != 0 ? us : clock_read(id)) +
	    atomic_load_explicit(&clock_ahead, memory_order_relaxed);
}

uint64_t
clock_mono_us(void)
{
	return clock_read_ahead(CLOCK_MONOTONIC, &frozen_mono_us);
}

uint64_t
clock_wall_us(void)
{
	return clock_read_ahead(CLOCK_REALTIME, &frozen_wall_us);
}

uint64_t
clock_thread_cpu_us(void)
{
	return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

void
clock_iso(uint64_t wall_us, char *out)
{
	const uint64_t last = UINT64_C(253402300799999999); /* the end of 9999: four digits */
	unsigned ms;
	time_t seconds;
	struct tm tm;
	size_t n;

	if (wall_us > last)
		wall_us = last;
	seconds = (time_t)(wall_us / 1000000);
	ms = (unsigned)(wall_us / 1000 % 1000);
	gmtime_r(&seconds, &tm);
	n = strftime(out, CLOCK_ISO_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_ISO_SIZE - n, ".%03uZ", ms);
}

void
clock_test_advance(uint64_t us)
{
	atomic_fetch_add(&clock_ahead, us);
}

void
clock_test_freeze(bool frozen)
{
	atomic_store(&frozen_mono_us, frozen ? clock_read(CLOCK_MONOTONIC) : 0);
	atomic_store(&frozen_wall_us, frozen ? clock_read(CLOCK_REALTIME) : 0);
}
