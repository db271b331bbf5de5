/* SPDX-License-Identifier: MIT */
/*
 * lookup: records that are expensive to fetch, kept by key. One fetch a key is under way at a time
 * (single flight); found and not-found records are kept apart, each for its own time (negative
 * caching) and up to a ceiling; a failed fetch keeps nothing, and may leave an expired record in
 * use for a while (stale-if-error).
 *
 *	lookup_wait:  kept and fresh? --> FLOW_NEXT
 *	                   | no
 *	                   v
 *	      [wait] on the fetch of that key, started by the first --> seat->record, or its failure
 *
 *	fetch:  the owner's steps --> kept, waiters woken
 *	                |
 *	                +-- failed --> the stale record if it may still be used, else its reason
 *
 * What always holds: a record that was forgotten or replaced (lookup_forget, lookup_put) while its
 * fetch was under way is not kept from that fetch: those who came before get it, whoever comes
 * after starts a new one. Leaving only unlinks: the fetch goes on when everybody has left.
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

/* The first member of the owner's record. Shared by the cache, the fetch that fills it and those
 * who waited for it: whoever holds a reference only reads it once the fetch is over. */
struct lookup_record {
	unsigned		 refs;
	bool			 is_negative;	/* the owner's fetch: there is no such thing */
	uint64_t		 expires_us;	/* when it is fetched anew; 0: never was kept */
	uint64_t		 usable_until_us;	/* the end of its stale use */
	lookup_free_fn		*free;		/* the last reference is gone */
};

/* One reference, the caller's. */
void			 lookup_record_init(struct lookup_record *, lookup_free_fn *);
struct lookup_record	*lookup_ref(struct lookup_record *);
void			 lookup_unref(struct lookup_record *);	/* NULL: nothing */

/* The first member of the owner's fetch: zeroed memory of conf.fetch_size bytes, the cache's. Its
 * steps fill the record (and set is_negative) or fail; what the fetch owns is cleared in its
 * kind's end(). The kind has no release(). */
struct lookup_fetch {
	struct flow		 flow;
	void			*owner;		/* conf.owner */
	struct lookup_record	*record;	/* made by conf.record_new */
	bool			 is_superseded;	/* forgotten or replaced meanwhile: tell nobody */
};

struct lookup_conf {
	const char	*noun;		/* borrowed: "tenant", in the sentences of failures */
	uint64_t	 ttl_us;
	uint64_t	 negative_ttl_us;
	/* A found record stays in use for that long after its time when the fetch fails; 0: not. */
	uint64_t	 stale_us;
	uint64_t	 retry_us;	/* stale: the next fetch comes no earlier than that */
	size_t		 records_max;	/* found; as many not found. The least recently used go */
	size_t		 fetches_max;	/* under way at once; more fail with ERR_OVERLOADED */
	uint64_t	 deadline_us;	/* of one fetch; 0: none */
	enum err_code	 timeout_code;	/* what a fetch that timed out (ERR_TIMEOUT) fails with */
	const struct flow_kind	*fetch_kind;	/* borrowed: static */
	size_t		 fetch_size;	/* of the struct that begins with a struct lookup_fetch */
	struct lookup_record	*(*record_new)(struct slice key);	/* NULL: no memory */
	void		*owner;		/* borrowed */
};

/* conf is copied. The worker outlives the cache; its flows have ended before lookup_close(). */
struct lookup_cache	*lookup_open(struct worker *, const struct lookup_conf *);
void			 lookup_close(struct lookup_cache *);

/* The fresh record, found or negative, or NULL. Borrowed: until the next call of this door. */
struct lookup_record	*lookup_cached(struct lookup_cache *, struct slice key);
/* The same, though its time may be over. */
struct lookup_record	*lookup_peek(struct lookup_cache *, struct slice key);

/* One waiter's place and what it gets; zeroed, in the waiting flow's struct. */
struct lookup_waiter {
	struct join_waiter	 waiter;
	struct lookup_record	*record;	/* a reference, once the wait is over */
};

/* Fails with what the fetch failed with, or ERR_OVERLOADED. The key is copied. */
enum flow_rc	 lookup_wait(struct flow *, struct lookup_cache *, struct slice key,
		    struct lookup_waiter *) __attribute__((warn_unused_result));
/* Drops the record, if there is one; in the waiting flow's release(). */
void		 lookup_waiter_clear(struct lookup_waiter *);

/* A record that was learnt in another way: kept (by a reference of its own) from now on. */
void		 lookup_put(struct lookup_cache *, struct slice key, struct lookup_record *);
/* What is kept is dropped, what is under way will not be kept. The key may be the record's own. */
void		 lookup_forget(struct lookup_cache *, struct slice key);
void		 lookup_forget_all(struct lookup_cache *);

size_t		 lookup_fetching(const struct lookup_cache *);	/* fetches under way */

#endif
