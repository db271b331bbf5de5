/* SPDX-License-Identifier: MIT */
/*
 * reload: reads the configuration anew while the process serves, by SIGHUP or by the admin door
 * (POST /admin/reload):
 *
 *	[read] --errors--> refused: nothing is changed
 *	   \--fine--> what needs a restart stays --> [process] --> [each worker] --> the newest
 *
 * All or nothing: what can fail is done before the first room hears of it, and the rooms' own
 * configure functions cannot fail. On the main thread, which may wait for files and workers.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include <pthread.h>
#include <signal.h>

#include "worker_context.h"

struct reload {
	const char		*path;		/* borrowed: of the file */
	struct process		*process;	/* borrowed; its snapshot is the newest */
	uint64_t		 count;		/* that were applied */
	pthread_mutex_t		 lock;
	struct admin_reload	*asked;		/* owned, under the lock: who waits for the next */
};

/* Before the workers. */
void	reload_open(struct reload *, const char *path, struct process *);
/* When the workers are gone; who still waits is left without an answer. */
void	reload_close(struct reload *);

/* Reads and applies once, for all who have asked until now. by_signal: also when none has, or all
 * of them only wish to know what it would do. */
void	reload_run(struct reload *, struct worker_context *contexts, unsigned count,
	    bool by_signal);
/* What wakes the main thread for those who ask; nobody else sends it. */
#define RELOAD_SIGNAL	SIGRTMIN
/* admin_reload_fn, with the struct reload: any thread. */
admin_reload_fn	reload_ask;

#endif
