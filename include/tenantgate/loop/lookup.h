/* SPDX-License-Identifier: MIT */
/*
 * lookup: a cache of records that are expensive to fetch (a tenant, a key), with one fetch a key
 * under way at a time (single flight). Found and not-found records are kept apart, each for a time
 * of its own (negative caching) and up to a ceiling, so that invented keys do not push out the
 * records of true ones. A fetch that could not reach its source keeps nothing, and may leave an
 * expired record in use for a while (stale-if-error, RFC 5861 section 4).
 *
 *	lookup_wait:  kept and fresh? --> FLOW_NEXT
 *	                   | no
 *	              the source is ill, and a stale record may be used? --> FLOW_NEXT; the fetch
 *	                   | no                                              goes on behind it
 *	                   v
 *	      [wait] on the fetch of that key, started by the first --> waiter->record; after
 *	             patience_us a stale one, if there is one; or a failure
 *
 *	fetch:  the owner's steps --> kept, waiters woken
 *	                |
 *	                +-- failed --> the stale record if it may still be used, else the reason
 *
 * The records are in a store, which the caches of all workers share: what one has learnt, found or
 * not, the others have. A cache keeps only its worker's fetches.
 *
 * What always holds:
 *  - When a key is forgotten, expired or replaced (lookup_forget, lookup_expire, lookup_put), by
 *    whichever worker, while it is fetched, or when another fetch of it has found that there is
 *    none, that fetch is superseded: it may have read the old row, so what it brings is given to
 *    those who waited already, but is not kept; whoever comes after starts a new fetch.
 *  - What was found and then was seen to be gone is in the store no more, so that no stale copy of
 *    it can come back; that it is gone is remembered (see stale_us and copies_us).
 *  - A waiter that is aborted only leaves: the fetch goes on, for the cache wants its record.
 *
 * A struct lookup_cache is one worker's, and its thread's only. A struct lookup_store is any
 * thread's: it has one lock, held for look-ups in maps, never across a wait, another lock or a
 * callback but lookup_free_fn. Times are monotonic microseconds.
 */
#ifndef TENANTGATE_LOOP_LOOKUP_H
#define TENANTGATE_LOOP_LOOKUP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/join.h"

struct lookup_cache;
struct lookup_record;
typedef void lookup_free_fn(struct lookup_record *);

/* The first member of the owner's record. Counted references are held by the store, the fetch that
 * fills it and those who waited for it, on any worker. Once the fetch is over, nobody writes the
 * record but for the times, which are the store's. */
struct lookup_record {
	atomic_uint		 refs;
	bool			 is_negative;	/* set by the owner's fetch: there is none */
	bool			 is_revoked;	/* set by it too: negative, by decision */
	uint64_t		 expires_us;	/* when it is fetched anew; 0: never was kept */
	uint64_t		 usable_until_us;	/* the end of its stale use */
	unsigned		 epoch;		/* the store's, when it was kept */
	uint64_t		 serial;	/* in the order in which records were kept */
	lookup_free_fn		*free;		/* called when the last reference is gone, by any
						 * thread, maybe under the store's lock: it frees
						 * memory, and no more */
};

/* The caller has one reference. Any thread. */
void			 lookup_record_init(struct lookup_record *, lookup_free_fn *);
struct lookup_record	*lookup_ref(struct lookup_record *);
void			 lookup_unref(struct lookup_record *);	/* NULL is fine */

/* The first member of the owner's fetch: zeroed memory of conf.fetch_size bytes, owned by the
 * cache. Its steps fill the record (and set is_negative), or fail. What the fetch owns is freed in
 * its kind's end(); the kind has no release(), for the memory is not its own. */
struct lookup_fetch {
	struct flow		 flow;
	void			*owner;		/* borrowed: conf.owner */
	struct lookup_record	*record;	/* a reference; made by conf.record_new */
	/* The key was forgotten or replaced meanwhile, by any worker: the owner must not publish
	 * the record either (to Redis), where it would bring the old row back. */
	atomic_bool		 is_superseded;
	/* The record was seen to be gone or changed, or was expired, not long ago (copies_us): a
	 * copy that lies elsewhere (in Redis) may be older, so only the source is to be asked. */
	bool			 is_fenced;
	struct lookup_fetch	*peer;		/* the store's: another of the same id */
	uint64_t		 serial;	/* the store's: of the last record kept before it */
};

