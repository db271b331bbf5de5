/* SPDX-License-Identifier: MIT */
/*
 * redis_room: what the files of the Redis client share. redis_url.c reads the URL, redis_link.c
 * keeps one link up, redis.c asks and answers over it, redis_sub.c listens on another.
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

/* What a link tells its owner. None of them may close the link, or ask for it to be dropped. */
struct redis_link_ops {
	const char	*name;		/* for logs */
	void		(*up)(void *owner);
	void		(*down)(void *owner, enum redis_status why);	/* only after up */
	/* The reply is theirs now; false: drop the link. */
	bool		(*reply)(void *owner, redisReply *);
	/* When the oldest question without an answer was asked, monotonic; 0: there is none. */
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
	struct dns_query		*ask;		/* LINK_LOOKUP */
	struct dns_answer		 addresses;
	struct bufferevent		*bev;		/* owned, from LINK_CONNECT on */
	redisReader			*reader;	/* owned, from LINK_CONNECT on */
	redisReplyObjectFunctions	 reader_fn;	/* the reader's */
	size_t				 unread;	/* bytes of a reply not whole yet */
	unsigned			 greetings;	/* replies to come before it is up */
	unsigned			 attempts;	/* failed since it was up */
	struct timer			 timer;		/* back-off, deadline, oldest question */
	char				 trouble[160];
};

/* redis_link.c. url, tls, timeout_us, ops, owner, worker and dns are set by the owner before. */
bool	redis_link_open(struct redis_link *);
void	redis_link_close(struct redis_link *);	/* tells nobody */
/* Formats and writes; false when there is no memory or too much is unsent. Only while up. */
bool	redis_link_send(struct redis_link *, const struct slice *argv, unsigned argc);
/* A question was asked: from now on its age is watched. */
void	redis_link_watch(struct redis_link *);

/* redis_dial.c */
struct bufferevent *redis_dial_new(const struct redis_link *);	/* not yet connected */
socklen_t	    redis_dial_address(const struct redis_link *, struct sockaddr_storage *);
redisReader	   *redis_reader_new(redisReplyObjectFunctions *);	/* filled; outlives it */

/* redis_sub.c */
struct redis_sub;
struct redis_sub *redis_sub_open(const struct redis_link *like);
void		  redis_sub_close(struct redis_sub *);
bool		  redis_sub_add(struct redis_sub *, const char *channel, redis_message_fn *,
		      void *arg);

#endif
