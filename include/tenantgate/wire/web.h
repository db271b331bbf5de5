/* SPDX-License-Identifier: MIT */
/*
 * web: HTTP client on the loop (libcurl multi). One per worker, that thread only; connections are
 * kept and shared by its transfers. Two forms: web_fetch() for a whole response, and a transfer
 * that is pulled piece by piece (a model's stream) and pauses the server when nobody pulls.
 *
 * No coding of a body is asked for (Accept-Encoding: identity): one that comes all the same is
 * handed on as it is.
 *
 * Failures are in the response (web_failure), not the flow's: the caller knows whether to retry. A
 * status of 400 or 500 is no failure here. Redirects are not followed.
 *
 * What is not GET or HEAD leaves at most once: libcurl by itself sends a request again when a kept
 * connection ends before a byte of the response (RFC 9110, 9.2.2 forbids that for what is not
 * idempotent); here that is WEB_CUT, with `sent` set, and whether to try again is the caller's to
 * say, by `unprocessed`.
 */
#ifndef TENANTGATE_WIRE_WEB_H
#define TENANTGATE_WIRE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"

struct dns;
struct web;
struct web_transfer;

struct web_conf {
	const char	*ca_file;		/* copied; NULL: the system's */
	unsigned	 connections_max;	/* per worker, all hosts; more transfers wait */
	const char	*user_agent;		/* copied; NULL: "tenantgate" */
	struct dns	*dns;			/* borrowed; NULL: libcurl looks names up */
};

enum web_failure {
	WEB_FINE,
	WEB_RESOLVE,		/* no such host, or no resolver: nothing was sent */
	WEB_CONNECT,		/* refused, unreachable: nothing was sent */
	WEB_TLS,		/* no agreement, or a certificate that does not verify */
	WEB_TIMEOUT,		/* connect, first byte, idle or total: see detail */
	WEB_CUT,		/* closed before the response was whole */
	WEB_TOO_LARGE,		/* its header fields, or a body past response_max */
	WEB_NO_MEMORY,		/* ours, for what arrived */
	WEB_OTHER,
};

#define WEB_HEADERS_MAX	12

/* Borrowed for the call as a whole; times in microseconds, 0: none (for the connect: 10 s). */
struct web_request {
	const char	*method;		/* "GET", "POST", "DELETE" ... */
	const char	*url;
	const char	*headers[WEB_HEADERS_MAX]; /* "Name: value" lines, NULL-ended; copied */
	struct slice	 body;			/* copied; none when p is NULL */
	bool		 body_stays;		/* not copied: it lives until the transfer's end */
	bool		 fresh_connection;	/* for what must not be lost, as a creation: one */
						/* that was kept may be ending just now */
	uint64_t	 connect_timeout_us;
	uint64_t	 first_byte_timeout_us;	/* from the start to the first byte of the body */
	uint64_t	 idle_timeout_us;	/* between two pieces; our pauses not counted; an
						 * error's first one counts (status 400 and up) */
	uint64_t	 total_timeout_us;	/* streams have none */
	size_t		 response_max;		/* bytes: a body's ceiling, a stream's read-ahead */
};

/* Zeroed before first use; a new request empties it. */
struct web_response {
	enum web_failure failure;
	char		 detail[256];		/* a sentence, no secrets; the host at most */
	int		 status;		/* 0 when no status line came */
	int		 retry_after_s;		/* rounded up, a day at most; 0: none */
	bool		 sent;			/* false: certainly no byte left us */
	bool		 unprocessed;		/* failed, and the server has certainly done */
						/* nothing: not sent, or refused (RFC 9113, 8.7) */
	bool		 is_event_stream;	/* Content-Type: text/event-stream */
	struct buf	 body;			/* web_fetch only; owned: web_response_free() */
};

/* NULL: libcurl could not be set up. */
struct web	*web_open(struct worker *, const struct web_conf *);
void		 web_close(struct web *);	/* after its last transfer; NULL is fine */
/* As many connections as there may be, from now on. */
void		 web_set_connections_max(struct web *, unsigned);

/* Wakes plainly when the response is whole or has failed. *out is borrowed until then. */
enum flow_rc	 web_fetch(struct flow *, struct web *, const struct web_request *,
		    struct web_response *out) __attribute__((warn_unused_result));
void		 web_response_free(struct web_response *);	/* idempotent */

/* Starts; waits until status and header fields are known (or it failed: response->failure, and
 * *out may be NULL). The response is borrowed until web_stop(), which the caller owes *out. */
enum flow_rc	 web_start(struct flow *, struct web *, const struct web_request *,
		    struct web_transfer **out, struct web_response *response)
		    __attribute__((warn_unused_result));
/* The next piece: what has arrived, at least one byte. Empty: the end; then response->failure says
 * whether it was a good one. Borrowed until the next call, or web_stop(). */
enum flow_rc	 web_pull(struct flow *, struct web_transfer *, struct slice *piece)
		    __attribute__((warn_unused_result));
/* The caller will not pull for a while: the last piece is freed, and no more is read of the server
 * until the next web_pull(). The request's body may be freed too when web_request_is_sent(). */
void		 web_rest(struct web_transfer *);
bool		 web_request_is_sent(const struct web_transfer *);
/* From now on the idle time-out is no longer than this, microseconds. */
void		 web_idle_at_most(struct web_transfer *, uint64_t us);
/* Abandons what is left: the server sees its connection closed, or its HTTP/2 stream reset. Sets
 * *transfer to NULL; idempotent by that. */
void		 web_stop(struct web_transfer **);

/* libcurl's version ("7.88.1"), for --version. Static. */
const char	*web_library_version(void);

#endif
