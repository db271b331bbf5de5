/* SPDX-License-Identifier: MIT */
/*
 * staging_forget: what is staged goes, chunks and words alike. Postings go with the row of their
 * segment in text_staged; those of a document that is whole have none any more, and stay. Private
 * to retrieval/.
 *
 * A statement takes the words of STAGED_SEGMENTS_MAX segments at most, some seconds' work; what is
 * left is seen by no search, and goes with whoever comes next.
 */
#ifndef TENANTGATE_RETRIEVAL_STAGING_FORGET_H
#define TENANTGATE_RETRIEVAL_STAGING_FORGET_H

#include <stdbool.h>

#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"
#include "tenantgate/wire/pg.h"
#include "tenantgate/wire/pg_sql.h"

#define STAGED_SEGMENTS_MAX "250" /* of 128 chunks */

/* Before another statement; `condition` is of a row of either table. */
#define STAGED_WORDS_GO(condition) \
	"WITH staged AS (DELETE FROM public.text_staged WHERE segment" PG_EQUALS \
	"  ANY (ARRAY(SELECT segment FROM public.text_staged WHERE " condition \
	"   LIMIT " STAGED_SEGMENTS_MAX ")) RETURNING segment)," \
	" words AS (DELETE FROM public.text_posting p USING staged" \
	"  WHERE p.segment" PG_EQUALS "staged.segment)"
#define STAGED_CHUNKS_GO(condition) "DELETE FROM public.chunk_staged WHERE " condition

#define STAGED_OF_ATTEMPT	"attempt" PG_EQUALS "$1"
#define STAGED_AGO \
	"staged_at" PG_AT_MOST \
	"(" PG_NOW PG_MINUS "($1::bigint" PG_TIMES "interval '1 microsecond'))"
#define STAGED_AGO_US_SIZE 24 /* bytes of a number of microseconds, as text */

/* As pool_read(), in a database of RETRIEVAL_SCHEMA_TAIL at least; texts are borrowed. */
enum flow_rc	staging_forget_attempt(struct flow *, struct pool_lease *, int schema_version,
		    const char *attempt, struct pg_result *out) __attribute__((warn_unused_result));
/* Of the above's result: whether there may be more. */
bool		staging_forgets_more(const struct pg_result *);
/* What was staged longer ago than that. */
enum flow_rc	staging_forget_old(struct flow *, struct pool_lease *, int schema_version,
		    const char *ago_us, struct pg_result *out) __attribute__((warn_unused_result));

/* Their SQL where there are words, too (text_keep.c). */
extern const char staging_forget_statement[], staging_forget_old_statement[];

#endif
