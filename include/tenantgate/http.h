/* SPDX-License-Identifier: MIT */
/*
 * http: a strict HTTP/1.1 server (RFC 9110, 9112) on libevent's bufferevents.
 *
 *	  accept        headers complete         response complete, http_end()
 *	[idle] --> [head] --> handler(x) ... [exchange] --> [idle] or closed
 *
 * An http_server belongs to one worker: it, its connections and exchanges are touched on that
 * thread only. The handler is called once the header section is complete and valid, before any of
 * the body is asked for; `Expect: 100-continue` is answered only when a handler reads the body.
 *
 * An exchange is one request with its response. It lives until http_end(), which the handler calls
 * exactly once, whatever happened to the client; slices of the request live as long. When the
 * client leaves first, the attached flow is aborted with ERR_CLIENT_GONE; writes after that are
 * dropped. A client that shuts its side is taken to have left, except for responses that the
 * handler gives before it returns. Malformed requests never reach the handler: they get 400 (or
 * 408, 414, 417, 431, 501, 505) and the connection is closed.
 */
#ifndef TENANTGATE_HTTP_H
#define TENANTGATE_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/meter.h"
#include "tenantgate/loop/worker.h"

struct http_server;
struct http_exchange;
struct offload;
struct tls_server;

/* Called for each request; may answer at once or start a flow. */
typedef void http_handler_fn(struct http_exchange *, void *arg);
/* A request that was refused before the handler, after its response was written: for the log. Of
 * the exchange, which is borrowed for the call, method and path are empty as far as they were not
 * read. */
typedef void http_refused_fn(const struct http_exchange *, const char *request_id,
    const struct err *, void *arg);

/* Which requests are probes of load balancers: pure, any thread. They may come without a Host, and
 * a few places of max_client_conn are kept for them. */
typedef bool http_probe_fn(struct slice method, struct slice path);

struct http_conf {
	const char	*prefix;		/* static: of its settings' names; NULL: none */
	const char	*listen_addr;		/* numeric; "*" for all */
	uint16_t	 listen_port;		/* 0: a free one, see http_port() */
	bool		 shares_port;		/* others may listen there: another worker's server,
						 * another process */
	const int	*listening;		/* sockets that listen already, and are duplicated:
						 * borrowed for http_open(); none: one is bound */
	unsigned	 listening_count;
	bool		 is_held;		/* nobody is accepted before http_accept(); a socket
						 * of our own refuses connections until then */
	unsigned	 max_client_conn;	/* whole process */
	unsigned	 max_client_conn_per_ip; /* whole process; 0: no such limit. Of what comes
						 * through trusted proxies: open exchanges */
	const char	*trusted_proxies;	/* addresses and networks whose X-Forwarded-For is
						 * believed; NULL: none */
	bool		 proxy_protocol;	/* each connection begins with a PROXY header, v1 or
						 * v2, and comes from a trusted proxy */
	http_probe_fn	*is_probe;		/* NULL: nothing is */
	struct tls_server *tls;			/* held by the server, and by a connection that
						 * began with it; NULL: in the clear */
	struct offload	*tls_helpers;		/* borrowed: threads for handshakes; NULL: none */
	uint64_t	 tls_handshake_timeout_us; /* from the accept, or the PROXY header */
	size_t		 header_bytes_max;	/* request line and fields, line ends included */
	unsigned	 header_count_max;	/* fields; as many trailers */
	size_t		 target_max;		/* bytes of the request target */
	uint64_t	 header_timeout_us;	/* first byte of a request to its last header */
	uint64_t	 body_timeout_us;	/* between two pieces of a body */
	unsigned	 body_rate_min;		/* bytes a second of a body, over all of it but its
						 * first body_timeout_us; 0: no such limit */
	uint64_t	 send_timeout_us;	/* a client that takes nothing is cut off then */
	uint64_t	 keepalive_timeout_us;	/* idle between requests */
	uint64_t	 keepalive_min_timeout_us; /* what a connection without a request has left
						 * when a drain begins */
	size_t		 write_high_water;	/* bytes queued before http_stream_flush() waits */
	const char	*server_name;		/* Server: field; NULL for none */
	const char	*cors_allow_origins;	/* by commas: whose pages may read the responses;
						 * NULL: none */
	const char	*cors_expose_headers;	/* by commas: which of their fields; NULL: none but
						 * those that any page may */
};

/* Fills in the defaults (nginx's where it has one). The rest is zero. */
void	http_conf_init(struct http_conf *);

/* False with err set: a list of trusted_proxies that cannot be read. */
bool	http_proxies_are_valid(const char *list, struct err *);

/* The same of a list of cors_allow_origins. */
bool	http_origins_are_valid(const char *list, struct err *);

