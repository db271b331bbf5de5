/* SPDX-License-Identifier: MIT */
/*
 * mailbox: letters from any thread to one. A locked list and an eventfd: the poster who finds the
 * list empty rings, so a burst of letters rings once. The reader takes the whole list.
 */
#ifndef TENANTGATE_LOOP_MAILBOX_H
#define TENANTGATE_LOOP_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "tenantgate/loop/worker.h"

/* First in, first out. */
struct letter_list {
	struct letter	 *first;
	struct letter	**last;
};

struct mailbox {
	pthread_mutex_t		lock;
	struct letter_list	letters;	/* under lock */
	int			bell;		/* eventfd, readable when there may be letters */
};

void	letter_list_init(struct letter_list *);
bool	letter_list_empty(const struct letter_list *);
void	letter_list_add(struct letter_list *, struct letter *, worker_fn *, void *arg);
/* Runs what is there now; what is added meanwhile stays for the next time. */
void	letter_list_run(struct letter_list *);

bool	mailbox_init(struct mailbox *);		/* false without a descriptor (errno) */
void	mailbox_free(struct mailbox *);		/* must be empty */
/* Any thread. */
void	mailbox_post(struct mailbox *, struct letter *, worker_fn *, void *arg);
bool	mailbox_empty(struct mailbox *);
void	mailbox_run(struct mailbox *);		/* the reader's thread */

#endif
