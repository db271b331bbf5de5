/* SPDX-License-Identifier: MIT */
/*
 * limit_room: what the files of the limiter share. limit_gcra.c is the arithmetic, limit_store.c
 * keeps it in this process, limit_script.c in Redis, limit.c chooses.
 */
#ifndef TENANTGATE_LIMIT_INTERNAL_H
#define TENANTGATE_LIMIT_INTERNAL_H

#include "tenantgate/limit.h"

/* An ask as the algorithm wants it: one every interval, and how far ahead one may run. */
struct gcra {
	uint64_t	interval_us;
	uint64_t	tolerance_us;
};

/* limit_gcra.c: pure. */
struct gcra	gcra_of(const struct limit_rule *);
/* What is stored under a key, as of now: never in the past, nor further ahead than it may be. */
uint64_t	gcra_tat(struct gcra, uint64_t stored_us, uint64_t now_us);
bool		gcra_lets(struct gcra, uint64_t tat_us, uint64_t now_us);
/* The verdict over n asks with what was stored under their keys before. mode is left alone. */
void		gcra_decide(const struct limit_rule *, unsigned n, const uint64_t *stored_us,
		    uint64_t now_us, struct limit_verdict *);

/* limit_script.c: the same in Redis. */
#define LIMIT_WORDS_MAX (3 + 3 * LIMIT_RULES_MAX)

enum limit_call_kind { LIMIT_EVALSHA, LIMIT_EVAL };

struct limit_call {
	struct slice	words[LIMIT_WORDS_MAX];		/* borrow from here, and the asks' keys */
	unsigned	count;
	char		key_count[4];
	char		numbers[2 * LIMIT_RULES_MAX][24];
};

void	limit_call_make(struct limit_call *, enum limit_call_kind, const struct limit_rule *,
	    unsigned n);
/* False when the reply is not the script's. *now_us: Redis's clock. */
bool	limit_call_read(const struct redis_reply *, const struct limit_rule *, unsigned n,
	    struct limit_verdict *, uint64_t *now_us);

#endif
