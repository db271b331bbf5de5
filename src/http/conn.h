/* SPDX-License-Identifier: MIT */
/*
 * conn: one client's connection, with room for the one exchange it is at.
 *
 *	         a byte         head whole         http_end
 *	 [idle] -------> [head] ---------> [exchange] -------> [idle], or
 *	                   |                   |  \-- small rest of a body --> [drain] --> [idle]
 *	                   | refused           | last answer
 *	                   +-------------------+--> [flush] --> [linger] --> [gone]
 *	 the client leaves, is late or is cut off: from anywhere to [gone]
 *
 * What always holds:
 *  - conn_move() alone moves it, conn_gone() alone ends it (conn_state.c); the memory is freed at
 *    the loop's safe point (conn.c), once no exchange is open.
 *  - Requests are answered one at a time, in order. While one is answered at most READ_AHEAD and
 *    one read of libevent's are held of what follows; then reading pauses, and conn_watch.c looks
 *    out for the client's departure.
 *  - No request is begun while more than write_high_water is owed to the client.
 *  - What is written in one turn of the loop leaves in one send(2), at the turn's end.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include <sys/queue.h>

#include <netinet/in.h>

#include <event2/event.h>

#include "http/parse.h"
#include "tenantgate/http.h"
#include "tenantgate/loop/timer.h"

struct bufferevent;
struct evconnlistener;
struct evbuffer;

#define CONN_READ_AHEAD		16384
#define CONN_DRAIN_MAX		65536	/* the most of an unread body that is read to be dropped */
#define CONN_UNSENT_MAX		131072	/* the kernel's share of what a slow client is owed */
#define CONN_SPARE_MAX		4096	/* bytes an idle connection's buffer may keep */
#define CONN_LINGER_US		5000000
#define CONN_REFUSED_MAX	64	/* connections a server holds only to say 503 */
#define HTTP_FIELDS_MAX		8192	/* bytes set by http_set() */
#define HTTP_DATE_SIZE		30

enum conn_state {
	CONN_IDLE,
	CONN_HEAD,
	CONN_EXCHANGE,
	CONN_DRAIN,
	CONN_FLUSH,
	CONN_LINGER,
	CONN_GONE,
};

/* How a connection ends after the last byte of its output. */
enum conn_ending {
	END_TIDY,	/* closed: the client has nothing more to say */
	END_LINGER,	/* the client may be sending: a close would reset what it was told */
	END_RESET,	/* to be seen as a break by one who takes the end for the body's */
};

enum response_state {
	RESPONSE_NO_EXCHANGE,	/* no exchange is open */
	RESPONSE_NONE,	/* open, nothing said */
	RESPONSE_STREAM,
	RESPONSE_WHOLE,
	RESPONSE_CUT,
};

enum response_framing { FRAMING_EMPTY, FRAMING_COUNTED, FRAMING_CHUNKED, FRAMING_TO_CLOSE };

struct http_exchange {
	enum response_state	 response;
	enum response_framing	 framing;
	int			 status;
	bool			 close;		/* the connection ends with this answer */
	bool			 continued;	/* 100 was sent */
	struct buf		 fields;	/* owned: what http_set() gathered */
	struct flow		*flow;		/* borrowed: aborted when the client leaves */
	struct flow		*reader;	/* borrowed: waits for the body */
	struct flow		*writer;	/* borrowed: waits for the queue to shrink */
	struct buf		*body;		/* borrowed: the reader's */
	uint64_t		 bytes_in;
	uint64_t		 bytes_out;
};

