/* SPDX-License-Identifier: MIT */
/*
 * backoff.c: the wait before another try: a ceiling that grows with the tries, and a random part of
 * up to half of it.
 */
#include "tenantgate/base/backoff.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

#include "tenantgate/base/random.h"

/* NULL outside of tests. Atomic, for workers compute waits while a test sets it. */
static backoff_random_fn *_Atomic test_random;

void
backoff_test_random(backoff_random_fn *fn)
{
	atomic_store(&test_random, fn);
}

/* 0 to most, evenly: a remainder of 64 random bits is biased by less than a millionth for any wait
 * that a policy has. */
static uint64_t
random_us(uint64_t most)
{
	backoff_random_fn *fn = atomic_load(&test_random);
	uint64_t bits;

	if (fn != NULL)
		bits = fn();
	else
		bytes_random(&bits, sizeof(bits));
	return most == UINT64_MAX ? bits : bits % (most + 1);
}

/* One growth, at most_us at the most. It does not overflow, and always grows by one microsecond or
 * more, however small the wait; otherwise rounding would stop a small wait from ever growing. */
static uint64_t
grown_us(const struct backoff *b, uint64_t us)
{
	uint64_t more;

	if (us >= b->most_us)
		return b->most_us;
	if (us > UINT64_MAX / b->growth_percent)
		return b->most_us;
	more = us * b->growth_percent / 100;
	if (more <= us)
		more = us + 1;
	return more < b->most_us ? more : b->most_us;
}

/* After `tries` failures. The loop ends as soon as the ceiling is at most_us, so a try number that
 * has grown for days costs no more than a small one. */
static uint64_t
ceiling_us(const struct backoff *b, unsigned tries)
{
	uint64_t us = b->first_us;

	if (b->growth_percent == 100)
		return us;
	while (tries-- > 1 && us < b->most_us)
		us = grown_us(b, us);
	return us;
}

/* See backoff.h. With a floor above the wait, the random part goes on top: clients that were sent
 * the same Retry-After must not come back in the same moment either. */
uint64_t
backoff_us(const struct backoff *b, unsigned tries, uint64_t floor_us)
{
	uint64_t ceiling, us;

	assert(b->growth_percent >= 100 && b->first_us <= b->most_us);
	ceiling = ceiling_us(b, tries);
	us = ceiling - random_us(ceiling / 2);
	if (us >= floor_us)
		return us;
	us = random_us(ceiling / 2);
	return floor_us < UINT64_MAX - us ? floor_us + us : UINT64_MAX;
}
