/* SPDX-License-Identifier: MIT */
/*
 * http: the front door. A strict HTTP/1.1 server (RFC 9110, 9112) on bufferevents.
 *
 *	  accept        headers complete         answer complete, http_end()
 *	[idle] --> [head] --> handler(x) ... [answering] --> [idle] or closed
 *
 * An http_server belongs to one worker: it, its connections and exchanges are touched on that
 * thread only. The handler is called once the header section is complete and sane, before any of
 * the body is asked for; `Expect: 100-continue` is answered only when somebody reads the body.
 *
 * An exchange is one request with its answer. It lives until http_end(), which the handler's side
 * calls exactly once, whatever happened to the client; slices of the request live as long. When
 * the client leaves first, the attached flow is aborted with ERR_CLIENT_GONE; writes after that
 * are swallowed. A client that shuts its side is taken to have left, save for answers given at
 * once by the handler itself. Malformed requests never reach the handler: they get 400 (or 408,
 * 413, 414, 417, 431, 501, 505) and the connection is closed.
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
#include "tenantgate/loop/worker.h"

struct http_server;
struct http_exchange;

typedef void http_handler_fn(struct http_exchange *, void *arg);
/* A request refused before it was one: for the log. `remote` is a numeric address. */
typedef void http_refused_fn(const struct err *, const char *request_id, const char *remote,
    void *arg);

struct http_conf {
	const char	*listen_addr;		/* numeric; "*" for all */
	uint16_t	 listen_port;		/* 0: a free one, see http_port() */
	unsigned	 max_client_conn;	/* whole process */
	unsigned	 max_client_conn_per_ip; /* whole process; 0: no such limit */
	size_t		 header_bytes_max;	/* request line and fields */
	unsigned	 header_count_max;
	size_t		 target_max;
	uint64_t	 header_timeout_us;	/* first byte of a request to its last header */
	uint64_t	 body_timeout_us;	/* between two pieces of a body */
	uint64_t	 send_timeout_us;	/* a client that takes nothing */
	uint64_t	 keepalive_timeout_us;	/* idle between requests */
	size_t		 write_high_water;	/* bytes queued before http_stream_flush() waits */
	const char	*server_name;		/* Server: field; NULL for none */
};

/* Fills in the defaults (nginx's where it has one). */
void	http_conf_init(struct http_conf *);

/* Connection counts shared by the servers of all workers. */
struct http_shared;
struct http_shared	*http_shared_new(void);
void			 http_shared_free(struct http_shared *);
unsigned		 http_shared_connections(const struct http_shared *);

/* Listens with SO_REUSEPORT. NULL with err set. conf is copied, its strings borrowed. `refused` may
 * be NULL. On the worker's thread, or before it starts; the process ignores SIGPIPE. */
struct http_server	*http_open(struct worker *, const struct http_conf *, struct http_shared *,
			    http_handler_fn *, http_refused_fn *, void *arg, struct err *);
uint16_t		 http_port(const struct http_server *);
/* Stops accepting, closes idle connections, `Connection: close` on every answer from now on. */
void			 http_drain(struct http_server *);
unsigned		 http_open_exchanges(const struct http_server *);
/* Closes all connections; attached flows must have ended. */
void			 http_close(struct http_server *);

/* ---- the request ---- */
struct slice	http_method(const struct http_exchange *);
struct slice	http_path(const struct http_exchange *);	/* as sent, before '?' */
struct slice	http_query(const struct http_exchange *);	/* after '?', may be empty */
/* First field of that name, trimmed; p is NULL when absent. */
struct slice	http_header(const struct http_exchange *, const char *name);
unsigned	http_header_count(const struct http_exchange *, const char *name);
/* Percent-decoded value of a query parameter into the arena; p NULL when absent or malformed. */
struct slice	http_query_get(const struct http_exchange *, const char *name, struct arena *);
const char	*http_remote(const struct http_exchange *);	/* numeric address */
bool		http_is_head(const struct http_exchange *);
uint64_t	http_bytes_in(const struct http_exchange *);
uint64_t	http_bytes_out(const struct http_exchange *);
int		http_status(const struct http_exchange *);	/* 0 until an answer began */
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

/* Whether a path (as sent) is one of the pattern's: "{name}", a whole segment of it, stands for one
 * or more bytes other than '/', and is captured; all else is equal, byte for byte. */
bool		http_path_match(const char *pattern, struct slice path, struct http_path_params *);
/* Percent-decoded value of a captured segment into the arena, which may hold a '/' now; p NULL when
 * there is none of that name, or it is malformed. */
struct slice	http_path_param(const struct http_path_params *, const char *name, struct arena *);

/* The flow that a departed client aborts; NULL detaches. */
void		http_attach(struct http_exchange *, struct flow *);

/*
 * Reads the whole body into `out` (its ceiling is out->max; a longer body, declared or found, is
 * ERR_TOO_LARGE: declared, it fails before a byte is read or 100 is sent). Sends 100-continue
 * when it was asked for. Fails with ERR_REQUEST_TIMEOUT when the client stalls.
 */
enum flow_rc	http_read_body(struct flow *, struct http_exchange *, struct buf *out)
		    __attribute__((warn_unused_result));

/* ---- the answer ---- */
/* Before the answer begins. Copied, 8 KiB in all. Refuses (false) names or values that are not
 * field-safe, and those that are the server's own: Content-Length, Transfer-Encoding, Connection,
 * Date, Content-Type and their like. */
bool		http_set(struct http_exchange *, const char *name, const char *value);
/* A whole answer. body may be empty. HEAD, 204 and 304 send no body. */
void		http_reply(struct http_exchange *, int status, const char *content_type,
		    struct slice body);
/* A whole answer that says what went wrong: application/problem+json (RFC 9457) with the status of
 * its code; sets Retry-After and WWW-Authenticate where the status wants them. */
void		http_problem(struct http_exchange *, const struct err *, const char *request_id);
/* The problem object alone, for events inside a stream. */
void		http_problem_put(struct buf *, const struct err *, const char *request_id);
/* A streamed one: chunked to HTTP/1.1, until close to HTTP/1.0. */
void		http_stream_begin(struct http_exchange *, int status, const char *content_type);
/* Queued, one chunk a call; empty is a no-op. Small writes of one loop turn leave together. */
void		http_stream_add(struct http_exchange *, struct slice);
/* Waits while more than the high-water mark is queued. */
enum flow_rc	http_stream_flush(struct flow *, struct http_exchange *)
		    __attribute__((warn_unused_result));
void		http_stream_end(struct http_exchange *);
/* After a failure mid-stream: the connection is cut, without the last chunk. */
void		http_stream_break(struct http_exchange *);
/* Gives the exchange back. An answer that was not finished is broken off; one that never began
 * becomes a bare 500. */
void		http_end(struct http_exchange *);

#endif
