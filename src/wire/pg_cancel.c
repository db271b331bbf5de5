/* SPDX-License-Identifier: MIT */
/*
 * pg_cancel: asks servers to stop statements that nobody waits for any more.
 *
 * PostgreSQL takes a cancel request on a connection of its own, with the process id and the secret
 * key that the login gave. libpq 15's PQcancel() opens it by a blocking connect(), and waits for
 * the server to close it; so it runs on helper threads: few, started when there is work, gone when
 * there is none. (libpq 17 has PQcancelStart(), which would run on the loop.) It never uses TLS:
 * whoever reads the wire learns that key, and could cancel later statements of the session; there
 * are none, for the connection is closed.
 *
 * A request that has waited too long, or finds the queue full, is dropped: the statement then runs
 * to its end on the server, as it would for a client that just hung up.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "wire/pg_conn.h"

#define HELPERS_MAX	4	/* threads, each held up by one slow server at worst */
#define QUEUE_MAX	1024	/* requests waiting for a helper */
#define AGE_MAX_US	(10 * 1000000ull) /* an older request is dropped */

struct cancel_request {
	STAILQ_ENTRY(cancel_request)	 link;
	PGcancel		*cancel;	/* owned: a copy of what PQcancel needs */
	uint64_t		 queued_us;	/* monotonic */
};

/* Of the whole process, all workers'. Everything in it is under its lock. */
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

/* NULL, and one helper less, when there is no more work: decided under one lock with the queue's
 * emptiness, so no request is left behind by a helper that was just leaving. */
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

/* A PGcancel is a copy, read-only for PQcancel(): libpq allows it on a thread of its own while the
 * PGconn is used, or closed, by another. */
static void *
helper_run(void *arg)
{
	struct cancel_request *r;
	char why[256];

	(void)arg;
	while ((r = cancel_request_next()) != NULL) {
		if (clock_mono_us() - r->queued_us > AGE_MAX_US)
			log_event(LOG_WARNING, "pg.cancel_dropped", NULL,
			    "A cancel request waited too long; its statement runs to its end on "
			    "the server. Look whether database servers are unreachable.");
		else if (!PQcancel(r->cancel, why, sizeof(why)))
			log_event(LOG_WARNING, "pg.cancel_failed", NULL,
			    "A statement could not be cancelled and runs to its end on the server: "
			    "%.*s.",
			    (int)strcspn(why, "\n"), why);
		cancel_request_free(r);
	}
	return NULL;
}

/* A detached thread that takes no signals: those of the process are for the main thread, which
 * waits for them. A new thread inherits the mask of the one that starts it. */
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

/* False: the queue is full. A helper is counted before it runs, so that the ceiling holds; threads
 * are started outside the lock. */
static bool
cancel_request_queue(struct cancel_request *r)
{
	bool room, start_helper = false;

	pthread_mutex_lock(&cancel_queue.lock);
	room = cancel_queue.queued < QUEUE_MAX;
	if (room) {
		STAILQ_INSERT_TAIL(&cancel_queue.queue, r, link);
		cancel_queue.queued++;
		start_helper = cancel_queue.helpers < HELPERS_MAX;
		cancel_queue.helpers += start_helper;
	}
	pthread_mutex_unlock(&cancel_queue.lock);
	if (start_helper && !helper_start()) {
		pthread_mutex_lock(&cancel_queue.lock);
		cancel_queue.helpers--; /* the next request tries again */
		pthread_mutex_unlock(&cancel_queue.lock);
	}
	return room;
}

/* Any thread. PQgetCancel() copies what is needed: address, process id, key. */
void
pg_cancel_send(PGconn *pq)
{
	PGcancel *cancel = PQgetCancel(pq);
	struct cancel_request *r;

	if (cancel == NULL)
		return; /* no session to cancel in */
	r = xcalloc(1, sizeof(*r));
	r->cancel = cancel;
	r->queued_us = clock_mono_us();
	if (!cancel_request_queue(r)) {
		log_event(LOG_WARNING, "pg.cancel_dropped", NULL,
		    "%u cancel requests wait already; this statement runs to its end on the "
		    "server. Look whether database servers are unreachable.",
		    QUEUE_MAX);
		cancel_request_free(r);
	}
}