/* All workers' records of one kind. It outlives the caches. */
struct lookup_store;
struct lookup_store	*lookup_store_new(size_t records_max);	/* found; as many not found. The
								 * least recently used go */
void			 lookup_store_free(struct lookup_store *);	/* NULL is fine */

struct lookup_conf {
	const char	*noun;		/* borrowed: "tenant", in the sentences of failures */
	uint64_t	 ttl_us;	/* a found record is fresh for so long */
	uint64_t	 negative_ttl_us;	/* and one that says "not found" */
	/* A found record stays in use for that long after its ttl when the source cannot be reached
	 * (the fetch ends with timeout_code, ERR_TIMEOUT or ERR_OVERLOADED); 0: not. So does the
	 * knowledge that what was found once is gone. */
	uint64_t	 stale_us;
	uint64_t	 retry_us;	/* in stale use: the least time between two fetches */
	/* A fetch that takes longer goes on, but whoever could use a stale record waits no longer.
	 * 0: as long as it takes. */
	uint64_t	 patience_us;
	/* How long copies live that others hold of a record: so long is_fenced is set after it was
	 * seen to be gone or changed. */
	uint64_t	 copies_us;
	struct lookup_store	*store;	/* borrowed; NULL: one of the cache's own */
	size_t		 records_max;	/* of a store of its own */
	/* The first so many bytes of a key name what is looked up, the rest who asks: found records
	 * are everybody's, those that were not found the asker's. 0: a key is its name, whole. */
	size_t		 id_len;
	/* Whether the source is known not to answer: stale records are then used at once. May be
	 * NULL. */
	bool		(*is_ill)(const void *owner);
	size_t		 fetches_max;	/* under way at once; more fail with ERR_OVERLOADED */
	uint64_t	 deadline_us;	/* of one fetch; 0: none */
	enum err_code	 timeout_code;	/* in place of ERR_TIMEOUT, when the fetch timed out */
	const struct flow_kind	*fetch_kind;	/* borrowed: static */
	size_t		 fetch_size;	/* of the struct that begins with a struct lookup_fetch */
	struct lookup_record	*(*record_new)(struct slice key);	/* NULL: no memory */
	void		*owner;		/* borrowed */
};

/* conf is copied. The worker outlives the cache; its flows have ended before lookup_close(). */
struct lookup_cache	*lookup_open(struct worker *, const struct lookup_conf *);
void			 lookup_close(struct lookup_cache *);
/* Other times, for what is fetched from now on. The store may be that of several caches. */
void			 lookup_set_times(struct lookup_cache *, uint64_t ttl_us,
			    uint64_t negative_ttl_us, uint64_t stale_us, uint64_t copies_us);

/* The fresh record, found or negative, or NULL. A reference: the caller's to give back. */
struct lookup_record	*lookup_cached(struct lookup_cache *, struct slice key);
/* The same, though it may have expired. */
struct lookup_record	*lookup_peek(struct lookup_cache *, struct slice key);

/* One waiter's place and what it gets: zeroed, a member of the waiting flow's struct. */
struct lookup_waiter {
	struct join_waiter	 waiter;	/* first: the join's list leads back here */
	struct lookup_record	*record;	/* a reference, once the wait is over */
};

/* Puts the record, found or negative, into the waiter. Fails with what the fetch failed with, or
 * with ERR_OVERLOADED. The key is copied. */
enum flow_rc	 lookup_wait(struct flow *, struct lookup_cache *, struct slice key,
		    struct lookup_waiter *) __attribute__((warn_unused_result));
/* Gives back the record, if there is one. For the waiting flow's release(). */
void		 lookup_waiter_clear(struct lookup_waiter *);

/* For all workers. Keeps a record that was learnt in another way, by a reference of its own. */
void		 lookup_put(struct lookup_cache *, struct slice key, struct lookup_record *);
/* Drops what is kept; what is being fetched will not be kept. The key may lie in the record. */
void		 lookup_forget(struct lookup_cache *, struct slice key);
/* It may have changed, and nobody knows: it is fetched anew, from its source alone (is_fenced), and
 * what is being fetched will not be kept. A found record stays for stale use, if there is any. */
void		 lookup_expire(struct lookup_cache *, struct slice key);
/* Changes may have been missed: everything is fetched anew, and what is being fetched will not be
 * kept. Found records stay for stale use, if there is any. */
void		 lookup_forget_all(struct lookup_cache *);

size_t		 lookup_fetching(const struct lookup_cache *);	/* fetches under way */

#endif
