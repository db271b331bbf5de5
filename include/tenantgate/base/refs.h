/* SPDX-License-Identifier: MIT */
/*
 * refs: counts who holds something that is shared and does not change, and ends it when the last
 * has let go. A member of what is held. Any thread.
 */
#ifndef TENANTGATE_BASE_REFS_H
#define TENANTGATE_BASE_REFS_H

#include <stdatomic.h>

struct refs;
typedef void	refs_end_fn(struct refs *);	/* on the thread of the last */

struct refs {
	atomic_uint	 count;
	refs_end_fn	*end;
};

/* With one reference: of who makes it. */
void	refs_init(struct refs *, refs_end_fn *);
/* One more; who takes it has the thing from one that holds it. NULL is fine. */
void	refs_take(struct refs *);
/* One less; what was held may be gone when it returns. NULL is fine. */
void	refs_give(struct refs *);

#endif
