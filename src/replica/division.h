/* SPDX-License-Identifier: MIT */
/*
 * division: one call of the script that divides keys among replicas, as words of a command, and its
 * reply. division.c has the script and its rules.
 */
#ifndef REPLICA_DIVISION_H
#define REPLICA_DIVISION_H

#include <stdint.h>

#include "tenantgate/replica.h"

#define DIVISION_KEYS_MAX 15 /* of one call, beside the roll */
/* EVALSHA, script, number of keys; the roll and the keys; id, serial, numbers. */
#define DIVISION_WORDS_MAX (3 + 1 + DIVISION_KEYS_MAX + 3)
#define DIVISION_KEY_SIZE  (sizeof("tg:division:{}:") + REPLICA_ENVIRONMENT_MAX + REPLICA_KEY_MAX)

enum division_command { DIVISION_EVALSHA, DIVISION_EVAL };

/* Not to be moved once made: its words point into it. */
struct division_call {
	struct slice	words[DIVISION_WORDS_MAX];
	unsigned	count;		/* words */
	char		key_count[4];
	char		serial[24];
	char		keys[1 + DIVISION_KEYS_MAX][DIVISION_KEY_SIZE];
	char		numbers[(1 + DIVISION_KEYS_MAX) * 48]; /* five of a key, in decimal */
};

/* The replica that calls. serial: of its calls, each larger than the one before. */
struct division_caller {
	const char	*environment;	/* borrowed until the call was sent, as the id */
	const char	*id;		/* of the process: random */
	uint64_t	serial;
	bool		is_cluster;	/* keys with a hash tag: redis_is_cluster() */
};

/* What the script answers. */
struct division_result {
	unsigned	live;		/* replicas in the roll, the caller included */
	bool		is_settled;	/* all that are alive had the time to enter it */
	unsigned	limits[DIVISION_KEYS_MAX];
};

/* n demands, DIVISION_KEYS_MAX at most. Any thread. */
void	division_call_make(struct division_call *, enum division_command,
	    const struct division_caller *, const struct replica_demand *, unsigned n);
/* False when the reply is not the script's, or has a number that cannot be. */
bool	division_call_read(const struct redis_reply *, const struct replica_demand *, unsigned n,
	    struct division_result *);
/* What a replica takes before Redis has said anything: a tenth, at least 1. */
unsigned division_first(unsigned capacity);
/* Gives back what the caller holds of these keys and, without any, its place in the roll; nobody
 * waits for it. */
void	division_leave(struct redis *, const struct division_caller *,
	    const struct replica_demand *);
/* The script. Its first line sets `now`; tests put one of their own in its place. */
const char	*division_script(void);

#endif
