/* SPDX-License-Identifier: MIT */
/*
 * redis_internal: what the files of the Redis client share. Calls go one way:
 *
 *	redis.c		commands over a link of theirs
 *	redis_sub.c	messages of channels, over another link
 *	    v
 *	redis_link.c	one connection that keeps itself up; tells its owner by redis_link_ops
 *	    v
 *	redis_dial.c	the socket, TLS and the reader of a connection about to be made
 *	redis_request.c	commands in RESP, the handshake's among them
 *	redis_url.c	the URL
 *
 * hiredis 0.14 (Debian 12) has no TLS, and its async API no time-outs. So only its formatter and
 * its reply reader are used, over a bufferevent; the same code builds with hiredis 1.x.
 */
#ifndef TENANTGATE_WIRE_REDIS_INTERNAL_H
#define TENANTGATE_WIRE_REDIS_INTERNAL_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "tenantgate/loop/timer.h"
#include "tenantgate/wire/redis.h"
#include "wire/dns_query.h"

/* After ours: hiredis defines REDIS_OK as a macro, of the same value. */
#include <hiredis/hiredis.h>

struct bufferevent;
struct ssl_ctx_st;

#define REDIS_USER_SIZE		128	/* bytes, with the NUL */
#define REDIS_PASSWORD_SIZE	512

struct redis_url {
	bool	 tls;
	char	 host[DNS_NAME_MAX + 1];
	uint16_t port;
	char	 user[REDIS_USER_SIZE];	/* "": none */
	char	 password[REDIS_PASSWORD_SIZE]; /* "": none */
	unsigned db;
};

/* redis_url.c: false with err set. */
bool	redis_url_read(struct redis_url *, const char *text, struct err *);

/* What a link calls its owner for, from the loop. The link is in the middle of its own work then:
 * none of them may close it; to have it dropped, `reply` returns false. */
struct redis_link_ops {
	const char	*name;		/* "commands": for logs */
	void		(*up)(void *owner);
	/* Only after up. What was sent will not be answered: why is REDIS_DOWN or REDIS_TIMEOUT. */
	void		(*down)(void *owner, enum redis_status why);
	/* The reply is the owner's now, to be freed by it; false: it was not expected. */
	bool		(*reply)(void *owner, redisReply *);
	/* When the oldest command without a reply was sent, monotonic; 0: there is none. */
	uint64_t	(*oldest)(const void *owner);
};

enum redis_link_state { LINK_DOWN, LINK_LOOKUP, LINK_CONNECT, LINK_HANDSHAKE, LINK_UP };

struct redis_link {
	enum redis_link_state		 state;
	struct worker			*worker;	/* borrowed */
	struct dns			*dns;		/* borrowed */
	const struct redis_url		*url;		/* borrowed */
	struct ssl_ctx_st		*tls;		/* borrowed; NULL: plain */
	uint64_t			 timeout_us;
	const struct redis_link_ops	*ops;		/* borrowed */
	void				*owner;		/* borrowed */
	struct dns_query		*query;		/* in LINK_LOOKUP only */
	struct dns_answer		 addresses;	/* the last lookup's; tried in turn */
	struct bufferevent		*bev;		/* owned, from LINK_CONNECT on */
	redisReader			*reader;	/* owned, from LINK_CONNECT on */
	redisReplyObjectFunctions	 reader_fn;	/* the reader's: it keeps a pointer */
	size_t				 unread;	/* bytes of a reply not whole yet */
	unsigned			 handshake_replies; /* still to come before it is up */
	unsigned			 attempts;	/* failed since it was last up */
	struct timer			 timer;		/* backoff, deadline, oldest command */
	char				 trouble[160];	/* why it is down, a sentence; "" when up */
};

/* redis_link.c. url, tls, timeout_us, ops, owner, worker and dns are set by the owner before. */
bool	redis_link_open(struct redis_link *);
void	redis_link_close(struct redis_link *);	/* without calling `down` */
/* Formats and writes; false when there is no memory or too much is unsent. Only while up. */
bool	redis_link_send(struct redis_link *, const struct slice *argv, unsigned argc);
/* A command was sent, and `oldest` knows it: from now on its age is watched. */
void	redis_link_watch(struct redis_link *);

/* redis_request.c: false when there is no memory. argc is REDIS_ARGS_MAX at most. */
bool	redis_request_write(struct redis_link *, const struct slice *argv, unsigned argc);
bool	redis_request_handshake(struct redis_link *);	/* counts handshake_replies */

/* redis_dial.c */
struct bufferevent *redis_dial_new(const struct redis_link *);	/* not yet connected */
socklen_t	    redis_dial_address(const struct redis_link *, struct sockaddr_storage *);
redisReader	   *redis_reader_new(redisReplyObjectFunctions *);	/* filled; outlives it */

/* redis_sub.c: a link to the same server as the one given, of its own. */
struct redis_sub;
struct redis_sub *redis_sub_open(const struct redis_link *like);
void		  redis_sub_close(struct redis_sub *);
bool		  redis_sub_add(struct redis_sub *, const char *channel, redis_message_fn *,
		      void *arg);

#endif
