/* SPDX-License-Identifier: MIT */
/*
 * mailbox: see mailbox.h. A task belongs to its poster again from the moment its fn is called,
 * so its fields are read before that.
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

static void
mailbox_signal(struct mailbox *box)
{
	uint64_t one = 1;

	while (write(box->wakeup_fd, &one, sizeof(one)) == -1) {
		if (errno == EAGAIN)
			return; /* the counter is full: it rings already */
		if (errno != EINTR)
			abort();
	}
}

static void
mailbox_clear_signal(struct mailbox *box)
{
	uint64_t rings;

	while (read(box->wakeup_fd, &rings, sizeof(rings)) == -1) {
		if (errno == EAGAIN)
			return;
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

/* Hushed before the list is taken: a task that comes in between rings again. */
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
