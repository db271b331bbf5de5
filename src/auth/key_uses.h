/* SPDX-License-Identifier: MIT */
/*
 * key_uses: when keys were used last. Noted in memory at each use, and written to the catalog once
 * an interval, many keys by one statement, behind everything: nobody waits for it, and its failures
 * are nobody's. A process that is killed loses an interval at the most.
 *
 * Over all workers and replicas a row is changed about once an interval: who finds a time in it
 * that is nearly as new leaves it. So what is read is right to an interval.
 *
 * One worker's, on its thread only.
 */
#ifndef AUTH_KEY_USES_H
#define AUTH_KEY_USES_H

#include <stdint.h>

#include "tenantgate/catalog.h"

struct key_uses;

/* interval_us 0: nothing is noted. keys_max: of those used since the last write; the least recently
 * used is forgotten. The worker's flows have ended before the close. */
struct key_uses *key_uses_open(struct worker *, struct catalog *, uint64_t interval_us,
    unsigned keys_max);
void key_uses_close(struct key_uses *);
/* 0: uses are not noted from now on; those that are, are written. */
void key_uses_set_interval(struct key_uses *, uint64_t interval_us);

/* Now. */
void key_uses_note(struct key_uses *, const char *key_id);

#endif
