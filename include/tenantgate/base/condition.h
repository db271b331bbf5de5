/* SPDX-License-Identifier: MIT */
/*
 * condition: how something behind us is at the moment, in words for operators. A room tells it by a
 * function of its own, `<room>_condition(room, struct condition *)`, from what it knows already: no
 * question is asked for it and nothing waits. /readyz shows the conditions.
 *
 * A reason never holds a secret; it is not shown at the public door. Plain values; any thread.
 */
#ifndef TENANTGATE_BASE_CONDITION_H
#define TENANTGATE_BASE_CONDITION_H

#include <stdbool.h>

#define CONDITION_REASON_SIZE 192

struct condition {
	bool	is_ill;
	char	reason[CONDITION_REASON_SIZE];	/* one sentence, UTF-8, no control characters;
						 * empty when not ill */
};

/* Without effect when it is ill already: the first reason is kept. A reason that is too long is
 * cut. */
void	condition_ill(struct condition *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

#endif
