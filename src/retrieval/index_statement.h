/* SPDX-License-Identifier: MIT */
/*
 * index_statement: the statements by which a tenant's index is kept, one for each action of the
 * rule, and those around them. Each is safe to be repeated, and to be cut off.
 */
#ifndef RETRIEVAL_INDEX_STATEMENT_H
#define RETRIEVAL_INDEX_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "retrieval/index_rule.h"
#include "tenantgate/wire/pg_sql.h"

/* SQL: until when the lease is taken, or kept. */
#define INDEX_LEASE "(" PG_NOW PG_PLUS "interval '60 seconds')"

#define INDEX_MERGE_ROWS 50 /* locked together, for some tenths of a second */

/* What the queries borrow from: the caller's, unchanged until the statement has ended. */
struct index_order {
	const char *merger;			  /* the lease's holder */
	const struct index_state *state;
	const struct index_decision *decision;
	const struct index_kind *kind;
	size_t memory_max;			  /* bytes, of a build */
	struct buf *sql;
	char numbers[3][24];			  /* parameters as text */
	char qualified[sizeof("public.") + INDEX_NAME_SIZE];
};

/* Takes the lease, or keeps it: changes no row while another has it. */
struct pg_query	index_claim_query(const struct index_order *);
struct pg_query	index_release_query(const struct index_order *);
/* Of the session, for INDEX_BUILD and INDEX_DROP, or of the table, where there is none. sql NULL:
 * nothing is to be set. */
struct pg_query	index_settings_query(struct index_order *, bool has_session);
/* The decision's. sql NULL: there was no memory for it. */
struct pg_query	index_action_query(struct index_order *);
/* INDEX_SKETCH has done what it can for now: all, or others are storing or deleting chunks. */
bool		index_sketches_rest(const struct index_order *, const struct pg_result *);
/* A line of what was done, in so many microseconds, with its result (index_log.c). */
void		index_log(const struct index_order *, const char *tenant, uint64_t us,
		    const struct pg_result *);

#endif
