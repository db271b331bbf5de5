/* SPDX-License-Identifier: MIT */
/*
 * pg_cancel: libpq 15's PQcancel blocks (a connection of its own, in the clear), so it runs on
 * helper threads: few, started when there is work, gone when there is none. A request that has
 * waited too long, or finds the queue full, is dropped: the statement then runs to its end on the
 * server, as it would for a client that just hung up.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "wire/pg_conn.h"

#define HELPERS_MAX	4
#define QUEUE_MAX	1024
#define AGE_MAX_US	(10 * 1000000ull)

struct cancel_request {
	STAILQ_ENTRY(cancel_request)	 link;
	PGcancel		*cancel;	/* owned: a copy of what PQcancel needs */
	uint64_t		 asked_us;
};

static struct {
	pthread_mutex_t			lock;
	STAILQ_HEAD(, cancel_request)	queue;
	unsigned			queued;
	unsigned			helpers;
} cancel_queue = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.queue = STAILQ_HEAD_INITIALIZER(cancel_queue.queue) };

static void
cancel_request_free(struct cancel_request *r)
{
	PQfreeCancel(r->cancel);
	free(r);
}

/* NULL, and one helper less, when there is no more work. */
static struct cancel_request *
cancel_request_next(void)
{
	struct cancel_request *r;

	pthread_mutex_lock(&cancel_queue.lock);
	r = STAILQ_FIRST(&cancel_queue.queue);
	if (r != NULL) {
		STAILQ_REMOVE_HEAD(&cancel_queue.queue, link);
		cancel_queue.queued--;
	} else {
		cancel_queue.helpers--;
	}
	pthread_mutex_unlock(&cancel_queue.lock);
	return r;
}

static void *
helper_run(void *arg)
{
	struct cancel_request *r;
	char why[256];

	(void)arg;
	while ((r = cancel_request_next()) != NULL) {
		if (clock_mono_us() - r->asked_us > AGE_MAX_US)
			log_event(LOG_WARNING, "pg.cancel_dropped", NULL, "waited too long");
		else if (!PQcancel(r->cancel, why, sizeof(why)))
			log_event(LOG_WARNING, "pg.cancel_failed", NULL, "%s", why);
		cancel_request_free(r);
	}
	return NULL;
}

/* A detached thread that takes no signals. */
static bool
helper_start(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	bool good;

	if (pthread_attr_init(&attr) != 0)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	good = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0 &&
	    pthread_create(&thread, &attr, helper_run, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return good;
}

/* False: the queue is full. */
static bool
cancel_request_queue(struct cancel_request *r)
{
	bool room, hire = false;

	pthread_mutex_lock(&cancel_queue.lock);
	room = cancel_queue.queued < QUEUE_MAX;
	if (room) {
		STAILQ_INSERT_TAIL(&cancel_queue.queue, r, link);
		cancel_queue.queued++;
		hire = cancel_queue.helpers < HELPERS_MAX;
		cancel_queue.helpers += hire;
	}
	pthread_mutex_unlock(&cancel_queue.lock);
	if (hire && !helper_start()) {
		pthread_mutex_lock(&cancel_queue.lock);
		cancel_queue.helpers--; /* the next request tries again */
		pthread_mutex_unlock(&cancel_queue.lock);
	}
	return room;
}

void
pg_cancel_send(PGconn *pq)
{
	PGcancel *cancel = PQgetCancel(pq);
	struct cancel_request *r;

	if (cancel == NULL)
		return; /* no session to cancel in */
	r = xcalloc(1, sizeof(*r));
	r->cancel = cancel;
	r->asked_us = clock_mono_us();
	if (!cancel_request_queue(r)) {
		log_event(LOG_WARNING, "pg.cancel_dropped", NULL, "too many at once");
		cancel_request_free(r);
	}
}
