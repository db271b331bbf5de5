/* SPDX-License-Identifier: MIT */
/*
 * neon_pace: the record of the last creations, and its arithmetic. In a simulation of 300 first
 * contacts at once a creation costs 3.6 calls with a first look at the median and then one each
 * half of it; 8.8 with looks that begin after 50 ms and get slowly rarer.
 */
#include "tenant/neon_pace.h"

#include <stdlib.h>

#define LOOK_LEAST_US	20000
#define LOOK_MOST_US	5000000	 /* between two looks */
#define LOOK_FIRST_US	60000000 /* the first look comes no later */
#define LOOKS_EVEN	3	 /* looks at half of the median before they get rarer */
#define MEDIAN_ABSENT	1000000
#define LONGEST_ABSENT	2000000
#define CALLS_ABSENT	4

void
pace_add(struct neon_pace *p, struct neon_creation_times t)
{
	p->last[p->count++ % PACE_CREATIONS] = t;
}

static unsigned
pace_count(const struct neon_pace *p)
{
	return p->count < PACE_CREATIONS ? p->count : PACE_CREATIONS;
}

static int
times_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of an even number the lower one: a look too early costs half of the median, one too late all that
 * it is too late. */
uint64_t
pace_median_us(const struct neon_pace *p)
{
	uint64_t sorted[PACE_CREATIONS];
	unsigned n = pace_count(p), i;

	if (n == 0)
		return MEDIAN_ABSENT;
	for (i = 0; i < n; i++)
		sorted[i] = p->last[i].made_us;
	qsort(sorted, n, sizeof(sorted[0]), times_compare);
	return sorted[(n - 1) / 2];
}

uint64_t
pace_longest_us(const struct neon_pace *p)
{
	unsigned n = pace_count(p), i;
	uint64_t longest = 0;

	if (n == 0)
		return LONGEST_ABSENT;
	for (i = 0; i < n; i++) {
		if (p->last[i].whole_us > longest)
			longest = p->last[i].whole_us;
	}
	return longest;
}

uint64_t
pace_calls(const struct neon_pace *p, unsigned n)
{
	unsigned count = pace_count(p), i;
	uint64_t calls = 0;

	if (count == 0)
		return (uint64_t)n * CALLS_ABSENT;
	for (i = 0; i < count; i++)
		calls += p->last[i].calls;
	return (calls * n + count - 1) / count;
}

static uint64_t
look_within(uint64_t us, uint64_t most)
{
	if (us < LOOK_LEAST_US)
		return LOOK_LEAST_US;
	return us < most ? us : most;
}

uint64_t
pace_look_us(const struct neon_pace *p, unsigned n)
{
	uint64_t us = pace_median_us(p);
	unsigned i;

	if (n == 0)
		return look_within(us, LOOK_FIRST_US);
	us = look_within(us / 2, LOOK_MOST_US);
	for (i = LOOKS_EVEN; i < n && us < LOOK_MOST_US; i++)
		us = look_within(us * 3 / 2, LOOK_MOST_US);
	return us;
}

uint64_t
pace_estimate_us(uint64_t running_us, uint64_t done_us, uint64_t told_us)
{
	if (done_us < running_us)
		done_us = running_us;
	if (told_us == 0)
		return running_us + (done_us - running_us) / 2;
	if (told_us < running_us)
		return running_us;
	return told_us < done_us ? told_us : done_us;
}

uint64_t
pace_ready_us(const struct neon_pace *p, struct neon_rate rate, uint64_t ahead_us, unsigned place)
{
	uint64_t us = ahead_us + pace_calls(p, place) * rate.interval_us;

	us = us > rate.tolerance_us ? us - rate.tolerance_us : 0;
	return us + pace_longest_us(p);
}
