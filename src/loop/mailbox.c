/* SPDX-License-Identifier: MIT */
/*
 * mailbox: see mailbox.h. A letter belongs to its poster again from the moment its fn is called,
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
letter_list_init(struct letter_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

bool
letter_list_empty(const struct letter_list *list)
{
	return list->first == NULL;
}

void
letter_list_add(struct letter_list *list, struct letter *letter, worker_fn *fn, void *arg)
{
	letter->next = NULL;
	letter->fn = fn;
	letter->arg = arg;
	*list->last = letter;
	list->last = &letter->next;
}

static void
letters_deliver(struct letter *letter)
{
	while (letter != NULL) {
		struct letter *next = letter->next;

		letter->fn(letter->arg);
		letter = next;
	}
}

void
letter_list_run(struct letter_list *list)
{
	struct letter *first = list->first;

	letter_list_init(list);
	letters_deliver(first);
}

bool
mailbox_init(struct mailbox *box)
{
	box->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (box->bell == -1)
		return false;
	if (pthread_mutex_init(&box->lock, NULL) != 0)
		abort();
	letter_list_init(&box->letters);
	return true;
}

void
mailbox_free(struct mailbox *box)
{
	assert(letter_list_empty(&box->letters));
	close(box->bell);
	pthread_mutex_destroy(&box->lock);
}

static void
mailbox_ring(struct mailbox *box)
{
	uint64_t one = 1;

	while (write(box->bell, &one, sizeof(one)) == -1) {
		if (errno == EAGAIN)
			return; /* the counter is full: it rings already */
		if (errno != EINTR)
			abort();
	}
}

static void
mailbox_hush(struct mailbox *box)
{
	uint64_t rings;

	while (read(box->bell, &rings, sizeof(rings)) == -1) {
		if (errno == EAGAIN)
			return;
		if (errno != EINTR)
			abort();
	}
}

void
mailbox_post(struct mailbox *box, struct letter *letter, worker_fn *fn, void *arg)
{
	bool was_empty;

	pthread_mutex_lock(&box->lock);
	was_empty = letter_list_empty(&box->letters);
	letter_list_add(&box->letters, letter, fn, arg);
	pthread_mutex_unlock(&box->lock);
	if (was_empty)
		mailbox_ring(box);
}

bool
mailbox_empty(struct mailbox *box)
{
	bool empty;

	pthread_mutex_lock(&box->lock);
	empty = letter_list_empty(&box->letters);
	pthread_mutex_unlock(&box->lock);
	return empty;
}

/* Hushed before the list is taken: a letter that comes in between rings again. */
void
mailbox_run(struct mailbox *box)
{
	struct letter *first;

	mailbox_hush(box);
	pthread_mutex_lock(&box->lock);
	first = box->letters.first;
	letter_list_init(&box->letters);
	pthread_mutex_unlock(&box->lock);
	letters_deliver(first);
}
