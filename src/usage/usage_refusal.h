/* SPDX-License-Identifier: MIT */
/*
 * usage_refusal: rows of usage that the catalog refuses for what is in them: which refusals are so,
 * and what is told of those that were dropped.
 */
#ifndef USAGE_USAGE_REFUSAL_H
#define USAGE_USAGE_REFUSAL_H

#include "usage/usage_tally.h"

/* Of one flow. Zeroed. */
struct usage_refusal {
	unsigned		statements, rows;	/* refused; dropped */
	struct usage_count	count;			/* of those rows */
	char			first[USAGE_ROW_TEXT_SIZE], why[160];
};

/* It was refused, and would be each time. */
bool	usage_is_refused(const struct pg_result *);
/* The batch is that row alone: it is forgotten, and counted. */
void	usage_refusal_drop(struct usage_refusal *, struct usage_tally *, const struct pg_result *);
/* One line for all; none where there are none. */
void	usage_refusal_tell(const struct usage_refusal *);

#endif
