/* SPDX-License-Identifier: MIT */
/*
 * redis_internal: what the files of the Redis client share. Calls go one way:
 *
 *	redis.c		commands over a link of theirs
 *	redis_sub.c	messages of channels, over another link
 *	redis_poll.c	the same without subscriptions, by commands
 *	    v
 *	redis_link.c	one connection that keeps itself up; tells its owner by redis_link_ops
 *	    v
 *	redis_dial.c	the socket, TLS and the reader of a connection about to be made
 *	redis_request.c	commands in RESP, the handshake's among them
 *	redis_reply.c	a reply as callers see it
 *	redis_probe.c	the script that shows whether Redis does what it is for
 *	redis_refusal.c	what an error reply says of Redis, in a sentence
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
	/* The reply is the owner's now, to be freed by it. False: it was not expected, or it is
	 * a refusal, whose text was put into the link's `refused`. */
	bool		(*reply)(void *owner, redisReply *);
	/* When the oldest command without a reply was sent, monotonic; 0: there is none. */
	uint64_t	(*oldest)(const void *owner);
};

enum redis_link_state { LINK_DOWN, LINK_LOOKUP, LINK_CONNECT, LINK_HANDSHAKE, LINK_UP };

#define REDIS_REFUSED_SIZE 160
#define REDIS_TROUBLE_SIZE 256
#define REDIS_TOLD_MAX	   10	/* reasons of one outage that are told */
#define REDIS_TOLD_SIZE	   100	/* of each, by which it is known again */

/* What a link probes with; keys empty: nothing. */
struct redis_probe {
	char	key[REDIS_PROBE_KEY_MAX + 1];
	char	cluster_key[REDIS_PROBE_KEY_MAX + 1];
};

struct redis_link {
	enum redis_link_state		 state;
	struct worker			*worker;	/* borrowed */
	struct dns			*dns;		/* borrowed */
	const struct redis_url		*url;		/* borrowed */
	struct ssl_ctx_st		*tls;		/* borrowed; NULL: plain */
	const char			*ca_file;	/* borrowed; NULL: the system's */
	uint64_t			 timeout_us;
	const struct redis_probe	*probe;		/* borrowed; NULL: PING alone */
	const struct redis_link_ops	*ops;		/* borrowed */
	void				*owner;		/* borrowed */
	struct dns_query		*query;		/* in LINK_LOOKUP only */
	struct dns_answer		 addresses;	/* the last lookup's; tried in turn */
	struct bufferevent		*bev;		/* owned, from LINK_CONNECT on */
	redisReader			*reader;	/* owned, from LINK_CONNECT on */
	redisReplyObjectFunctions	 reader_fn;	/* the reader's: it keeps a pointer */
	size_t				 unread;	/* bytes of a reply not whole yet */
	unsigned			 handshake_replies; /* still to come before it is up */
	bool				 asks_slots;	/* the last is redis_probe_slots() */
	bool				 is_cluster;	/* as that found */
	bool				 was_elsewhere;	/* refused by one that is not the one */
	bool				 is_quiet;	/* it was told already: debug lines only */
	uint64_t			 pause_us;	/* in place of the next backoff; 0: none */
	char				 refused[REDIS_REFUSED_SIZE]; /* see ops->reply */
	unsigned			 attempts;	/* in a row, none of them up for long */
	uint64_t			 up_us;		/* since when it is up, monotonic */
	struct timer			 timer;		/* backoff, deadline, oldest command */
	char	 told[REDIS_TOLD_MAX][REDIS_TOLD_SIZE];	/* redis_trouble.c */
	unsigned			 told_count;
	char	 trouble[REDIS_TROUBLE_SIZE];	/* why it is down, a sentence; "" when up */
};

/* redis_link.c. url, tls, timeout_us, ops, owner, worker and dns are set by the owner before. */
bool	redis_link_open(struct redis_link *);
void	redis_link_close(struct redis_link *);	/* without calling `down` */
/* Formats and writes; false when there is no memory or too much is unsent. Only while up. */
bool	redis_link_send(struct redis_link *, const struct slice *argv, unsigned argc);
/* A command was sent, and `oldest` knows it: from now on its age is watched. */
void	redis_link_watch(struct redis_link *);
/* A reply did not come in time. Not from one of its own ops, and only while up. */
void	redis_link_give_up(struct redis_link *);
/* Looked up and connected anew, for Redis has moved. Not from one of its own ops. */
void	redis_link_redial(struct redis_link *);

