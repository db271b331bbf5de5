/* SPDX-License-Identifier: MIT */
/*
 * upkeep: what keeps the catalog's list of a tenant's documents right, beside the requests that
 * change it: reconciliation of what was left half-way, comparison of all of it, and documents that
 * go by themselves.
 */
#ifndef TENANTGATE_RETRIEVAL_UPKEEP_H
#define TENANTGATE_RETRIEVAL_UPKEEP_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/catalog.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"

/* Rows that have been 'ingesting' for `stale_us` or longer, or are 'deleting' (of one document,
 * unless `only` is ""), become what the tenant's database says; what is deleted goes from there.
 * Runs in the background, with copies of all it is given; logs its own failure. schema_version, as
 * below: of the tenant's record. */
void		documents_reconcile(struct worker *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, int schema_version,
		    const char *only, uint64_t stale_us);

/* Compares all of the tenant's list with its database, both ways, a page at a time, and mends the
 * list (retrieval/sweep.c), and of owners and times the database, unless a replica has begun to do
 * so within the interval. `running`: how many are under way in this process, DOCUMENTS_SWEEPS_MAX
 * at most; borrowed until the end. False: none was started. In the background, with copies of all
 * else; logs its own failure. */
#define DOCUMENTS_SWEEPS_MAX	4
bool		documents_sweep(struct worker *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, int schema_version,
		    uint64_t interval_us, atomic_uint *running) __attribute__((warn_unused_result));

/* Which documents are in the tenant's database and not in the list, and the other way round. All is
 * borrowed until the wait is over, the lists (JSON arrays, the caller's) too: they have the ids of
 * the first DOCUMENTS_SHOWN. Fails as pool_borrow() and catalog_run() do. */
#define DOCUMENTS_SHOWN 1000
struct documents_difference {
	unsigned	 unlisted_count, unstored_count;
	json_t		*unlisted, *unstored;
};
enum flow_rc	documents_compare(struct flow *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, struct documents_difference *)
		    __attribute__((warn_unused_result));

/* A page of documents of an application's own catalog into the list: source, position before and
 * after it, and the rows as JSON (tenantgate/tenant/app_catalog.h, struct app_page). As
 * catalog_run(); gives what app_copy_users() gives. */
struct documents_adoption {
	const char *source, *from, *to, *json;
};
enum flow_rc	documents_adopt(struct flow *, struct catalog *,
		    const struct documents_adoption *, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* Documents whose time is over are deleted. look_us: for the question to the catalog whether there
 * are any. *next_us: until the next one's is, UINT64_MAX for none. A failure is in *why, not the
 * flow's. All is borrowed until the wait is over. */
enum flow_rc	documents_expire(struct flow *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, uint64_t look_us,
		    uint64_t *next_us, struct err *why) __attribute__((warn_unused_result));

#endif
