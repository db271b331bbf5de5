/* SPDX-License-Identifier: MIT */
/*
 * removal_claim: that a project of Neon's is about to be deleted as an orphan, said in the catalog
 * where whoever would have it for a tenant must write: its row of public.vector_databases, which is
 * one a project. So of a removal and an adoption of the same moment (or an attempt that has found
 * the project by its name) the database lets one in.
 *
 * A claim is the row of a user that no tenant can be: "removing/<project>". It goes when Neon has
 * answered. One that a killed process or a lost answer has left is taken over by the next removal,
 * and is over after an hour, when no deletion can still be under way. On a worker's thread; strings
 * are borrowed until the wait is over, *out is the caller's to pg_clear(). They wake plainly, for
 * catalog_check().
 */
#ifndef TENANT_REMOVAL_CLAIM_H
#define TENANT_REMOVAL_CLAIM_H

#include "tenantgate/catalog.h"

/* As SQL: the claim's user, of the project in $1. */
#define REMOVAL_USER "('removing/' OPERATOR(pg_catalog.||) $1::pg_catalog.text)"

/* A row: the claim is ours. None: the project has a tenant, or may have one in a moment. tenant:
 * whose it says it is. */
enum flow_rc	removal_claim_take(struct flow *, struct catalog *, const char *project,
		    const char *tenant, struct pg_result *out)
		    __attribute__((warn_unused_result));
enum flow_rc	removal_claim_drop(struct flow *, struct catalog *, const char *project,
		    struct pg_result *out) __attribute__((warn_unused_result));
/* Takes one away that is over: before a project that has been found is written into a tenant's
 * row. */
enum flow_rc	removal_claim_expire(struct flow *, struct catalog *, const char *project,
		    struct pg_result *out) __attribute__((warn_unused_result));

#endif
