/* SPDX-License-Identifier: MIT */
/*
 * pg_end: closing a connection so that one knows when the server's process is gone. PostgreSQL
 * gives a connection's place in max_connections back before it closes the socket, so the end of
 * file says that the place is free. libpq closes its socket at once; a duplicate of the descriptor
 * keeps it open for reading. What arrives on it is of no use to anybody, and not looked at.
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/worker.h"
#include "wire/pg_conn.h"

#define READS_MAX 16 /* of one readiness: the loop has others */

struct pg_ending {
	struct event io;
	struct flow *flow; /* borrowed */
	int fd;		   /* owned: the duplicate */
	uint64_t until_us; /* monotonic */
};

static void
ending_free(void *arg)
{
	struct pg_ending *e = arg;

	event_del(&e->io);
	close(e->fd);
	free(e);
}

/* True while the server may still say something. */
static bool
ending_drain(const struct pg_ending *e)
{
	char scrap[4096];
	ssize_t n = 1;

	for (unsigned i = 0; n > 0 && i < READS_MAX; i++)
		n = recv(e->fd, scrap, sizeof(scrap), MSG_DONTWAIT);
	return n > 0 || (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

static void ending_ready(evutil_socket_t, short, void *);

/* Until the same moment, however often the server has something to say. False: nothing to wait
 * for, or with. */
static bool
ending_watch(struct pg_ending *e)
{
	struct event_base *base = worker_base(e->flow->worker);
	uint64_t now = clock_mono_us(), us = e->until_us > now ? e->until_us - now : 0;
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = us % 1000000 };

	return us > 0 && event_assign(&e->io, base, e->fd, EV_READ, ending_ready, e) == 0 &&
	    event_add(&e->io, &tv) == 0;
}

static void
ending_ready(evutil_socket_t fd, short what, void *arg)
{
	struct pg_ending *e = arg;
	struct flow *f = e->flow;

	(void)fd;
	if (!(what & EV_TIMEOUT) && ending_drain(e) && ending_watch(e))
		return;
	ending_free(e);
	flow_wake(f);
}

static enum flow_rc
ending_wait(struct flow *f, int fd, uint64_t timeout_us)
{
	struct pg_ending *e = xcalloc(1, sizeof(*e));

	e->flow = f;
	e->fd = fd;
	e->until_us = clock_mono_us() + timeout_us;
	if (ending_watch(e))
		return flow_wait(f, ending_free, e);
	close(fd);
	free(e);
	return FLOW_NEXT;
}

/* The server is told by Terminate, and by the end of what we send, in case that it did not fit. */
enum flow_rc
pg_conn_end(struct flow *f, struct pg_conn *c, uint64_t timeout_us)
{
	int fd = fcntl(PQsocket(c->pq), F_DUPFD_CLOEXEC, 0);

	pg_conn_close(c);
	if (fd == -1)
		return FLOW_NEXT;
	(void)shutdown(fd, SHUT_WR);
	return ending_wait(f, fd, timeout_us);
}
