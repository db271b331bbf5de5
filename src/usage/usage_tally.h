/* SPDX-License-Identifier: MIT */
/*
 * usage_tally: what was noted and is in no batch yet, a row for each tenant, day and model; and the
 * batches that are made of it, the oldest rows first. Pure; one thread.
 */
#ifndef USAGE_USAGE_TALLY_H
#define USAGE_USAGE_TALLY_H

#include "tenantgate/base/buf.h"
#include "tenantgate/base/id.h"
#include "tenantgate/usage.h"

struct usage_tally;

#define USAGE_BATCH_ROWS 500		/* made in one turn of the loop */
#define USAGE_BATCH_MAX	 (512u << 10)	/* bytes of its JSON */

struct usage_tally	*usage_tally_new(size_t rows_max);
void			 usage_tally_free(struct usage_tally *);
/* False when it is full, or there is no memory: nothing has changed. day: days since 1970. */
bool			 usage_tally_add(struct usage_tally *, const char *tenant,
			    const char *model, uint32_t day, const struct usage_count *)
			    __attribute__((warn_unused_result));
size_t			 usage_tally_rows(const struct usage_tally *);
/*
 * Makes a batch of the oldest rows, rows_max at most, and of USAGE_BATCH_MAX bytes: a JSON array.
 * There is none before; the buf is empty. It is kept until its fate is known, and its rows are not
 * usage_tally_rows() meanwhile. Where it fails (no memory) nothing has changed.
 */
bool			 usage_tally_take(struct usage_tally *, size_t rows_max, struct buf *out)
			    __attribute__((warn_unused_result));
size_t			 usage_tally_taken(const struct usage_tally *);	/* rows of the batch */
/* It is written, or given up: what is forgotten is added to *lost, where that is not NULL. */
void			 usage_tally_forget(struct usage_tally *, struct usage_count *lost);
/* It is known not to be written: its rows are the oldest again, with what was noted since. What
 * there is no memory for is added to *lost. */
void			 usage_tally_return(struct usage_tally *, struct usage_count *lost);
/* The batch's first row; "tenant, day, model", for a log. */
#define USAGE_ROW_TEXT_SIZE (TENANT_ID_MAX + USAGE_DAY_SIZE + USAGE_MODEL_MAX + 8)
void			 usage_tally_name(const struct usage_tally *,
			    char out[USAGE_ROW_TEXT_SIZE]);
/* No sum of tokens is more: what a server says may be any number. */
#define USAGE_SUM_MAX 1000000000000000ull
/* A day's text. */
void			 usage_day_text(uint32_t day, char out[USAGE_DAY_SIZE]);

#endif
