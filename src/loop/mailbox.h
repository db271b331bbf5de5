/* SPDX-License-Identifier: MIT */
/*
 * mailbox: tasks from any thread to one. A locked list and an eventfd: the poster who finds the
 * list empty rings, so a burst of tasks rings once. The reader takes the whole list.
 */
#ifndef TENANTGATE_LOOP_MAILBOX_H
#define TENANTGATE_LOOP_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "tenantgate/loop/worker.h"

/* First in, first out. */
struct task_list {
	struct task	 *first;
	struct task	**last;
};

struct mailbox {
	pthread_mutex_t		lock;
	struct task_list	tasks;		/* under lock */
	int			wakeup_fd;	/* eventfd, readable when there may be tasks */
};

void	task_list_init(struct task_list *);
bool	task_list_empty(const struct task_list *);
void	task_list_add(struct task_list *, struct task *, worker_fn *, void *arg);
/* Runs what is there now; what is added meanwhile stays for the next time. */
void	task_list_run(struct task_list *);

bool	mailbox_init(struct mailbox *);		/* false without a descriptor (errno) */
void	mailbox_free(struct mailbox *);		/* must be empty */
/* Any thread. */
void	mailbox_post(struct mailbox *, struct task *, worker_fn *, void *arg);
bool	mailbox_empty(struct mailbox *);
void	mailbox_run(struct mailbox *);		/* the reader's thread */

#endif
