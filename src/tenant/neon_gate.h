/* SPDX-License-Identifier: MIT */
/*
 * neon_gate: what each call of Neon's API passes first, so that all replicas together keep the
 * account's rate. A child flow in memory of its caller's.
 */
#ifndef TENANT_NEON_GATE_H
#define TENANT_NEON_GATE_H

#include "tenant/neon_script.h"
#include "tenant/tenant_internal.h"

/*
 * How a script that has the bucket for its first key begins: `now`, and `ahead`, how far the bucket
 * is ahead of it. The bucket is kept beside the time at which it was written: when that has not
 * come yet, Redis's clock was set back, and the bucket is as far ahead as it was then.
 */
#define GATE_LUA_BEGIN \
	"local time = redis.call('TIME')\n" \
	"local now = time[1] * 1000000 + time[2]\n" \
	"local kept = redis.call('GET', KEYS[1]) or ''\n" \
	"local bucket, written = string.match(kept, '^(%d+) (%d+)$')\n" \
	"local was_set_back = bucket and tonumber(written) > now\n" \
	"local ahead = bucket and math.max(0, bucket - math.max(written, now)) or 0\n"

/* A longer wait is not waited out: the call fails, and its client is told when to come back. */
#define GATE_WAIT_MAX_S 10

struct neon_gate {
	struct flow flow;
	struct tenants *tenants; /* borrowed */
	const char *slot;	 /* borrowed: the name of the creation it is for; NULL: none */
	struct neon_script script;
	struct timer timer;
	uint64_t since_us; /* monotonic: when it began to wait */
	/* after a good end: not 0: nothing may be sent for so long */
	unsigned closed_s;
};

/* Waits for one call's turn. A call of a creation that has its slot (slot not NULL) reserves its
 * time up to five seconds ahead and renews the slot. Any other takes only what is free at once, so
 * that creations go first; but after five seconds it reserves as they do, for a queue of them
 * leaves nothing free as long as it lasts. */
enum flow_rc neon_gate_pass(struct flow *, struct neon_gate *, struct tenants *, const char *slot)
    __attribute__((warn_unused_result));
void neon_gate_free(struct neon_gate *); /* idempotent */
/* Neon said 429 in spite of all: no call of anybody for so long. */
void neon_gate_hold(struct tenants *, unsigned seconds);

/* The account's rate over all replicas, or this process's part of it. */
struct neon_rate neon_gate_rate(const struct tenants *, unsigned parts);

#endif
