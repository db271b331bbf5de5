/* SPDX-License-Identifier: MIT */
/*
 * usage_tally: what was noted and is in no batch yet, a row for each tenant, day and model; and the
 * batches that are made of it, the oldest rows first. Pure; one thread.
 */
#ifndef USAGE_USAGE_TALLY_H
#define USAGE_USAGE_TALLY_H

#include "tenantgate/base/buf.h"
#include "tenantgate/usage.h"

struct usage_tally;

#define USAGE_BATCH_ROWS 500		/* made in one turn of the loop */
#define USAGE_BATCH_MAX	 (512u << 10)	/* bytes of its JSON: 1 KiB a row */

struct usage_tally	*usage_tally_new(size_t rows_max);
void			 usage_tally_free(struct usage_tally *);
/* False when it is full, or there is no memory: nothing has changed. day: days since 1970. */
bool			 usage_tally_add(struct usage_tally *, const char *tenant,
			    const char *model, uint32_t day, const struct usage_count *)
			    __attribute__((warn_unused_result));
size_t			 usage_tally_rows(const struct usage_tally *);
/* Moves up to USAGE_BATCH_ROWS rows into a JSON array. The buf is empty before; where it fails
 * nothing has moved. */
bool			 usage_tally_take(struct usage_tally *, struct buf *out)
			    __attribute__((warn_unused_result));
/* A day's text. */
void			 usage_day_text(uint32_t day, char out[USAGE_DAY_SIZE]);

#endif
