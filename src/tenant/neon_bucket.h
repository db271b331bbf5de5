/* SPDX-License-Identifier: MIT */
/*
 * neon_bucket: how many calls Neon's API gets, by the generic cell rate algorithm (ITU-T I.371). A
 * bucket is one number, the time at which all of its burst is free again; a call moves it on by one
 * interval. Unlike a limit that refuses, a bucket may be charged ahead of time: the caller is told
 * how long to wait, and its place is kept. Pure; microseconds, all by one clock.
 */
#ifndef TENANT_NEON_BUCKET_H
#define TENANT_NEON_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct neon_rate {
	uint64_t interval_us;  /* between two calls at the steady rate; 1 or more */
	uint64_t tolerance_us; /* how far a bucket may run ahead of now with no wait: its burst */
};

/* per_second, burst: the account's; parts: by how many processes they are divided, as when nothing
 * tells them of each other. 0 is taken as 1. */
struct neon_rate neon_rate_of(unsigned per_second, unsigned burst, unsigned parts);

/* Charges one call, unless it would have to wait longer than ahead_max_us: then nothing changes.
 * *wait_us either way: for how long. */
bool neon_bucket_reserve(struct neon_rate, uint64_t *bucket_us, uint64_t now_us,
    uint64_t ahead_max_us, uint64_t *wait_us);
/* No call for so long from now on, and no burst after it. Never brings one nearer. */
void neon_bucket_hold(struct neon_rate, uint64_t *bucket_us, uint64_t now_us, uint64_t us);
/* How far the bucket is ahead of now; 0: the whole burst is free. */
uint64_t neon_bucket_ahead(uint64_t bucket_us, uint64_t now_us);

#endif
