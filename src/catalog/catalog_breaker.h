/* SPDX-License-Identifier: MIT */
/*
 * catalog_breaker: what is known of the catalog from how its statements ended, and whether it is
 * worth asking. Pure but for its lock and the log: times are given. Any thread.
 *
 * Each lane is a circuit (base/circuit.h), which LANE_FAILURES in a row open.
 *
 * A lane opens alone: a lock on one table is no failure of the others'. When a statement and then a
 * probe (catalog_probe.c) have failed, the server is *gone*: nothing is let through but probes, so
 * that no request pays for them, and the first word heard closes all lanes. A probe that is
 * answered closes a lane that had no connection, too; one whose statements hang is closed by its
 * own alone.
 */
#ifndef CATALOG_CATALOG_BREAKER_H
#define CATALOG_CATALOG_BREAKER_H

#include <pthread.h>

#include "tenantgate/base/circuit.h"
#include "tenantgate/base/condition.h"
#include "tenantgate/catalog.h"

#define LANE_FAILURES 3

enum catalog_word {
	WORD_NONE,	/* it was not asked, or whoever asked left */
	WORD_HEARD,	/* it answered, whatever */
	WORD_UNREACHED, /* no connection, or a lost one */
	WORD_HUNG,	/* no answer in time: of the server, or of what the statement is about */
};

struct catalog_breaker {
	pthread_mutex_t mutex;
	struct circuit lanes[CATALOG_LANES];
	bool hangs[CATALOG_LANES]; /* its last failure was WORD_HUNG */
	bool is_unreached;   /* the last word of all */
	bool is_gone;	     /* and a probe has confirmed it */
	uint64_t heard_us;   /* 0: never */
	uint64_t since_us;   /* unreached: of the first such word */
	uint64_t watched_us; /* when somebody last wanted to know; 0: nobody did */
	char reason[128];
};

/* "lookups of tenants", for sentences (catalog_lanes.c). */
const char *catalog_lane_noun(enum catalog_lane);

void breaker_init(struct catalog_breaker *);
void breaker_destroy(struct catalog_breaker *);

/* Whether a statement may be sent. *is_probe: it is the one that is let through an open lane, and
 * must be followed by breaker_word(). False with *retry_after, in seconds. */
bool breaker_admits(struct catalog_breaker *, enum catalog_lane, uint64_t now, bool *is_probe,
    int *retry_after);
/* How a statement of the lane ended. reason: of a failure, for operators. */
void breaker_word(struct catalog_breaker *, enum catalog_lane, bool is_probe, enum catalog_word,
    const char *reason, uint64_t now);
/* Whether the next statement would be refused, or be the one that is let through. */
bool breaker_is_open(struct catalog_breaker *, enum catalog_lane);

/* Whether the server should be probed now: the last word was bad, a lane that had no connection is
 * open, or somebody watches and nothing was heard for a while. */
bool breaker_wants_probe(struct catalog_breaker *, uint64_t now);
/* Whether it may be so soon without another word: not while all is well and nobody watches. */
bool breaker_may_want_probe(struct catalog_breaker *, uint64_t now);
/* How a probe ended that began at that time. */
void breaker_probed(struct catalog_breaker *, enum catalog_word, const char *reason,
    uint64_t began_us, uint64_t now);

/* Notes that somebody watches. */
void breaker_condition(struct catalog_breaker *, struct condition *, uint64_t now);

#endif
