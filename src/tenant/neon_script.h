/* SPDX-License-Identifier: MIT */
/*
 * neon_script: one call of a Lua script in Redis, by its digest, and by its text when Redis does
 * not know it. A child flow in memory of its caller's. TIME before a write needs a Redis that
 * replicates a script's effects, not its text: 5 or later.
 */
#ifndef TENANT_NEON_SCRIPT_H
#define TENANT_NEON_SCRIPT_H

#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/redis.h"

#define SCRIPT_WORDS_MAX   16
#define SCRIPT_NUMBERS_MAX 6

struct neon_script {
	struct flow flow;
	struct redis *redis;	 /* borrowed */
	const char *text;	 /* borrowed: static */
	struct redis_reply reply; /* owned */
	struct slice words[SCRIPT_WORDS_MAX]; /* borrowed, but for the numbers */
	unsigned count;
	char sha[REDIS_SHA_SIZE];
	char numbers[SCRIPT_NUMBERS_MAX][24];
	unsigned number_count;
};

/* The order: begin, its keys, its numbers and texts, run. Keys and texts are borrowed until the
 * wait is over; keys: how many words are keys. */
void neon_script_begin(struct neon_script *, struct redis *, const char *text, const char *keys);
void neon_script_text(struct neon_script *, const char *);
void neon_script_number(struct neon_script *, uint64_t);
/* Wakes plainly: look at ->reply. */
enum flow_rc neon_script_run(struct flow *, struct neon_script *)
    __attribute__((warn_unused_result));
/* Element i of the reply, 0 or more; false when there is none. */
bool neon_script_int(const struct neon_script *, unsigned i, uint64_t *out);
void neon_script_free(struct neon_script *); /* idempotent */

#endif
