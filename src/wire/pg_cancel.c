/* SPDX-License-Identifier: MIT */
/*
 * pg_cancel: asks servers to stop statements that nobody waits for any more.
 *
 * PostgreSQL takes a cancel request on a connection of its own, with the process id and the secret
 * key that the login gave. libpq 15's PQcancel() opens it by a blocking connect(), and waits for
 * the server to close it; so it runs on helper threads of its own (loop/offload.h), which may block
 * for seconds where the others only compute. One server has one of them at a time: four that cannot
 * be reached must come together before others' requests wait. (libpq 17 has PQcancelStart(), which
 * would run on the loop.) It never uses TLS: whoever reads the wire learns that key, and could
 * cancel later statements of the session; there are none, for the connection is closed.
 *
 * A request that has waited too long, or finds the queue full, is dropped: the statement then runs
 * to its end on the server, as it would for a client that just hung up.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/offload.h"
#include "wire/pg_conn.h"

#define HELPERS	    4	     /* threads, each held up by one slow server at worst */
#define WAITING_MAX 1024     /* requests to one server that wait for a helper */
#define AGE_MAX_US  10000000 /* an older request is dropped */

/* Of the whole process, opened by the first request and never closed: the end of the process does
 * not wait for servers that do not answer. */
static struct offload *cancel_helpers;
static pthread_once_t cancel_helpers_once = PTHREAD_ONCE_INIT;

static void
cancel_helpers_open(void)
{
	cancel_helpers = offload_open(&(struct offload_conf){
	    .name = "pg_cancel",
	    .helpers = HELPERS,
	    .running_max = 1,
	    .waiting_max = WAITING_MAX,
	    .wait_timeout_us = AGE_MAX_US,
	});
}

struct cancel_request {
	PGcancel *cancel; /* owned: a copy of what PQcancel needs */
	bool sent;
};

/* A PGcancel is a copy, read-only for PQcancel(): libpq allows it on a thread of its own while the
 * PGconn is used, or closed, by another. */
static void
cancel_request_send(void *arg)
{
	struct cancel_request *r = arg;
	char why[256];

	r->sent = true;
	if (!PQcancel(r->cancel, why, sizeof(why)))
		log_event(LOG_WARNING, "pg.cancel_failed", NULL,
		    "A statement could not be cancelled and runs to its end on the server: %.*s.",
		    (int)strcspn(why, "\n"), why);
}

static void
cancel_request_drop(void *arg)
{
	struct cancel_request *r = arg;

	if (!r->sent)
		log_event(LOG_WARNING, "pg.cancel_dropped", NULL,
		    "A cancel request waited too long, or behind too many others; its statement "
		    "runs to its end on the server. Look whether database servers are "
		    "unreachable.");
	PQfreeCancel(r->cancel);
	free(r);
}

/* Any thread. PQgetCancel() copies what is needed: address, process id, key. */
void
pg_cancel_send(PGconn *pq)
{
	PGcancel *cancel = PQgetCancel(pq);
	struct cancel_request *r;
	char server[300]; /* names are longer nowhere; what is cut off only shares a queue */

	if (cancel == NULL)
		return; /* no session to cancel in */
	r = xcalloc(1, sizeof(*r));
	r->cancel = cancel;
	snprintf(server, sizeof(server), "%s:%s", PQhost(pq), PQport(pq));
	pthread_once(&cancel_helpers_once, cancel_helpers_open);
	if (!offload_post(cancel_helpers, slice_str(server), cancel_request_send,
		cancel_request_drop, r))
		cancel_request_drop(r);
}
