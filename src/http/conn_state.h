/* SPDX-License-Identifier: MIT */
/*
 * conn: one client's connection and the one exchange that is open on it.
 *
 *	[proxy], where a listener requires the PROXY protocol: its header is whole
 *	   v
 *	[tls], where it has certificates: the handshake is whole
 *	   v     a byte         head complete      http_end
 *	 [idle] -------> [head] ---------> [exchange] -------> [idle], or
 *	                   |                   |  \-- small rest of a body --> [drain] --> [idle]
 *	                   | refused           | last response
 *	                   +-------------------+--> [flush] --> [linger] --> [closed]
 *	 the client leaves, is late or is cut off: from anywhere to [closed]
 *
 * Everything here runs on the thread of the server's worker.
 *
 * What always holds:
 *  - conn_move() alone moves it, conn_close() alone ends it (conn_state.c); the memory is freed at
 *    the loop's safe point (conn.c), once no exchange is open.
 *  - Requests are answered one at a time, in order (RFC 9112 9.3.2). While one is answered, at most
 *    CONN_READ_AHEAD bytes and one read of libevent's are held of what follows; then reading
 *    pauses, and conn_watch.c notices when the client leaves.
 *  - No request is begun while more than write_high_water is queued for the client: one that sends
 *    requests and reads no responses must not fill our memory.
 *  - What is written in one turn of the loop leaves in one send(2), at the turn's end.
 */
#ifndef HTTP_CONN_STATE_H
#define HTTP_CONN_STATE_H

#include <sys/queue.h>

#include <netinet/in.h>

#include <event2/event.h>

#include "http/listen.h"
#include "http/parse.h"
#include "tenantgate/base/address.h"
#include "tenantgate/http.h"
#include "tenantgate/loop/timer.h"

struct bufferevent;
struct evbuffer;
struct handshake;
struct tls_session;

/* Bytes, unless the name has another unit. */
#define CONN_READ_AHEAD		16384	/* of later requests, held while one is answered */
#define CONN_DRAIN_MAX		65536	/* the most of an unread body that is read to be dropped */
#define CONN_UNSENT_MAX		131072	/* TCP_NOTSENT_LOWAT: the kernel's share of our queue */
#define CONN_SPARE_MAX		4096	/* what the buffer of an idle or slow one may keep */
#define CONN_LINGER_US		5000000	/* for a client to read the response and close */
#define CONN_REFUSED_MAX	64	/* connections past the limit, open only to be sent 503 */
#define CONN_SPARES_MAX		16	/* of max_client_conn, a sixteenth at most: for probes */
#define CONN_SPARE_US		3000000	/* for a probe to send its request there; the least
					 * that a PROXY header is to be waited for */
#define HTTP_FIELDS_MAX		8192	/* set by http_set(), in all */
#define HTTP_DATE_SIZE		30	/* an IMF-fixdate (RFC 9110 5.6.7) and its NUL */

/* The detail and log text of ERR_CLIENT_GONE. The client never sees it: it has left. */
#define CONN_CLIENT_LEFT	"The client closed the connection, so its request was given up."

enum conn_state {
	CONN_PROXY,	/* waits for the PROXY header; nothing else of it is read before */
	CONN_TLS,	/* the handshake; nothing else of it is read before */
	CONN_IDLE,	/* between requests; a fresh connection too */
	CONN_HEAD,	/* some bytes of a header section have come */
	CONN_EXCHANGE,	/* the handler has the request, until http_end() */
	CONN_DRAIN,	/* the rest of a body that no handler read is dropped */
	CONN_FLUSH,	/* nothing more is read or answered: the output is sent */
	CONN_LINGER,	/* our side is shut: input is dropped until the client closes */
	CONN_CLOSED,	/* no socket; the memory waits for http_end() and the loop's safe point */
};

/* What follows the last byte of a connection's output. */
enum conn_ending {
	END_CLOSE,	/* close(2): no input of the client's is outstanding */
	END_LINGER,	/* the client may still be sending: shutdown(2), then wait (RFC 9112 9.6) */
	END_RESET,	/* RST: a body that ends by the close was cut, and must not look whole */
};

enum response_state {
	RESPONSE_NO_EXCHANGE,	/* no exchange is open */
	RESPONSE_NONE,		/* open, no status line written */
	RESPONSE_STREAM,	/* the head is written, the body is being streamed */
	RESPONSE_WHOLE,		/* its last byte is written */
	RESPONSE_CUT,		/* given up in the middle of its body */
};

/* How the client learns where the body ends (RFC 9112 6.3). */
enum response_framing {
	FRAMING_EMPTY,		/* no body by its status or the method: HEAD, 204, 304 */
	FRAMING_COUNTED,	/* Content-Length */
	FRAMING_CHUNKED,	/* Transfer-Encoding: chunked */
	FRAMING_TO_CLOSE,	/* it ends with the connection: streams to HTTP/1.0 */
};

/* Valid from response_open() to http_end(). The status stays after it: 0 marks a connection on
 * which nothing was answered yet. */
