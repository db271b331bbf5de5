/* SPDX-License-Identifier: MIT */
/*
 * index_view: how far a tenant's index of vectors is, for operators. The worker's thread.
 */
#ifndef TENANTGATE_RETRIEVAL_INDEX_VIEW_H
#define TENANTGATE_RETRIEVAL_INDEX_VIEW_H

#include <stdbool.h>

#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"

#define INDEX_VIEW_BEHIND_MAX 100000	/* chunks behind are counted no further */

struct index_view {
	char	name[64];	/* of the index; "": there is none (yet) */
	long	chunks;		/* of all documents */
	long	behind;		/* that the index does not cover; found exactly beside it */
	char	model[128];	/* that made the vectors; "": none is stored */
	long	dimensions;	/* 0: likewise */
};

/* In a database of RETRIEVAL_SCHEMA_TAIL or later. Wakes as pool_read(); the result is for
 * index_view_parse(), and the caller's to pg_clear(). */
enum flow_rc	index_view_read(struct flow *, struct pool_lease *, struct pg_result *out)
		    __attribute__((warn_unused_result));
/* False when the statement has failed or found nothing. */
bool		index_view_parse(const struct pg_result *, struct index_view *);

#endif
