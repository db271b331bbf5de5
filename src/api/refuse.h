/* SPDX-License-Identifier: MIT */
/*
 * refuse: the end of a request whose key is not valid. The request's worker.
 */
#ifndef API_REFUSE_H
#define API_REFUSE_H

#include "api/request.h"

/* Fails with ERR_UNAUTHENTICATED: at once, or after a while when the client's network has sent more
 * such requests than auth_failures_per_minute; with ERR_RATE_LIMITED when too many are held back
 * already. */
enum flow_rc	request_refuse(struct flow *) __attribute__((warn_unused_result));

/* Counts a failure of this network. By how many it is over the rate (1 or more a minute) now, at
 * most the rate itself; 0: it is within. Any thread. */
unsigned	refusals_over(struct limit_store *, struct slice network, unsigned per_minute,
		    uint64_t now_us);

#endif