struct conn {
	struct http_exchange	 x;		/* first: an exchange is its connection */
	enum conn_state		 state;
	enum conn_ending	 ending;
	struct http_server	*server;	/* borrowed; not touched once gone */
	TAILQ_ENTRY(conn)	 link;
	struct bufferevent	*bev;		/* owned; NULL once gone */
	bool			 eof;		/* the client shut its side */
	bool			 counted;	/* in the shared counts */
	struct task		 task;
	bool			 task_posted;
	worker_fn		*turn_ended;	/* what the task calls, set by conn_open() */
	struct timer		 timer;
	uint64_t		 timer_due;	/* monotonic; meaningful while the timer is set */
	uint64_t		 deadline;	/* of the state; 0: none */
	uint64_t		 send_deadline;	/* 0: nothing is queued */
	uint64_t		 sent_total;	/* bytes handed to libevent or to the kernel */
	uint64_t		 sent_mark;	/* of them left at the last look */
	struct event		*watch;		/* owned; reading is paused while there is one */
	int			 watch_fd;
	struct buf		 out;		/* owned: written since the turn began */
	struct in6_addr		 address;	/* for the counts */
	char			 remote[INET6_ADDRSTRLEN];
	struct buf		 head, line;	/* owned: the parser's */
	struct parse		 parse;
	struct parse_field	 parse_fields[]; /* conf.header_count_max */
};

TAILQ_HEAD(conn_list, conn);

struct http_server {
	struct worker		*worker;	/* borrowed */
	struct http_conf	 conf;
	struct http_shared	*shared;	/* borrowed */
	http_handler_fn		*handler;
	http_refused_fn		*refused;	/* may be NULL */
	void			*arg;
	struct evconnlistener	*listener;	/* owned; NULL once draining */
	struct timer		 accept_pause;
	struct conn_list	 conns;
	unsigned		 exchanges;	/* open */
	unsigned		 refused_conns;	/* not counted, only to be told 503 */
	bool			 draining;
	time_t			 date_second;
	char			 date[HTTP_DATE_SIZE];
};

/* conn.c: false when there is no memory; the descriptor is then still the caller's. */
bool		 conn_open(struct http_server *, int fd, const struct sockaddr *);

/* conn_state.c */
void		 conn_move(struct conn *, enum conn_state);
/* Sends what is queued, then ends. */
void		 conn_finish(struct conn *, enum conn_ending);
void		 conn_gone(struct conn *);
/* The task comes at the turn's end: what is written leaves, what was read ahead is looked at. */
void		 conn_call(struct conn *);
/* To the next request, with what of it was read ahead. */
void		 conn_next(struct conn *);
/* Reads again, and watches the socket no longer. */
void		 conn_resume(struct conn *);

/* conn_time.c */
/* us from now; 0: none. Cheap when the timer is due earlier anyway. */
void		 conn_deadline(struct conn *, uint64_t us);
void		 conn_sending(struct conn *);	/* something is queued beyond the kernel */
/* True when the client has taken nothing for send_timeout_us. */
bool		 conn_send_stalled(struct conn *, uint64_t now);
void		 conn_timer_arm(struct conn *, uint64_t now);	/* for the earlier deadline */

/* conn_write.c */
void		 conn_write(struct conn *, const void *, size_t);
void		 conn_flush(struct conn *);
size_t		 conn_queued(const struct conn *);

/* conn_input.c */
struct evbuffer	*conn_input(struct conn *);
/* Feeds the parser; body bytes go to `sink` (NULL: dropped). PARSE_DATA: the sink is full. */
enum parse_event conn_feed(struct conn *, struct buf *sink);

/* conn_watch.c: reads no more, and ends the connection when the client leaves. */
void		 conn_pause(struct conn *);

/* conn_refuse.c: answers in the place of the handler, and ends the connection. */
void		 conn_refuse(struct conn *, const struct err *);

/* conn_read.c */
void		 conn_readable(struct conn *);
void		 conn_client_shut(struct conn *);	/* the client has shut its side */

/* response.c */
void		 response_open(struct conn *);
const char	*status_reason(int status);
const char	*server_date(struct http_server *);

/* problem.c: http_problem(), with what ends the body. */
void		 problem_reply(struct http_exchange *, const struct err *, const char *request_id,
		    const char *end);

/* body.c: what has come goes to the waiting reader. */
void		 body_received(struct conn *);
void		 body_timed_out(struct conn *);

/* shared.c: false when a limit is reached. */
bool		 shared_enter(struct http_shared *, const struct http_conf *,
		    const struct in6_addr *);
void		 shared_leave(struct http_shared *, const struct http_conf *,
		    const struct in6_addr *);

static inline struct conn *
conn_of(const struct http_exchange *x)
{
	return (struct conn *)(uintptr_t)x;
}

#endif
