/* SPDX-License-Identifier: MIT */
/*
 * http_fixture: a server with a few handlers, on a worker thread of its own, and a client that
 * sends plain bytes. The test's thread is the client: it may block. The clock stands still: a
 * time-out of the server passes only when the test puts the clock ahead, however late a busy
 * machine makes the two. The server's timers still go off, and find that it is too early.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/http.h"

#define FIXTURE_BODY_MAX	100000
#define FIXTURE_TIMEOUT_US	50000

/*
 * What is behind the paths:
 *	/hello	responds at once		/sleep	after 50 ms
 *	/echo	the body		/unread	401, body unread
 *	/words	streams 20		/flood	as much as is taken
 *	/wait	for 30 s		/break	streams, then fails
 *	/crash	ends without a response	/ask?q=	repeats q, and X-Word
 *	/pieces	the body, which it reads piece by piece; the clock is put ahead at each
 *	any other path: as /hello
 */
#define PIECE_ENOUGH 1000 /* bytes of a piece */
#define WATCHED_MAX (32u << 10) /* of the buffer of a body to /watched, bytes */

struct handler;

struct http_fixture {
	struct worker		*worker;
	struct http_shared	*shared;
	struct http_server	*server;
	uint16_t		 port;
	atomic_uint		 handled;	/* requests that reached the handler */
	atomic_uint		 refused;	/* requests that did not */
	atomic_int		 refused_code;	/* enum err_code of the last one */
	char			 refused_remote[64];	/* its; written before the count */
	atomic_uint		 pieces;	/* that /pieces has taken */
	atomic_uint		 ended;		/* handlers that ended */
	atomic_int		 ended_code;	/* enum err_code of the last one */
	atomic_ullong		 flooded;	/* bytes written by /flood */
	atomic_ullong		 queued;	/* of them not sent, at its last write or end */
	struct handler		*reader;	/* of the worker's thread: who reads a body */
	atomic_ullong		 body_read;	/* bytes that it had when it was looked at */
	atomic_uint		 looked;
	struct task		 task;
};

void	http_fixture_conf(struct http_conf *);	/* each time-out is FIXTURE_TIMEOUT_US */
/* Stops the clock; http_fixture_close() starts it again. */
void	http_fixture_open(struct http_fixture *, const struct http_conf *);
void	http_fixture_close(struct http_fixture *);
/* On the worker's thread. */
void	http_fixture_drain(struct http_fixture *);
/* Waits, at most twenty seconds. */
bool	http_fixture_waits_for(atomic_uint *, unsigned atleast);
/* The same, until a handler that is not at the end of its body has so many bytes of it. */
bool	http_fixture_reads_body(struct http_fixture *, size_t atleast);

/* ---- the client ---- */
int	client_open(const struct http_fixture *);
void	client_send(int fd, const char *text);
void	client_send_bytes(int fd, const void *, size_t);
/* All until the server closes: true; until nothing came for twenty seconds: false. A reset counts
 * as closed. */
bool	client_receive_all(int fd, struct buf *out);
/* Until `out` holds `text` n times; false when it does not come. */
bool	client_receives(int fd, struct buf *out, const char *text, unsigned n);
/* Closes with a reset. */
void	client_reset(int fd);
unsigned count_of(const struct buf *, const char *text);

#endif
