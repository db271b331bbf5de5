/* SPDX-License-Identifier: MIT */
/*
 * takeover: how a process hands its listening sockets to its successor (`tenantgate --take-over`),
 * over a Unix socket at takeover_socket:
 *
 *	successor	tenantgate takeover 1	-->
 *			<-- sockets (SCM_RIGHTS, unix(7)) ... end	predecessor
 *	(connects to the catalog, is ready, accepts)
 *			ready			-->
 *					(accepts no more, drains, is gone)
 *
 * Until `ready` the predecessor serves as if nothing had been asked: a successor that cannot start
 * changes nothing. One successor at a time, which is given up after TAKEOVER_READY_US; it runs as
 * the same user, or as root. Main threads only. A successor waits for its predecessor,
 * TAKEOVER_WAIT_US at most; a predecessor never waits.
 */
#ifndef TAKEOVER_H
#define TAKEOVER_H

#include <poll.h>

#include "inherited.h"

#define TAKEOVER_WAIT_US  5000000ull
#define TAKEOVER_READY_US 90000000ull /* from its asking on a successor may take */
#define TAKEOVER_POLLS	 2 /* descriptors that a predecessor waits for */

/* ---- the predecessor's side ---- */
struct takeover {
	int	listening;	/* owned; -1: takeover_socket is not set */
	int	successor;	/* owned; -1: none has asked */
	uint64_t since_us;	/* monotonic: since it came */
};

enum takeover_event {
	TAKEOVER_NOTHING,
	TAKEOVER_ASKED, /* takeover_give() is next */
	TAKEOVER_READY, /* the successor accepts */
};

/* Replaces whatever is at the path, which is "" for none. False with err set. */
bool	takeover_open(struct takeover *, const char *path, struct err *);
/* Whether a process answers at the path: it would lose its place there. */
bool	takeover_is_taken(const char *path);
/* What to poll(2) for; how many of TAKEOVER_POLLS. At least once a minute, for a successor that
 * takes too long is given up here. */
unsigned takeover_polls(struct takeover *, struct pollfd[TAKEOVER_POLLS]);
enum takeover_event takeover_receive(struct takeover *, const struct pollfd *, unsigned count);
/* The descriptors stay the caller's. */
void	takeover_give(struct takeover *, const struct inherited *);
void	takeover_close(struct takeover *);

/* ---- the successor's side ---- */
/* Adds the predecessor's sockets; the descriptor to be given to takeover_ready(), or -1 with err
 * set. */
int	takeover_ask(const char *path, struct inherited *, struct err *);
/* Tells it that we accept, and closes the descriptor. */
void	takeover_ready(int predecessor);

#endif
