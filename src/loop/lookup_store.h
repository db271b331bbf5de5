/* SPDX-License-Identifier: MIT */
/*
 * lookup_store: the records that the caches of all workers share, and what is known of the fetches
 * under way: which of them are of the same thing. Any thread.
 */
#ifndef TENANTGATE_LOOP_LOOKUP_STORE_H
#define TENANTGATE_LOOP_LOOKUP_STORE_H

#include "tenantgate/loop/lookup.h"

/* What is looked up, and the same with who asks: id is the beginning of asked. */
struct lookup_key {
	struct slice id, asked;
};

/* Each returned record is a reference, the caller's. */

/* Found or negative, and not expired; or NULL. */
struct lookup_record *lookup_store_fresh(struct lookup_store *, struct lookup_key);
struct lookup_record *lookup_store_peek(struct lookup_store *, struct lookup_key);
/* What may be used although the source was not reached: a found record, or that what was found once
 * is gone; or NULL. It counts as fresh until the next try, so that the requests in between neither
 * wait for nor burden what is failing. */
struct lookup_record *lookup_store_stale(struct lookup_store *, struct lookup_key,
    const struct lookup_conf *);

/* A fetch begins and ends; between the two it may be superseded. False: no memory. */
bool lookup_store_fetch_begin(struct lookup_store *, struct lookup_key, struct lookup_fetch *);
void lookup_store_fetch_end(struct lookup_store *, struct lookup_key, struct lookup_fetch *);
/* Keeps what a fetch has brought, unless it was superseded. Returns what its waiters get: its
 * record, or that the thing is gone, when that was learnt meanwhile. */
struct lookup_record *lookup_store_keep(struct lookup_store *, struct lookup_key,
    const struct lookup_conf *, struct lookup_fetch *);

void lookup_store_put(struct lookup_store *, struct lookup_key, const struct lookup_conf *,
    struct lookup_record *);
void lookup_store_forget(struct lookup_store *, struct lookup_key, const struct lookup_conf *);
void lookup_store_expire(struct lookup_store *, struct lookup_key, const struct lookup_conf *);
void lookup_store_forget_all(struct lookup_store *, const struct lookup_conf *);

#endif
