/* SPDX-License-Identifier: MIT */
/*
 * serve_internal: what the files of serve share. Main thread only.
 *
 *	serve.c			the phases, in order
 *	serve_workers.c		the workers, from the first thread to the last
 *	serve_signal.c		what the main thread waits for: signals, a successor
 */
#ifndef SERVE_INTERNAL_H
#define SERVE_INTERNAL_H

#include "reload.h"
#include "takeover.h"

#define TICK_US 20000ull /* how often it is looked whether something is over */

struct service {
	struct process		process;
	struct reload		reload;
	struct worker_context	*contexts;	/* owned: `count` of them */
	unsigned		count;
	_Atomic int		exit_status;	/* written by the first worker too */
	int			signals;	/* owned: a signalfd(2) of those that are blocked */
	struct takeover		takeover;	/* the socket at which successors ask */
	bool			is_succeeded;	/* a successor accepts in our place */
};

/* serve_workers.c */
void	each_context(struct service *, worker_call_fn *);	/* without an argument */
/* False with err set: `count` then counts the workers that contexts_close() has to end, the
 * half-open one too. */
bool	contexts_open(struct service *, struct err *);
void	contexts_close(struct service *);
void	contexts_abort_flows(struct service *);	/* what is under way ends at its loop's next turn */

/* serve_signal.c */
/* Before the first thread is made. False with err set. */
bool	signals_open(struct service *, struct err *);
/* Waits for TERM, INT or QUIT and returns it, or 0 when `us` have passed. A successor that is ready
 * counts as INT: it accepts already, so there is no delay. HUP, USR1 and what asks for a reload are
 * done on the way. */
int	signal_wait(struct service *, uint64_t us);

#endif