/* redis_request.c: false when there is no memory. argc is REDIS_ARGS_MAX at most. */
bool	redis_request_write(struct redis_link *, const struct slice *argv, unsigned argc);
bool	redis_request_handshake(struct redis_link *);	/* counts handshake_replies */
bool	redis_request_probe(struct redis_link *);	/* its second part; the same */
/* False: Redis refuses, and `refused` says how. */
bool	redis_handshake_is_good(struct redis_link *, const redisReply *);

/* redis_probe.c */
#define REDIS_PROBE_COMMANDS 2
/* A question whose reply says whether this is a node of a cluster. */
bool	redis_probe_slots(struct redis_link *);
/* The i-th command of the probe; its number of words. */
unsigned redis_probe_words(const struct redis_link *, unsigned i, struct slice *argv);
/* Whether the reply to one shows that Redis is ill. */
bool	redis_probe_failed(const redisReply *);

/* redis_trouble.c: writes why the link goes down. is_first: it was up, and well, until now. */
void	redis_trouble_log(struct redis_link *, bool is_first);
/* Why the connection has ended: a sentence. what: of the bufferevent's event; error: the socket's;
 * tls: OpenSSL's. */
void	redis_trouble_ended(const struct redis_link *, short what, int error, unsigned long tls,
	    char out[REDIS_TROUBLE_SIZE]);
/* What a link that is to come up does not do in time: "did not ...". Static. */
const char *redis_trouble_late(const struct redis_link *);

/* redis_refusal.c: what an error reply says of Redis. */
struct redis_refusal {
	const char	*code;		/* what the reply begins with */
	bool		 is_elsewhere;	/* another server is the one to ask, or this one later */
	const char	*sentence;	/* for operators: what is wrong and what to do */
};
const struct redis_refusal *redis_refusal_of(const char *text);	/* static */
/* Redis's error into `refused`; for an owner's `reply`, which returns false then. */
void	redis_link_refuse(struct redis_link *, const redisReply *);
/* One line a minute for each code, whatever links there are; not when is_quiet. */
void	redis_refusal_log(const struct redis_link *, const struct redis_refusal *,
	    const char *text);

/* redis_reply.c: takes the reply over. */
void	redis_reply_fill(struct redis_reply *, redisReply *);

/* redis_dial.c. ca_file: a PEM file, or NULL for the system's; NULL when it cannot be had. */
struct ssl_ctx_st  *redis_tls_new(const char *ca_file);
struct bufferevent *redis_dial_new(const struct redis_link *);	/* not yet connected */
void		    redis_dial_connected(int fd);	/* its options */
/* The verdict on the server's certificate (peer_tls.h); X509_V_OK without TLS. */
long		    redis_dial_verdict(const struct redis_link *);
/* Whether TCP's connection is there, so that what is missing is TLS's handshake. */
bool		    redis_dial_is_in_tls(const struct redis_link *);
socklen_t	    redis_dial_address(const struct redis_link *, struct sockaddr_storage *);
redisReader	   *redis_reader_new(redisReplyObjectFunctions *);	/* filled; outlives it */

/* redis.c: a command whose reply is looked at by a function, from the loop: NULL when the link was
 * lost, and also when it could not be sent, before this returns. False from it: a refusal, which
 * was put into the link's `refused`. The reply is borrowed. */
typedef bool redis_reply_fn(const redisReply *, void *arg);
void	redis_query(struct redis *, const struct slice *argv, unsigned argc, redis_reply_fn *,
	    void *arg);

/* redis_poll.c: the messages of one channel, by commands. */
#define REDIS_POLL_ID_SIZE 48
struct redis_poll {
	struct redis		*redis;		/* borrowed */
	const char		*channel;	/* borrowed */
	redis_message_fn	*fn;
	void			*arg;		/* borrowed */
	bool			 is_asked;	/* a look is under way */
	char			 last[REDIS_POLL_ID_SIZE]; /* the last entry seen; "": none yet */
};
void	redis_poll_look(struct redis_poll *);	/* nothing while a look is under way */

/* redis_sub.c: a link to the same server as the one given, of its own. Polls by `commands`, whose
 * replies must have come, or been given up, before it is closed. */
struct redis_sub;
struct redis_sub *redis_sub_open(const struct redis_link *like, struct redis *commands);
void		  redis_sub_redial(struct redis_sub *);
void		  redis_sub_poll_anew(struct redis_sub *);	/* messages may have been missed */
void		  redis_sub_close(struct redis_sub *);
bool		  redis_sub_add(struct redis_sub *, const char *channel, redis_message_fn *,
		      void *arg);

#endif
