/* SPDX-License-Identifier: MIT */
/*
 * quota_store: the quotas of this process's own store (limit_store.c): under its lock, with the
 * rules of a request.
 */
#ifndef LIMIT_QUOTA_STORE_H
#define LIMIT_QUOTA_STORE_H

#include "limit/quota_rule.h"

struct quota_now {
	uint64_t	mono_us, unix_s;
};

/* Whether something is held. ask->tokens is quota_reserve()'s. */
bool	limit_store_take(struct limit_store *, const struct limit_rule *, unsigned n,
	    const struct quota_request *ask, struct quota_now, struct limit_verdict *,
	    struct quota_verdict *) __attribute__((warn_unused_result));

/* The state as of now; false where the store has none. */
bool	limit_store_state(struct limit_store *, struct slice state_key, const struct quota *,
	    struct quota_now, struct quota_state *);

struct quota_change {
	uint64_t	give_back, used, take, seed;
	bool		ends_stream, seeds;
};
void	limit_store_change(struct limit_store *, struct slice state_key, const struct quota *,
	    struct quota_now, const struct quota_change *);

#endif
