/* SPDX-License-Identifier: MIT */
/*
 * conn: noticing that a client left while its bytes are not being read. A level-triggered event
 * would fire for ever on the bytes that wait, and one that only asks for the peer's shutdown is
 * never told of a reset (libevent 2.1 turns it into readiness to read). So the socket is watched
 * a second time, through a descriptor of its own, edge-triggered: each wake-up is a packet, and
 * poll(2) tells whether it was the last.
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "http/conn.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <event2/bufferevent.h>

static void
watch_fired(evutil_socket_t fd, short what, void *arg)
{
	struct pollfd look = { .fd = fd, .events = POLLRDHUP };

	(void)what;
	if (poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
		conn_gone(arg);
}

/* Without a descriptor to spare the departure is noticed later, by the write that fails. */
static void
watch_open(struct conn *c)
{
	c->watch_fd = fcntl(bufferevent_getfd(c->bev), F_DUPFD_CLOEXEC, 0);
	if (c->watch_fd < 0)
		return;
	c->watch = event_new(bufferevent_get_base(c->bev), c->watch_fd,
	    EV_READ | EV_ET | EV_PERSIST, watch_fired, c);
	if (c->watch != NULL)
		event_add(c->watch, NULL);
}

void
conn_pause(struct conn *c)
{
	if ((bufferevent_get_enabled(c->bev) & EV_READ) == 0)
		return;
	bufferevent_disable(c->bev, EV_READ);
	watch_open(c);
}
