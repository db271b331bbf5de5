/* SPDX-License-Identifier: MIT */
/*
 * indexing: keeps the index of each tenant's vectors, beside the requests. Chunks are searchable
 * from their commit on, exactly; past some thousand an index is made of them, what comes later is
 * merged into it or gets a new one, and one whose chunks were deleted is made anew
 * (retrieval/index_rule.c has the sizes). No request waits for any of it.
 *
 * Once a tenant, over all replicas, by a lease in its database; a few tenants at a time in a
 * process, and whose turn it is the budget decides (loop/share.h). Each step begins with what the
 * database says, and leaves it right: a process may be killed anywhere.
 */
#ifndef TENANTGATE_RETRIEVAL_INDEXING_H
#define TENANTGATE_RETRIEVAL_INDEXING_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/pool.h"
#include "tenantgate/base/language.h"

struct index_conf {
	unsigned parallel_max; /* tenants at a time, whole process */
	size_t	 memory_max;   /* bytes of a database server's memory that one build may take,
				* unless the server's own maintenance_work_mem is more */
};
void	index_conf_init(struct index_conf *);

struct indexing;

/* One per process, opened before the workers, closed after them. */
struct indexing	*indexing_open(const struct index_conf *);
/* For what begins from now on. Any thread. */
void		 indexing_configure(struct indexing *, const struct index_conf *);
void		 indexing_close(struct indexing *); /* NULL is fine */

/*
 * Looks whether the tenant's index has something to be done, and does it, in the background, with
 * copies of all but the pools; before that it keeps the words of documents that have none, by
 * `language` where they say none. has_changed: chunks were stored or
 * deleted just now; else this is done once a minute at the most. The database is of
 * RETRIEVAL_SCHEMA_TAIL at least, and awake. Logs its own failure, after which it is left alone for
 * a while. A worker's thread.
 */
void		 indexing_look(struct worker *, struct indexing *, struct pools *,
		    const struct pool_target *, const char *tenant, int schema_version,
		    enum language language, bool has_changed);
/* Whether the above would look: cheap, for whoever has to make the target. Any thread. */
bool		 indexing_is_due(struct indexing *, const char *tenant, bool has_changed);
/* Of tenants whose index is worked on; borrowed. */
struct share_budget	*indexing_budget(const struct indexing *);

#endif
