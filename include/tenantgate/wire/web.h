/* SPDX-License-Identifier: MIT */
/*
 * web: HTTP client on the loop (libcurl multi). One per worker, that thread only; connections are
 * kept and shared by its transfers. Two forms: web_fetch() for a whole answer, and a transfer
 * that is pulled piece by piece (a model's stream) and pauses the peer when nobody pulls.
 *
 * Failures are in the answer (web_failure), not the flow's: the caller knows what to make of them.
 */
#ifndef TENANTGATE_WIRE_WEB_H
#define TENANTGATE_WIRE_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"

struct web;
struct web_transfer;

struct web_conf {
	const char	*ca_file;		/* NULL: the system's */
	unsigned	 connections_max;	/* per worker, all hosts */
	const char	*user_agent;
};

enum web_failure {
	WEB_FINE,
	WEB_RESOLVE,
	WEB_CONNECT,		/* refused, unreachable: nothing was sent */
	WEB_TLS,
	WEB_TIMEOUT,		/* connect, first byte, idle or total: see detail */
	WEB_CUT,		/* closed before the answer was whole */
	WEB_TOO_LARGE,
	WEB_NO_MEMORY,		/* ours, for what arrived */
	WEB_OTHER,
};

#define WEB_HEADERS_MAX	12

struct web_request {
	const char	*method;		/* "GET", "POST", "DELETE" ... */
	const char	*url;
	const char	*headers[WEB_HEADERS_MAX]; /* "Name: value" lines, NULL-ended; copied */
	struct slice	 body;			/* copied; none when p is NULL */
	uint64_t	 connect_timeout_us;
	uint64_t	 first_byte_timeout_us;	/* from the start to the answer's first byte */
	uint64_t	 idle_timeout_us;	/* between two pieces; our pauses not counted */
	uint64_t	 total_timeout_us;	/* 0: none (streams) */
	size_t		 response_max;		/* ceiling of a body, of a stream's read-ahead */
};

/* Zeroed before first use; a new request empties it. */
struct web_response {
	enum web_failure failure;
	char		 detail[160];		/* for logs; no secrets (the URL's host at most) */
	int		 status;		/* 0 when no status line came */
	int		 retry_after_s;		/* or retry-after-ms, rounded up; 0: none */
	bool		 sent;			/* false: certainly no byte left us */
	bool		 is_event_stream;	/* Content-Type: text/event-stream */
	struct buf	 body;			/* web_fetch only; owned: web_response_free() */
};

struct web	*web_open(struct worker *, const struct web_conf *);
void		 web_close(struct web *);

enum flow_rc	 web_fetch(struct flow *, struct web *, const struct web_request *,
		    struct web_response *out) __attribute__((warn_unused_result));
void		 web_response_free(struct web_response *);	/* idempotent */

/* Starts; waits until status and header fields are known (or it failed: answer->failure, and
 * *out may be NULL). */
enum flow_rc	 web_start(struct flow *, struct web *, const struct web_request *,
		    struct web_transfer **out, struct web_response *response)
		    __attribute__((warn_unused_result));
/* The next piece: what has arrived, at least one byte. Empty: the end; then answer->failure says
 * whether it was a good one. Borrowed until the next call. */
enum flow_rc	 web_pull(struct flow *, struct web_transfer *, struct slice *piece)
		    __attribute__((warn_unused_result));
/* Abandons what is left; the peer sees the connection close. Idempotent through *transfer. */
void		 web_stop(struct web_transfer **);

/* libcurl's version ("7.88.1"), for --version. Static. */
const char	*web_library_version(void);

#endif
