/* SPDX-License-Identifier: MIT */
/*
 * pg_stall: how long a COPY waits for a server that takes nothing of it.
 *
 * A small server may take many seconds to read what it was sent (it builds an index meanwhile), and
 * its window is closed for so long. TCP_USER_TIMEOUT, which finds hosts that vanished, counts that
 * as silence, although the kernel there answers every probe: it is lifted for the COPY. Instead it
 * is looked, a few times in the limit, whether what is in the socket has become other bytes. Where
 * all has been taken, and the server only computes, the COPY's whole deadline and the keepalive
 * probes are left.
 */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "tenantgate/base/clock.h"
#include "wire/pg_conn.h"

#define LOOKS 8 /* in the limit */

/* On a socket of the file system there is none to set: nothing happens. */
static void
user_timeout_set(const struct pg_conn *c, unsigned ms)
{
	(void)setsockopt(PQsocket(c->pq), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static void
stall_look_later(struct pg_stall *s)
{
	uint64_t us = s->limit_us / LOOKS + 1;
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = us % 1000000 };

	if (evtimer_add(&s->look, &tv) != 0)
		abort();
}

void
pg_stall_begin(struct pg_conn *c, uint64_t limit_us, struct event_base *base,
    event_callback_fn look)
{
	struct pg_stall *s = &c->stall;
	socklen_t len = sizeof(s->user_timeout_ms);

	*s = (struct pg_stall){
		.limit_us = limit_us != 0 ? limit_us : PG_STALL_DEFAULT_US,
		.moved_us = clock_mono_us(),
	};
	if (getsockopt(PQsocket(c->pq), IPPROTO_TCP, TCP_USER_TIMEOUT, &s->user_timeout_ms, &len) !=
	    0)
		s->user_timeout_ms = 0;
	user_timeout_set(c, 0);
	if (event_assign(&s->look, base, -1, 0, look, c) != 0)
		abort();
	stall_look_later(s);
}

/* Bytes that the server's host has not acknowledged; 0 too when it cannot be known. */
static int
socket_unsent(const struct pg_conn *c)
{
	int n = 0;

	return ioctl(PQsocket(c->pq), SIOCOUTQ, &n) == 0 ? n : 0;
}

bool
pg_stall_is_over(struct pg_conn *c)
{
	struct pg_stall *s = &c->stall;
	int unsent = socket_unsent(c);
	uint64_t now = clock_mono_us();

	if (unsent == 0 || unsent != s->unsent || s->pieces != s->seen_pieces)
		s->moved_us = now;
	s->unsent = unsent;
	s->seen_pieces = s->pieces;
	stall_look_later(s);
	return now - s->moved_us >= s->limit_us;
}

/* Idempotent, and harmless without a COPY. */
void
pg_stall_end(struct pg_conn *c)
{
	struct pg_stall *s = &c->stall;

	if (s->limit_us == 0)
		return;
	event_del(&s->look);
	user_timeout_set(c, s->user_timeout_ms);
	s->limit_us = 0;
}
