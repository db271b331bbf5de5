/* SPDX-License-Identifier: MIT */
/*
 * conn_watch: notices that a client left while its bytes are not being read: a model's stream is
 * paid for by the token and must stop. A level-triggered event would fire for ever on the bytes
 * that wait, and one for the peer's shutdown alone (EV_CLOSED) misses a reset, which libevent 2.1
 * reports as readiness to read. So the socket is watched a second time, through a duplicate
 * descriptor (epoll has one registration a descriptor), edge-triggered: each wake-up is a packet,
 * and poll(2) says whether it was the last.
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "http/conn_state.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <event2/bufferevent.h>

static void
watch_fired(evutil_socket_t fd, short what, void *arg)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };

	(void)what;
	if (poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
		conn_close(arg);
}

/* Out of descriptors or memory there is no watch: the departure is noticed later, by the write that
 * fails. */
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

/* Ended by conn_resume(), which every move out of CONN_EXCHANGE and conn_close() call. */
void
conn_pause(struct conn *c)
{
	if ((bufferevent_get_enabled(c->bev) & EV_READ) == 0)
		return;
	bufferevent_disable(c->bev, EV_READ);
	watch_open(c);
}
