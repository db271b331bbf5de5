/* SPDX-License-Identifier: MIT */
/*
 * listen: the sockets that one worker's HTTP server accepts from. It binds one of its own, or
 * duplicates what listens already (struct http_conf: `listening`). Out of descriptors it stops
 * accepting for a moment: the pending connection would keep a socket readable, and the loop would
 * spin on it. The worker's thread.
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/err.h"
#include "tenantgate/loop/timer.h"

struct evconnlistener;
struct http_server;

/* Private to listen.c. */
struct listen {
	struct http_server	*server;	/* borrowed: it gets what is accepted */
	struct evconnlistener	**listeners;	/* owned, with their sockets */
	unsigned		 count;		/* 0: closed */
	struct timer		 pause;		/* set while accepting is paused */
};

/* By the server's configuration. False with err set: nothing is open then. */
bool		listen_open(struct listen *, struct http_server *, struct err *);
bool		listen_accept(struct listen *, struct err *);	/* see http_accept() */
/* Both are idempotent. Whoever stands in the sockets' queues is accepted before they are closed; of
 * abandoned ones another process accepts them. */
void		listen_close(struct listen *);
void		listen_abandon(struct listen *);
uint16_t	listen_port(const struct listen *);	/* 0 once closed */
unsigned	listen_sockets(const struct listen *, int *fds, unsigned max);

#endif
