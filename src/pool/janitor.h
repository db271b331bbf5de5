/* SPDX-License-Identifier: MIT */
/* janitor: its beginning, and the end of its rests. */
#ifndef POOL_JANITOR_H
#define POOL_JANITOR_H

#include "pool/pool_internal.h"

/* Worker 0's thread, not under the lock. */
void		 janitor_open(struct pools *, struct worker *);
/* Under the lock, before it is released: the worker to which the end of a rest is to be posted
 * afterwards, for somebody waits; NULL: none. */
struct worker	*janitor_claim(struct pools *);
void		 janitor_post(struct pools *, struct worker *);	/* not under the lock */

#endif