struct http_exchange {
	enum response_state	 response;
	enum response_framing	 framing;
	int			 status;	/* 0 until the head is written */
	bool			 close;		/* the connection ends with this response */
	bool			 continued;	/* 100 was sent */
	struct buf		 fields;	/* owned: "name: value" lines from http_set() */
	struct flow		*flow;		/* borrowed: aborted when the client leaves */
	const struct flow	*timed;	/* borrowed until http_end(): Server-Timing; or NULL */
	struct flow		*reader;	/* borrowed: waits for the body */
	struct flow		*writer;	/* borrowed: waits for the queue to shrink */
	struct buf		*body;		/* borrowed: the reader's; NULL when nobody reads */
	size_t			 body_enough;	/* bytes of it that the reader waits for */
	uint64_t		 body_taken;	/* bytes of its pieces before this one */
	uint64_t		 body_began_us;	/* monotonic, later by the time that nobody read;
						 * 0: it has not begun */
	uint64_t		 body_left_us;	/* monotonic: when the last piece was complete */
	http_body_fn		*watch;		/* asked as the body grows; or NULL */
	void			*watch_arg;	/* borrowed */
	const struct err	*too_large;	/* borrowed; NULL: said in general words */
	uint64_t		 bytes_in;	/* off the wire: head, body, chunk framing */
	uint64_t		 bytes_out;	/* handed to conn_write(), interim responses too */
};

struct conn {
	struct http_exchange	 x;		/* first: conn_of() casts */
	enum conn_state		 state;
	enum conn_ending	 ending;	/* meaningful from CONN_FLUSH on */
	struct http_server	*server;	/* borrowed; outlives the open exchanges */
	TAILQ_ENTRY(conn)	 link;		/* of server->conns, until closed */
	struct bufferevent	*bev;		/* owned; NULL once closed */
	bool			 eof;		/* the client shut its side: nothing more comes */
	bool			 counted;	/* in the shared count; false: past the limit */
	bool			 is_refused;	/* it has no place, and is to be told so */
	bool			 is_spare;	/* in a place that is kept for probes */
	bool			 is_proxy;	/* by its address: it carries many */
	bool			 may_forward;	/* its X-Forwarded-For is believed */
	bool			 address_counted;	/* in the shared count by address */
	bool			 client_counted;	/* the same, of the open exchange */
	struct task		 task;		/* conn_schedule()'s */
	bool			 task_posted;	/* posted and not yet run */
	worker_fn		*turn_ended;	/* what the task calls, set by conn_open() */
	struct timer		 timer;
	uint64_t		 timer_due;	/* monotonic us; valid while the timer is set */
	uint64_t		 deadline;	/* of the state, monotonic us; 0: none */
	uint64_t		 send_deadline;	/* the same, of sending; 0: nothing is queued */
	uint64_t		 sent_total;	/* bytes handed to libevent or to the kernel */
	uint64_t		 sent_mark;	/* of them in the kernel at the last check */
	struct event		*watch;		/* owned; reading is paused while there is one */
	int			 watch_fd;	/* owned: a duplicate of the socket's; -1: none */
	struct buf		 out;		/* owned: written since the turn began */
	struct handshake	*handshake;	/* borrowed: a flow, until TLS is open */
	struct tls_session	*tls;		/* owned, once it is open; NULL: in the clear */
	bool			 has_said_end;	/* TLS' close_notify is sent */
	struct in6_addr		 address;	/* IPv4 mapped; the peer's, or its PROXY header's */
	struct in6_addr		 client;	/* the same, or by its X-Forwarded-For */
	char			 remote[INET6_ADDRSTRLEN];	/* client, as text */
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
	void			*arg;		/* borrowed: for both */
	struct listen		 listen;
	struct conn_list	 conns;		/* all that are not closed */
	unsigned		 exchanges;	/* open, also of clients that left */
	unsigned		 refused_conns;	/* open past the limit, only to be sent 503 */
	struct network_list	 proxies;	/* conf.trusted_proxies */
	struct tls_server	*tls;		/* held: conf.tls */
	uint64_t		 tls_turn;	/* of the loop: the last that computed handshakes */
	uint64_t		 tls_turn_us;	/* how long, in that turn */
	bool			 says_close;	/* every response ends its connection */
	bool			 draining;
	bool			 stopped;	/* no handler is called any more */
	time_t			 date_second;	/* that `date` was made for; -1: none yet */
	char			 date[HTTP_DATE_SIZE];
};

/* conn.c: takes over an accepted socket. False when there is no memory; the descriptor is then
 * still the caller's. */
bool		 conn_open(struct http_server *, int fd, const struct sockaddr *);

/* It is known who it is: on to the handshake, or to its first request, or to be told that it has no
 * place. */
void		 conn_begin(struct conn *);

