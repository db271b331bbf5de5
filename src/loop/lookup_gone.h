/* SPDX-License-Identifier: MIT */
/*
 * lookup_gone: what is remembered of things that were found once and are no more, are refused by
 * decision, or were told to have changed. Invented ones are none of these, and cannot push them
 * out. A part of lookup_store: under its lock.
 */
#ifndef TENANTGATE_LOOP_LOOKUP_GONE_H
#define TENANTGATE_LOOP_LOOKUP_GONE_H

#include "tenantgate/base/map.h"
#include "tenantgate/loop/lookup.h"

/* id -> what is remembered; as many as records. */
struct map *gone_map_new(size_t max);

/* record: negative, of which a reference is taken, or NULL when the thing has only changed. Without
 * memory it is not remembered: the found record is gone all the same. */
void gone_remember(struct map *, struct slice id, const struct lookup_conf *,
    struct lookup_record *record);
/* Others' copies may be older from now on; what is remembered of it stays. */
void gone_fence(struct map *, struct slice id, const struct lookup_conf *);
/* It exists again. Others' copies may be older still. */
void gone_return(struct map *, struct slice id);

/* The negative record, borrowed, within the time of its stale use; or NULL. */
struct lookup_record *gone_known(struct map *, struct slice id);
/* Whether others' copies may be from before it was gone or changed. */
bool gone_fences(struct map *, struct slice id);

#endif
