/* SPDX-License-Identifier: MIT */
/*
 * division_fixture: the script that divides keys among replicas, run in the Redis of TEST_REDIS as
 * any replica, at a clock of the test's own.
 */
#ifndef TESTS_LIVE_DIVISION_FIXTURE_H
#define TESTS_LIVE_DIVISION_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "replica/division.h"

/* A replica as the script sees it. What it may hold is the larger of held and used. */
struct model_replica {
	bool is_alive;
	char id[24];
	unsigned serial;
	struct replica_demand demand; /* limit: in force */
	uint64_t next_ms;	      /* its next beat; with an answer under way: its arrival */
	bool is_answered;	      /* the answer is under way */
	unsigned answer;
	unsigned late_serial; /* a call that Redis has not read yet; 0: none */
	struct replica_demand late_demand;
};

struct division_fixture {
	struct redis *redis;
	char environment[64];
	uint64_t now_ms;   /* true time */
	int64_t offset_ms; /* of Redis's clock */
	unsigned live;	   /* replicas, as the last call was told */
};
extern struct division_fixture division_fixture;

int division_fixture_set_up(void **state);
int division_fixture_tear_down(void **state);
/* Redis is empty. */
void division_forget(void);
/* One call; false: it was overtaken by a later one. Anything else fails the test. */
bool divided(struct model_replica *, unsigned serial, const struct replica_demand *,
    unsigned *limit);
/* 0 to n - 1; the seed is TEST_SEED, or 7. */
unsigned chance(unsigned n);

#endif