/* conn_tls.c */
void		 conn_tls_begin(struct conn *);	/* to CONN_TLS; may close it */
/* There are bytes: of the handshake, or to be decrypted and read. */
void		 conn_tls_received(struct conn *);
/* In CONN_TLS: its time is over. */
void		 conn_tls_late(struct conn *);
/* In CONN_TLS the client has shut its side: closed, unless what it has sent is still to be read. */
void		 conn_tls_half_closed(struct conn *);
/* Lets go of the handshake, if one is under way, and counts it. */
void		 conn_handshake_leave(struct conn *);
void		 conn_tls_finish(struct conn *);	/* says close_notify, behind all else */

/* conn_state.c */
/* Sets the state and its deadline. Any state but CONN_CLOSED, from any but CONN_CLOSED. */
void		 conn_move(struct conn *, enum conn_state);
/* Sends what is queued, then ends the connection in the given way. */
void		 conn_finish(struct conn *, enum conn_ending);
/* Closes the socket now, what is queued is lost; idempotent. An open exchange's flows are aborted.
 * The conn itself stays readable until the turn's end. */
void		 conn_close(struct conn *);
/* At the turn's end, once: what is written is sent, what was read ahead is parsed, a closed
 * connection is freed. */
void		 conn_schedule(struct conn *);
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

/* conn_write.c: either may close the connection, when the socket fails or there is no memory. */
void		 conn_write(struct conn *, const void *, size_t);	/* copied */
void		 conn_flush(struct conn *);
/* What the session has to send, its own words or what was encrypted. */
void		 conn_send_tls(struct conn *, struct tls_session *);
size_t		 conn_queued(const struct conn *);	/* bytes not yet taken by the kernel */

/* conn_input.c */
struct evbuffer	*conn_input(struct conn *);	/* borrowed: read by libevent, not yet parsed */
/* Feeds the parser; body bytes go to `sink` (NULL: dropped). PARSE_DATA: the sink failed, by its
 * ceiling or for lack of memory. */
enum parse_event conn_feed(struct conn *, struct buf *sink);

/* conn_watch.c: reads no more, and closes the connection when the client leaves. */
void		 conn_pause(struct conn *);

/* conn_refuse.c: answers in the place of the handler, and ends the connection. */
void		 conn_refuse(struct conn *, const struct err *);

/* conn_read.c */
void		 conn_readable(struct conn *);	/* there is input, or the state wants some again */
void		 conn_eof(struct conn *);	/* the client has shut its side */

/* response.c: begins an exchange, with nothing written. */
void		 response_open(struct conn *);

/* cors.c: the fields of the head that say which page may read the response. */
void		 cors_put(struct conn *);

/* server_timing.c: a field of the head, where one is wanted. */
void		 server_timing_put(struct conn *);

/* response_fields.c: static, or until the server's next call; "" for a status not in the table. */
const char	*status_reason(int status);
const char	*server_date(struct http_server *);

/* problem.c: http_problem(), with `end` after the object ("\n" for people with a terminal). */
void		 problem_reply(struct http_exchange *, const struct err *, const char *request_id,
		    const char *end);

/* body.c: what has come goes to the waiting reader, if there is one. */
void		 body_received(struct conn *);
void		 body_timed_out(struct conn *);	/* body_timeout_us passed without a piece */

/* conn_client.c */
void		 conn_full_error(struct err *);
/* The connection's address is known: by the peer, or by its PROXY header. False when it has too
 * many connections. Left once, idempotent. */
bool		 conn_address_enter(struct conn *);
void		 conn_address_leave(struct conn *);
/* False when the peer is none whose PROXY header is believed. */
bool		 conn_proxy_may_speak(struct conn *);
void		 conn_proxy_received(struct conn *);	/* in CONN_PROXY; may close or refuse it */
/* The head is whole: finds the client, and its place. False, with err set, when there is none.
 * Left when the exchange ends, idempotent. */
bool		 conn_request_enter(struct conn *, struct err *);
void		 conn_request_leave(struct conn *);

/* shared.c: what was entered is left once, by the same address. */
enum conn_place {
	SHARED_FULL,	/* max_client_conn are open: nothing was entered */
	SHARED_SPARE,	/* entered, in a place that is kept for probes */
	SHARED_ORDINARY,
};
enum conn_place shared_enter(struct http_shared *, const struct http_conf *);
void		 shared_leave(struct http_shared *);
void		 shared_handshakes_add(struct http_shared *, int);
/* An ordinary place is free, or the caller's own would be one by now. */
bool		 shared_has_room(const struct http_shared *, const struct http_conf *);
/* What a client is counted by. Borrowed from the address. */
struct slice	 address_network(const struct in6_addr *);
/* False when max_client_conn_per_ip is reached. */
bool		 shared_address_enter(struct http_shared *, const struct http_conf *,
		    const struct in6_addr *);
void		 shared_address_leave(struct http_shared *, const struct http_conf *,
		    const struct in6_addr *);

/* The exchange is the first member of its connection and lives as long. */
static inline struct conn *
conn_of(const struct http_exchange *x)
{
	return (struct conn *)(uintptr_t)x;
}

#endif