/* Connection counts shared by the servers of all workers. Any thread. It outlives the servers. */
struct http_shared;
struct http_shared	*http_shared_new(void);
void			 http_shared_free(struct http_shared *);
unsigned		 http_shared_connections(const struct http_shared *);
/* Since the start: those that were taken in, and those that max_client_conn refused. */
uint64_t		 http_shared_accepted(const struct http_shared *);
uint64_t		 http_shared_refused(const struct http_shared *);
unsigned		 http_shared_handshakes(const struct http_shared *);	/* under way */
/* By their end, and by TLS' version. */
extern const struct meter_family tls_handshakes;

/* NULL with err set when the address is not valid or cannot be bound (another has the port, and
 * shares_port is false). conf is copied, its strings borrowed. `refused` may be NULL. On the
 * worker's thread, or before it starts. The process must ignore SIGPIPE (libevent writes without
 * MSG_NOSIGNAL). */
struct http_server	*http_open(struct worker *, const struct http_conf *, struct http_shared *,
			    http_handler_fn *, http_refused_fn *, void *arg, struct err *);
/* Whether the address could be bound now, without listening, so that no connection comes. Beside a
 * tenantgate of the same user this is true, whatever shares_port says. */
bool			 http_can_listen(const struct http_conf *, struct err *);
uint16_t		 http_port(const struct http_server *);	/* 0 once it listens no more */
/* See is_held. False with err set: another listens there meanwhile. */
bool			 http_accept(struct http_server *, struct err *);
/* At most `max` descriptors of the sockets that it listens on, borrowed; how many. */
unsigned		 http_listening(const struct http_server *, int *fds, unsigned max);
/* Lets go of those sockets, where another process has duplicates of them: whoever waits in their
 * queues waits for that process. */
void			 http_hand_over(struct http_server *);
/* `Connection: close` on every response from now on. */
void			 http_announce_close(struct http_server *);
/* The same, and stops accepting. Connections that hold no request are closed when they have not
 * begun one within keepalive_min_timeout. */
void			 http_drain(struct http_server *);
/* No handler is called any more, and what has no open exchange is closed: for when the flows are
 * about to be ended. */
void			 http_stop(struct http_server *);
unsigned		 http_open_exchanges(const struct http_server *);
/* Closes all connections; attached flows must have ended. */
void			 http_close(struct http_server *);
/* Other settings: connections take ceilings of a request's head from the next one on, times from
 * the next wait. The port, the address, trusted_proxies, proxy_protocol and max_client_conn_per_ip
 * stay as they were opened; strings are borrowed as before. What TLS is made of is for connections
 * that come from now on; where clients are to show who they are, those that are there end, at once
 * or with their response. */
void			 http_configure(struct http_server *, const struct http_conf *);

/* ---- the request ---- */
struct slice	http_method(const struct http_exchange *);
struct slice	http_path(const struct http_exchange *);	/* as sent, before '?' */
struct slice	http_query(const struct http_exchange *);	/* after '?', may be empty */
/* First field of that name (in any case), trimmed; p is NULL when absent. */
struct slice	http_header(const struct http_exchange *, const char *name);
/* The same of the field of that name with so many before it. */
struct slice	http_header_at(const struct http_exchange *, const char *name, unsigned before);
unsigned	http_header_count(const struct http_exchange *, const char *name);
/* The i-th of all fields, from 0; false when there are not so many. */
bool		http_header_item(const struct http_exchange *, unsigned i, struct slice *name,
		    struct slice *value);
/* Percent-decoded value of a query parameter into the arena; p NULL when absent or malformed. */
struct slice	http_query_get(const struct http_exchange *, const char *name, struct arena *);
/* The next pair of a query, from *rest, which is moved behind it: both percent-decoded into the
 * arena, p NULL where malformed; the value is empty without a '='. False at the end. */
bool		http_query_next(struct slice *rest, struct arena *, struct slice *name,
		    struct slice *value);
/* The client's numeric address: behind trusted proxies the one that they tell. */
const char	*http_remote(const struct http_exchange *);
/* The client's network, for counting and taking turns: its IPv4 address (mapped, 16 bytes), or the
 * upper half of its IPv6 one (8), the least that one customer has. Borrowed until http_end(). */
struct slice	http_network(const struct http_exchange *);
/* The request is of a page of cors_allow_origins, which may read the response: what else the page
 * may, preflights are told by the handler. */
bool		http_origin_is_listed(const struct http_exchange *);
bool		http_is_head(const struct http_exchange *);
const char	*http_tls_version(const struct http_exchange *);	/* "TLSv1.3"; NULL: none */
uint64_t	http_bytes_in(const struct http_exchange *);	/* head and body, as on the wire */
uint64_t	http_bytes_out(const struct http_exchange *);	/* the same; may still be queued */
int		http_status(const struct http_exchange *);	/* 0 until a response began */
/* The status, for logs and counts; 499, as nginx has it, for a client that left before. */
static inline int
http_result(const struct http_exchange *x, const struct err *err)
{
	return err->code == ERR_CLIENT_GONE ? err_status(ERR_CLIENT_GONE) : http_status(x);
}
bool		http_client_gone(const struct http_exchange *);

