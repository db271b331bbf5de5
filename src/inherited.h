/* SPDX-License-Identifier: MIT */
/*
 * inherited: sockets that listen already when the process starts: systemd's (socket activation,
 * sd_listen_fds(3)), or those of the process that this one takes over from (takeover.h). Linux
 * resets what stands in the queue of a listening socket when the last descriptor of it is closed;
 * a socket that is handed on loses nobody. Main thread, before there is another.
 */
#ifndef INHERITED_H
#define INHERITED_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/err.h"

#define INHERITED_MAX 1024

struct inherited {
	int		fds[INHERITED_MAX];	/* owned; -1: taken */
	unsigned	count;
};

/* Adds what systemd has opened for this process, none outside of it. False with err set: what it
 * says does not hold. The environment has none of it afterwards. */
bool	inherited_from_systemd(struct inherited *, struct err *);
/* Moves the sockets that listen at the port to `fds` (room for INHERITED_MAX); how many. */
unsigned inherited_take(struct inherited *, uint16_t port, int *fds);
/* Closes what nobody has taken, and says so in the log. Idempotent. */
void	inherited_close(struct inherited *);

#endif
