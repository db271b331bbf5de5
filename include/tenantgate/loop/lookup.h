/* SPDX-License-Identifier: MIT */
/*
 * lookup: a cache of records that are expensive to fetch (a tenant, a key), with one fetch a key
 * under way at a time (single flight). Found and not-found records are kept apart, each for a time
 * of its own (negative caching) and up to a ceiling, so that invented keys do not push out the
 * records of true ones. A failed fetch keeps nothing, and may leave an expired record in use for a
 * while (stale-if-error, RFC 5861 section 4).
 *
 *	lookup_wait:  kept and fresh? --> FLOW_NEXT
 *	                   | no
 *	                   v
 *	      [wait] on the fetch of that key, started by the first --> waiter->record, or a failure
 *
 *	fetch:  the owner's steps --> kept, waiters woken
 *	                |
 *	                +-- failed --> the stale record if it may still be used, else the reason
 *
 * What always holds:
 *  - When a key is forgotten or replaced (lookup_forget, lookup_put) while its fetch is under way,
 *    that fetch is superseded: it may have read the old row, so what it brings is given to those
 *    who waited already, but is not kept; whoever comes after starts a new fetch.
 *  - A waiter that is aborted only leaves: the fetch goes on, for the cache wants its record.
 *
 * A struct lookup_cache is one worker's, and its thread's only. Times are monotonic microseconds.
 */
#ifndef TENANTGATE_LOOP_LOOKUP_H
#define TENANTGATE_LOOP_LOOKUP_H

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

/* The first member of the owner's record. Counted references are held by the cache, the fetch that
 * fills it and those who waited for it. Once the fetch is over, nobody writes the record. */
struct lookup_record {
	unsigned		 refs;
	bool			 is_negative;	/* set by the owner's fetch: there is none */
	uint64_t		 expires_us;	/* when it is fetched anew; 0: never was kept */
	uint64_t		 usable_until_us;	/* the end of its stale use */
	lookup_free_fn		*free;		/* called when the last reference is gone */
};

/* The caller has one reference. */
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
	/* The key was forgotten or replaced meanwhile: the owner must not publish the record either
	 * (to Redis), where it would bring the old row back. */
	bool			 is_superseded;
};

struct lookup_conf {
	const char	*noun;		/* borrowed: "tenant", in the sentences of failures */
	uint64_t	 ttl_us;	/* a found record is fresh for so long */
	uint64_t	 negative_ttl_us;	/* and one that says "not found" */
	/* A found record stays in use for that long after its ttl when the fetch fails; 0: not. */
	uint64_t	 stale_us;
	uint64_t	 retry_us;	/* in stale use: the least time between two fetches */
	size_t		 records_max;	/* found; as many not found. The least recently used go */
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

/* The fresh record, found or negative, or NULL. Borrowed: until the next call on this cache, or the
 * caller's next wait. */
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

/* Keeps a record that was learnt in another way, by a reference of the cache's own. */
void		 lookup_put(struct lookup_cache *, struct slice key, struct lookup_record *);
/* Drops what is kept; what is being fetched will not be kept. The key may lie in the record. */
void		 lookup_forget(struct lookup_cache *, struct slice key);
void		 lookup_forget_all(struct lookup_cache *);

size_t		 lookup_fetching(const struct lookup_cache *);	/* fetches under way */

#endif
