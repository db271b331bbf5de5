/* SPDX-License-Identifier: MIT */
/*
 * mailbox: a queue of tasks from any thread to one worker: a list under a mutex, and an eventfd
 * that the worker's loop watches.
 *
 * Only the poster who finds the list empty writes to the eventfd, so a burst of tasks costs one
 * system call and one wakeup. The reader takes the whole list at once. Tasks run in the order in
 * which they were posted.
 */
#ifndef TENANTGATE_LOOP_MAILBOX_H
#define TENANTGATE_LOOP_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "tenantgate/loop/worker.h"

/* First in, first out. Linked through the tasks themselves, which are their posters' memory, so
 * that posting allocates nothing and cannot fail. */
struct task_list {
	struct task	 *first;	/* borrowed; NULL when empty */
	struct task	**last;		/* where the next one is linked in */
};

struct mailbox {
	pthread_mutex_t		lock;
	struct task_list	tasks;		/* under lock */
	int			wakeup_fd;	/* owned: eventfd, readable when tasks wait */
};

/* Without a lock: for lists that one thread has to itself. */
void	task_list_init(struct task_list *);
bool	task_list_empty(const struct task_list *);
void	task_list_add(struct task_list *, struct task *, worker_fn *, void *arg);
/* Runs what is there now. What the tasks add meanwhile stays for the next time, so that tasks which
 * add themselves again do not keep the loop from its sockets. */
void	task_list_run(struct task_list *);

bool	mailbox_init(struct mailbox *);		/* false without a descriptor (errno) */
void	mailbox_free(struct mailbox *);		/* must be empty */
/* Any thread. The task is in one list at a time, and its poster's again from the call of fn. */
void	mailbox_post(struct mailbox *, struct task *, worker_fn *, void *arg);
bool	mailbox_empty(struct mailbox *);
/* The reader's thread, when wakeup_fd is readable: runs the tasks that have been posted so far. */
void	mailbox_run(struct mailbox *);

#endif
