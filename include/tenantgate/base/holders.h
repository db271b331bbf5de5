/* SPDX-License-Identifier: MIT */
/*
 * holders: how many hold something that is shared and does not change, and what ends it when the
 * last has let go: a member of what is held. Any thread.
 */
#ifndef TENANTGATE_BASE_HOLDERS_H
#define TENANTGATE_BASE_HOLDERS_H

#include <stdatomic.h>

struct holders;
typedef void	holders_end_fn(struct holders *);	/* on the thread of the last holder */

struct holders {
	atomic_uint	 count;
	holders_end_fn	*end;
};

/* With one holder: who makes it. */
void	holders_init(struct holders *, holders_end_fn *);
/* One more; who takes has it from one that holds. NULL is fine. */
void	holders_take(struct holders *);
/* One less; what is held may be gone when it returns. NULL is fine. */
void	holders_give(struct holders *);

#endif
