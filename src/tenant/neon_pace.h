/* SPDX-License-Identifier: MIT */
/*
 * neon_pace: what the last creations took, and what is told and done by it: when to look at a new
 * project's operations, and when a client may come back. Pure; its owner locks.
 */
#ifndef TENANT_NEON_PACE_H
#define TENANT_NEON_PACE_H

#include <stdint.h>

#include "tenant/neon_bucket.h"

#define PACE_CREATIONS 32 /* that are remembered */

struct neon_creation_times {
	uint64_t made_us;  /* from the response of the creation until Neon's operations were over */
	uint64_t whole_us; /* from the turn until the tenant's database was ready */
	unsigned calls;	   /* of Neon's API */
};

struct neon_pace {
	struct neon_creation_times last[PACE_CREATIONS];
	unsigned count; /* all that were added */
};

void pace_add(struct neon_pace *, struct neon_creation_times);
/* Of made_us; a second without a record. */
uint64_t pace_median_us(const struct neon_pace *);
/* The longest whole_us; two seconds without a record. */
uint64_t pace_longest_us(const struct neon_pace *);
/* Calls of n creations, rounded up; four each without a record. */
uint64_t pace_calls(const struct neon_pace *, unsigned n);

/* How long after the look before it (after the creation) the n-th look at the operations comes, n
 * from 0: the median, then half of it each time, and after some looks in vain ever later: a
 * creation that takes many times what others take is not worth a call each moment. */
uint64_t pace_look_us(const struct neon_pace *, unsigned n);
/*
 * How long Neon took, as well as we can know: it was not done at `running_us` and was at `done_us`,
 * both since the creation was answered. told_us: by Neon's own clock, 0 when it did not say; Neon
 * gives whole seconds, so it counts only within these bounds. Without it, the middle: the record
 * must be able to fall below the looks that it leads to.
 */
uint64_t pace_estimate_us(uint64_t running_us, uint64_t done_us, uint64_t told_us);
/* Microseconds until a creation is ready that is the place-th of those that wait or are at work,
 * from 1. ahead_us: of the bucket (neon_bucket_ahead). */
uint64_t pace_ready_us(const struct neon_pace *, struct neon_rate, uint64_t ahead_us,
    unsigned place);

#endif
