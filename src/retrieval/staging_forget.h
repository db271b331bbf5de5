/* SPDX-License-Identifier: MIT */
/*
 * staging_forget: what is staged goes, chunks and words alike. Postings go with the row of their
 * segment in text_staged; those of a document that is whole have none any more, and stay. Private
 * to retrieval/.
 */
#ifndef TENANTGATE_RETRIEVAL_STAGING_FORGET_H
#define TENANTGATE_RETRIEVAL_STAGING_FORGET_H

#include <stdint.h>

#include "tenantgate/loop/flow.h"
#include "tenantgate/pool.h"
#include "tenantgate/wire/pg.h"
#include "tenantgate/wire/pg_sql.h"

/* Before another statement; `condition` is of a row of either table. */
#define STAGED_WORDS_GO(condition) \
	"WITH staged AS (DELETE FROM public.text_staged WHERE " condition " RETURNING segment)," \
	" words AS (DELETE FROM public.text_posting p USING staged" \
	"  WHERE p.segment" PG_EQUALS "staged.segment)"
#define STAGED_CHUNKS_GO(condition) "DELETE FROM public.chunk_staged WHERE " condition

#define STAGED_AGO_US_SIZE 24 /* bytes of a number of microseconds, as text */

/* As pool_read(), in a database of RETRIEVAL_SCHEMA_TAIL at least; texts are borrowed. */
enum flow_rc	staging_forget_attempt(struct flow *, struct pool_lease *, int schema_version,
		    const char *attempt, struct pg_result *out) __attribute__((warn_unused_result));
/* What was staged longer ago than that. */
enum flow_rc	staging_forget_old(struct flow *, struct pool_lease *, int schema_version,
		    const char *ago_us, struct pg_result *out) __attribute__((warn_unused_result));

#endif
