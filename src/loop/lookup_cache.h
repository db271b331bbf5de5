/* SPDX-License-Identifier: MIT */
/* lookup_cache: one worker's side of a store of records. Private to lookup.c. */
#ifndef LOOP_LOOKUP_CACHE_H
#define LOOP_LOOKUP_CACHE_H

#include "tenantgate/loop/lookup.h"

struct lookup_cache {
	struct worker *worker; /* borrowed */
	struct lookup_conf conf;
	struct lookup_store *store; /* borrowed */
	struct lookup_store *own;   /* owned: the same, when no other worker shares it */
	struct map *flights;	    /* owned: key -> lookup_flight, borrowed */
	size_t fetching;	    /* flights in all, superseded ones among them */
};

#endif
