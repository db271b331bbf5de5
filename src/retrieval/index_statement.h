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

/* What has come of INDEX_SKETCH, within one run of steps. All 0: it was not tried. */
struct sketch_try {
	/* Another step: others store or delete chunks, or all is done. */
	bool	others_first;
	int64_t	tried_behind, tried_from; /* indexed_to, sketched_to when nothing came of it */
};
/* True: this was such a step, and others come first, whatever the result's status. */
bool		sketch_try_note(struct sketch_try *, const struct index_order *,
		    const struct pg_result *);
/* Before a decision: what is not to be tried is not decided for. */
void		sketch_try_apply(const struct sketch_try *, struct index_state *);

/* A line of what was done, in so many microseconds, with its result (index_log.c). */
void		index_log(const struct index_order *, const char *tenant, uint64_t us,
		    const struct pg_result *);

#endif
