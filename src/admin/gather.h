/* SPDX-License-Identifier: MIT */
/*
 * gather: a function run on every worker's thread, each with a piece of memory of its own, and a
 * flow that waits until all have: for what only a worker may look at.
 */
#ifndef ADMIN_GATHER_H
#define ADMIN_GATHER_H

#include "tenantgate/admin.h"

/* On the worker's thread, in a turn of its loop: brief. True where more is to be done, in the next
 * turn. piece: zeroed, of this worker alone. */
typedef bool gather_fn(struct worker *, void *piece);

struct gather;
/* Asks every worker. NULL without memory. */
struct gather	*gather_start(const struct admin_context *, size_t piece_size, gather_fn *);
/* Waits until all have answered; the flow's deadline bounds it. The timer is the caller's memory,
 * zeroed before. Steps of the same flow that call this run until it returns FLOW_NEXT. */
enum flow_rc	 gather_wait(struct flow *, struct gather *, struct timer *)
		    __attribute__((warn_unused_result));
unsigned	 gather_count(const struct gather *);	/* of pieces */
void		*gather_piece(struct gather *, unsigned);	/* once gather_wait() is over */
/* Idempotent; a worker that has not answered yet keeps the memory until it has. NULL is fine. */
void		 gather_free(struct gather *);

#endif
