/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c: posting tasks to another thread, and running them there.
 *
 * What always holds: when the list is not empty, the eventfd is readable, or the poster who found
 * the list empty is about to make it so; so no task is left lying. The lock is held for a few
 * instructions, never while a task runs or during a system call.
 */
#include "loop/mailbox.h"

#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

void
task_list_init(struct task_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

bool
task_list_empty(const struct task_list *list)
{
	return list->first == NULL;
}

void
task_list_add(struct task_list *list, struct task *task, worker_fn *fn, void *arg)
{
	task->next = NULL;
	task->fn = fn;
	task->arg = arg;
	*list->last = task;
	list->last = &task->next;
}

/* A task belongs to its poster again from the moment its fn is called: fn may free the struct that
 * it is in, or post it again. So the link is read before the call. */
static void
tasks_run(struct task *task)
{
	while (task != NULL) {
		struct task *next = task->next;

		task->fn(task->arg);
		task = next;
	}
}

void
task_list_run(struct task_list *list)
{
	struct task *first = list->first;

	task_list_init(list);
	tasks_run(first);
}

bool
mailbox_init(struct mailbox *box)
{
	box->wakeup_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (box->wakeup_fd == -1)
		return false;
	if (pthread_mutex_init(&box->lock, NULL) != 0)
		abort();
	task_list_init(&box->tasks);
	return true;
}

void
mailbox_free(struct mailbox *box)
{
	assert(task_list_empty(&box->tasks));
	close(box->wakeup_fd);
	pthread_mutex_destroy(&box->lock);
}

/* Adds one to the eventfd's counter, which makes it readable. See eventfd(2). */
static void
mailbox_signal(struct mailbox *box)
{
	uint64_t one = 1;

	while (write(box->wakeup_fd, &one, sizeof(one)) == -1) {
		if (errno == EAGAIN)
			return; /* the counter is full, so the reader is signalled already */
		if (errno != EINTR)
			abort();
	}
}

/* Reading an eventfd sets its counter to zero, however many have signalled. */
static void
mailbox_clear_signal(struct mailbox *box)
{
	uint64_t signals;

	while (read(box->wakeup_fd, &signals, sizeof(signals)) == -1) {
		if (errno == EAGAIN)
			return; /* nobody has: mailbox_run() is also called at the worker's end */
		if (errno != EINTR)
			abort();
	}
}

void
mailbox_post(struct mailbox *box, struct task *task, worker_fn *fn, void *arg)
{
	bool was_empty;

	pthread_mutex_lock(&box->lock);
	was_empty = task_list_empty(&box->tasks);
	task_list_add(&box->tasks, task, fn, arg);
	pthread_mutex_unlock(&box->lock);
	/* The reader may have taken and run the task by now: the task is not touched any more. */
	if (was_empty)
		mailbox_signal(box);
}

bool
mailbox_empty(struct mailbox *box)
{
	bool empty;

	pthread_mutex_lock(&box->lock);
	empty = task_list_empty(&box->tasks);
	pthread_mutex_unlock(&box->lock);
	return empty;
}

/* The signal is cleared before the list is taken. The other way round, a task that was posted
 * between the two would lose its signal, and no later poster would signal either, for none would
 * find the list empty. In this order the loop at worst wakes once for nothing. */
void
mailbox_run(struct mailbox *box)
{
	struct task *first;

	mailbox_clear_signal(box);
	pthread_mutex_lock(&box->lock);
	first = box->tasks.first;
	task_list_init(&box->tasks);
	pthread_mutex_unlock(&box->lock);
	tasks_run(first);
}
