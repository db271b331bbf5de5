/* SPDX-License-Identifier: MIT */
/*
 * row_wish: the statements on a tenant's row by which Neon is given what is wished
 * (tenant_wish.c). Each write names the attempt that has the row's neon lease, and changes nothing
 * when another has it. All wake plainly; borrow until the wait is over; may be repeated.
 */
#ifndef TENANT_ROW_WISH_H
#define TENANT_ROW_WISH_H

#include "tenant/row.h"

struct row_wish {
	const char *id, *attempt; /* borrowed */
	char lease_ms[24];	  /* decimal */
};

/* A ready tenant of Neon's with something pending, whose lease is over: takes it. A row with
 * project_id, endpoint_id, neon_wished, neon_applied, neon_tries; none: there is nothing to do. */
enum flow_rc row_wish_claim(struct flow *, struct catalog *, const struct row_wish *,
    struct pg_result *) __attribute__((warn_unused_result));
/* What Neon is known to have by now. */
enum flow_rc row_wish_note(struct flow *, struct catalog *, const struct row_wish *,
    const char *applied, struct pg_result *) __attribute__((warn_unused_result));
/* Gives the lease back. Where the wish is still what was asked for, what was held with it holds: a
 * row with whether that was so. */
enum flow_rc row_wish_settle(struct flow *, struct catalog *, const struct row_wish *,
    const char *wished, struct pg_result *) __attribute__((warn_unused_result));
/* Neon refused: the wish, if it is still that, becomes back (or what it was before, where that is
 * known), and nothing is held any more. Gives the lease back. */
enum flow_rc row_wish_refuse(struct flow *, struct catalog *, const struct row_wish *,
    const char *wished, const char *back, const char *why, struct pg_result *)
    __attribute__((warn_unused_result));
/* It failed for now: nobody tries for wait_s (decimal) seconds. */
enum flow_rc row_wish_fail(struct flow *, struct catalog *, const struct row_wish *,
    const char *wait_s, const char *why, struct pg_result *) __attribute__((warn_unused_result));

/* Ids of tenants for which something is to be done now, WISH_PAGE at most. */
#define WISH_PAGE 50
enum flow_rc row_wish_list(struct flow *, struct catalog *, struct pg_result *)
    __attribute__((warn_unused_result));

#endif
