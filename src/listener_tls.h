/* SPDX-License-Identifier: MIT */
/*
 * listener_tls: the certificates of what is listened on, as one configuration names them. Read on
 * the main thread, all or nothing; they do not change: a reload reads others.
 */
#ifndef LISTENER_TLS_H
#define LISTENER_TLS_H

#include "conf.h"
#include "listener.h"

struct listener_tls {
	struct tls_server *servers[LISTENERS]; /* held; NULL: in the clear */
};

/* Zeroed before. Each finding is a line, "PLACE: Sentence.\n"; with errors nothing is held. The
 * tickets may be NULL where nobody is served. */
void	listener_tls_open(struct listener_tls *, const struct conf *, struct tls_tickets *,
	    struct buf *errors, struct buf *warnings);
void	listener_tls_close(struct listener_tls *);	/* idempotent */
/* Certificates that are over, or soon will be, to the log. */
void	listener_tls_log(const struct listener_tls *);

#endif
