/* SPDX-License-Identifier: MIT */
/*
 * listener: the table of what the process listens on. Each listener is open on every worker, with
 * a ceiling of connections of its own: a flood at one door leaves the others open.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "conf.h"
#include "inherited.h"

enum listener_id { LISTENER_PUBLIC, LISTENER_HEALTH, LISTENER_ADMIN, LISTENERS };

struct listener {
	const char		*name;		/* static: "public", "health", "admin" */
	bool			 is_open;	/* the configuration wants it */
	bool			 shows_reasons;	/* api_context.shows_reasons */
	http_handler_fn		*handle;
	struct http_conf	 http;		/* its port as bound, once the first worker has */
	struct http_shared	*connections;	/* owned: how many there are */
	int			*inherited;	/* owned, with the sockets: they listen already */
	unsigned		 inherited_count;
};

/* What the configuration wants; its strings are borrowed. Then http_open() for each that is open,
 * on every worker. */
void	listeners_open(struct listener[LISTENERS], const struct conf *);
/* Takes over what of the sockets listens at their ports. Before http_accept() the public listener
 * accepts nobody, and of a successor none does. */
void	listeners_inherit(struct listener[LISTENERS], struct inherited *, bool is_successor);
/* The configuration for one of `workers` workers: `sockets` (room for INHERITED_MAX) is borrowed
 * for http_open(). Each inherited socket has a worker; where workers are more, some have one
 * together. */
struct http_conf listener_worker_conf(const struct listener *, unsigned worker,
	    unsigned workers, int *sockets);
/* The workers have duplicates now: with the last of them, and not later, a socket is closed. */
void	listeners_inherited(struct listener[LISTENERS]);
/* Of one listener, without its port as it is bound. */
void	listener_conf(enum listener_id, const struct conf *, struct http_conf *out);
void	listeners_log(const struct listener[LISTENERS], unsigned workers);
void	listeners_close(struct listener[LISTENERS]);	/* zeroed ones are passed over */

#endif
