/* SPDX-License-Identifier: MIT */
/*
 * redis: one pipelined link to Redis per worker, hiredis' formatter and reply reader over a
 * bufferevent. That thread only.
 *
 *	[down] --connect--> [handshake: AUTH, SELECT, PING, probe] --> [up] --error, EOF, timeout,
 *	   ^                                                            |      a refused probe--+
 *	   |________________ backoff 50 ms .. 2 s ______________________|_______________________|
 *
 * "Up" means that Redis does what it is for: the probe is a script that writes. It is run before
 * the link is up, and once a second from then on, so a Redis that is there but read-only, full,
 * loading, or does not let us run scripts is down like any other, and redis_condition() says why.
 * Each attempt looks the name up anew: after a fail-over it leads to the new master.
 *
 * Commands wake plainly: a failure is in the reply's status, and is quick. A command that times out
 * drops the whole link, for its reply would come before those of all behind it. While the link is
 * down commands fail at once with REDIS_DOWN.
 */
#ifndef TENANTGATE_WIRE_REDIS_H
#define TENANTGATE_WIRE_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/condition.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/dns.h"

struct redis;

/* Borrowed for the call of redis_open(). */
struct redis_conf {
	const char	*url;		/* redis[s]://[user:password@]host[:port][/db], s for TLS */
	uint64_t	 timeout_us;	/* connect, and each command */
	unsigned	 pending_max;	/* commands under way before new ones fail (REDIS_BUSY) */
	const char	*ca_file;	/* PEM: who may sign its certificate; NULL: the system's.
					 * Borrowed until redis_close() */
	/* What the probe writes, REDIS_PROBE_KEY_MAX bytes at most, and what in its place in a
	 * Redis Cluster, where its slot is that of our keys. NULL: no probe, PING alone. */
	const char	*probe_key;
	const char	*cluster_probe_key;
};

/* False with err set: a URL that redis_open() would refuse. */
bool	redis_url_is_valid(const char *url, struct err *);

enum redis_status {
	REDIS_OK,
	REDIS_NIL,	/* no such key */
	REDIS_ERROR,	/* Redis refused the command: see text */
	REDIS_DOWN,	/* the link is, or went, down */
	REDIS_TIMEOUT,	/* no reply in time: the link was dropped */
	REDIS_BUSY,	/* too many commands or bytes under way; not sent */
};

/* The reply of one command. Zeroed before first use; redis_clear() is idempotent. */
struct redis_reply {
	enum redis_status	 status;
	struct slice		 text;		/* string or error reply; borrowed until clear */
	int64_t			 number;	/* integer reply */
	void			*owned;		/* owned: redisReply */
};

#define REDIS_PROBE_KEY_MAX 128

#define REDIS_ARGS_MAX	24	/* words of a command, its name included */

/* NULL with err set when the URL is malformed. Connects by itself, keeps trying; the dns is
 * borrowed for as long. redis_close(): after the worker's flows have ended. */
struct redis	*redis_open(struct worker *, struct dns *, const struct redis_conf *, struct err *);
void		 redis_close(struct redis *);
bool		 redis_is_up(const struct redis *);
/* Why it is down, a sentence, for /readyz; "" when up. Borrowed until the loop's next turn. */
const char	*redis_trouble(const struct redis *);
/* The same as a condition: ill while it is down. */
void		 redis_condition(const struct redis *, struct condition *);
/* The server is one of a Redis Cluster, as the last handshake with a probe found: the keys of one
 * script must have one hash tag, {REDIS_TAG_MAX bytes of the environment}, so that they are in one
 * slot (cluster specification, "hash tags"). Elsewhere keys have the names without braces that
 * earlier releases gave them, so that replicas of both count together while they are rolled out.
 * False for NULL. */
#define REDIS_TAG_MAX	40
bool		 redis_is_cluster(const struct redis *);

/* argv: copied before return. *out is borrowed until the wait is over. */
enum flow_rc	 redis_command(struct flow *, struct redis *, const struct slice *argv,
		    unsigned argc, struct redis_reply *out) __attribute__((warn_unused_result));
/* The same, nobody waits and the reply is dropped (a cache write, a publish). */
void		 redis_send(struct redis *, const struct slice *argv, unsigned argc);
/* Element i of an array reply, when it is an integer; false otherwise. */
bool		 redis_int_at(const struct redis_reply *, unsigned i, int64_t *out);
/* The same of a string; borrowed until redis_clear(). */
bool		 redis_text_at(const struct redis_reply *, unsigned i, struct slice *out);
void		 redis_clear(struct redis_reply *);
/* The name by which EVALSHA knows a script: 40 hex digits and a NUL. Any thread. */
#define REDIS_SHA_SIZE	41
void		 redis_script_sha(const char *script, char out[REDIS_SHA_SIZE]);

/* Messages of a channel, on a second link that reconnects by itself. After each (re)connection
 * fn is called once with payload.p NULL: messages may have been missed. fn is called from the loop,
 * for the link's life; the payload is borrowed for the call. False: too many channels, too long a
 * name, no memory. Where Redis refuses the subscription (an ACL without channels) the messages are
 * polled once a second. */
typedef void	 redis_message_fn(struct slice payload, void *arg);
bool		 redis_subscribe(struct redis *, const char *channel, redis_message_fn *,
		    void *arg);
/* To all who subscribe, and for a while to all who poll. Nobody waits. */
void		 redis_publish(struct redis *, const char *channel, struct slice payload);

#endif