/* ---- paths of a table of routes: pure ---- */
#define HTTP_PATH_PARAMS_MAX	4

struct http_path_params {
	struct {
		struct slice	name;	/* of the pattern, without its braces */
		struct slice	raw;	/* of the path, as sent; one byte or more */
	} items[HTTP_PATH_PARAMS_MAX];
	unsigned	count;
};

/* Whether a path (as sent) matches the pattern: "{name}", a whole segment of it, stands for one or
 * more bytes other than '/', and is captured; all else is equal, byte for byte. The captured slices
 * borrow from both. */
bool		http_path_match(const char *pattern, struct slice path, struct http_path_params *);
/* Percent-decoded value of a captured segment into the arena, which may hold a '/' now; p NULL when
 * there is none of that name, or it is malformed. */
struct slice	http_path_param(const struct http_path_params *, const char *name, struct arena *);

/* The flow that a departed client aborts; NULL detaches. */
void		http_attach(struct http_exchange *, struct flow *);

/*
 * Reads the whole body into `out`, which stays the caller's. Its ceiling is out->max: a longer body
 * is ERR_TOO_LARGE. One whose Content-Length says so, or with a Content-Encoding (ERR_MEDIA_TYPE),
 * fails before a byte is read or 100 is sent. Sends 100-continue when the client waits for it.
 * Fails with ERR_REQUEST_TIMEOUT when the client stalls or is slower than body_rate_min,
 * ERR_BAD_REQUEST (or the parser's other codes) for malformed chunks, ERR_OVERLOADED without
 * memory, ERR_CLIENT_GONE. After a failure in the middle of the body the connection ends with the
 * response.
 */
enum flow_rc	http_read_body(struct flow *, struct http_exchange *, struct buf *out)
		    __attribute__((warn_unused_result));

/* The same in pieces: done when `out` has `enough` bytes, and a block of the socket's more at the
 * most, or the body is complete; the caller takes them, empties `out`, and asks for the next.
 * Nothing of the connection is read in between but what is read ahead. out->max is the ceiling of
 * what is still to come, and http_refuse_body() has said what a longer body is told. */
enum flow_rc	http_read_body_piece(struct flow *, struct http_exchange *, struct buf *out,
		    size_t enough) __attribute__((warn_unused_result));
bool		http_body_is_complete(const struct http_exchange *);

/* Asked whenever the body's buffer has grown, with its size in bytes; false, with err set, ends the
 * reading with that error. For what a handler bounds over many requests. */
typedef bool	http_body_fn(void *arg, size_t bytes, struct err *);
/* What is said of a body past its ceiling, which counts more than what the body is for: borrowed
 * until the response. Before http_read_body(), as the next. */
void		http_refuse_body(struct http_exchange *, const struct err *);
void		http_watch_body(struct http_exchange *, http_body_fn *, void *arg);

/* ---- the response ---- */
/* Before the response begins. Copied, 8 KiB in all. False, with nothing set: a name or value that
 * is not valid in a field, no room left, or one of the fields that the server itself writes
 * (Content-Length, Transfer-Encoding, Connection, Date, Content-Type and their like). */
bool		http_set(struct http_exchange *, const char *name, const char *value);
/* The response's head, once it is written, tells how long the flow was at each step until then
 * (Server-Timing: https://www.w3.org/TR/server-timing/). The flow lives until http_end(). */
void		http_set_timing(struct http_exchange *, const struct flow *);
/* A whole response; body is copied and may be empty. HEAD, 204 and 304 send no body. */
void		http_reply(struct http_exchange *, int status, const char *content_type,
		    struct slice body);
/* A whole response that says what went wrong: application/problem+json (RFC 9457) with the status
 * of its code; sets Retry-After and WWW-Authenticate where the status wants them. */
void		http_problem(struct http_exchange *, const struct err *, const char *request_id);
/* The problem object alone, for events inside a stream. */
void		http_problem_put(struct buf *, const struct err *, const char *request_id);
/* A streamed one: chunked to HTTP/1.1, until close to HTTP/1.0. */
void		http_stream_begin(struct http_exchange *, int status, const char *content_type);
/* Copied and queued, one chunk a call; empty does nothing. Small writes of one loop turn leave
 * together. Never waits: the producer calls http_stream_flush() between. */
void		http_stream_add(struct http_exchange *, struct slice);
/* Bytes that the kernel has not taken yet; 0 when the client has left. */
size_t		http_stream_queued(const struct http_exchange *);
/* Waits while more than the high-water mark is queued. */
enum flow_rc	http_stream_flush(struct flow *, struct http_exchange *)
		    __attribute__((warn_unused_result));
void		http_stream_end(struct http_exchange *);
/* After a failure mid-stream: the connection is cut, without the last chunk. */
void		http_stream_break(struct http_exchange *);
/* Gives the exchange back; neither it nor its slices are valid after. A response that was not
 * finished is broken off; one that never began becomes a 500 without a body. */
void		http_end(struct http_exchange *);

#endif
