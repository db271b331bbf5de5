/* SPDX-License-Identifier: MIT */
/*
 * web_internal: what the files of the HTTP client share. Calls between them go one way:
 *
 *	web_fetch.c	web_fetch(), web_start(): begins a transfer and lets the flow wait for it
 *	    v
 *	web.c		gives libcurl its sockets, its timer and its turns; says who has finished
 *	    v
 *	web_transfer.c	one transfer: libcurl's callbacks, deadlines, who waits for what
 *	    v
 *	web_lookup.c	the name's addresses, before libcurl has the request
 *	web_easy.c	a request as libcurl options; the easy handles at rest
 *	web_certificate.c  what is asked of the server's certificate, and why it was refused
 *	web_connection.c	its sockets, and which of them is not to be used again
 *	web_once.c	keeps libcurl from sending again what may have been processed
 *	web_response.c	header fields and CURLcodes as a struct web_response
 *
 * Two rules keep it so. libcurl's callbacks only note what has come and put the transfer on the
 * ready list, for none of libcurl's functions may be called from within one
 * (CURLM_RECURSIVE_API_CALL). And a transfer never drives libcurl's multi handle: web.c does, and
 * looks at the ready list when libcurl has returned.
 */
#ifndef TENANTGATE_WIRE_WEB_INTERNAL_H
#define TENANTGATE_WIRE_WEB_INTERNAL_H

#include <sys/queue.h>

#include <curl/curl.h>

#include "tenantgate/loop/timer.h"
#include "tenantgate/wire/dns.h"
#include "tenantgate/wire/web.h"

#define WEB_MAGIC	 0x57454254u /* "WEBT" */
#define WEB_HEADER_BYTES 65536	     /* of one response, 1xx and trailers included */
#define WEB_DAY_S	 86400	     /* the most of a Retry-After that we believe */
#define WEB_STREAM_READ	 8192L	     /* bytes that a stream reads at once */
#define WEB_SPARE_MAX	 32	     /* easy handles at rest */

struct web {
	struct worker	*worker;	/* borrowed */
	CURLM		*multi;		/* owned */
	CURLSH		*share;		/* owned: TLS sessions, which an easy handle would keep */
					/* for itself; of one thread, so without locks */
	struct timer	 timer;		/* the one that libcurl asked for */
	long		 timer_ms;	/* what it last asked for, -1: none; .. */
	bool		 timer_changed;	/* .. not yet set */
	bool		 driving;	/* inside libcurl: the timer is set when it has returned */
	char		*ca_file;	/* owned; NULL: the system's */
	struct dns	*dns;		/* borrowed; NULL: libcurl's own resolver */
	char		*user_agent;	/* owned */
	CURL		*spare[WEB_SPARE_MAX]; /* owned: easy handles at rest */
	unsigned	 spare_count;
	LIST_HEAD(, web_connection) connections; /* owned: all open ones */
	LIST_HEAD(, web_transfer) transfers;	/* all */
	TAILQ_HEAD(, web_transfer) ready;	/* those for which something has come */
};

enum web_kind {
	WEB_WHOLE,	/* web_fetch(): the body goes into response->body */
	WEB_STREAM,	/* web_start(): the body is pulled */
};

enum web_state {
	WEB_REQUESTED,	/* no final header block yet */
	WEB_BODY,
	WEB_ENDED,	/* libcurl is done with it; what came may still wait to be pulled */
};

/* What the flow waits for; at most one thing. */
enum web_waiting { WEB_WAIT_NONE, WEB_WAIT_HEADERS, WEB_WAIT_PIECE, WEB_WAIT_END };

struct web_transfer {
	unsigned		 magic;
	enum web_kind		 kind;
	enum web_state		 state;		/* moved in web_transfer.c */
	bool			 has_body;	/* its first byte has come */
	bool			 paused;	/* CURL_WRITEFUNC_PAUSE: libcurl has the rest */
	bool			 ready;		/* on web->ready */
	struct web		*web;		/* borrowed */
	CURL			*easy;		/* owned until WEB_ENDED */
	struct curl_slist	*fields;	/* owned until WEB_ENDED: libcurl borrows it */
	char			 host[DNS_NAME_MAX + 1]; /* of the URL, without the root's dot */
	uint16_t		 port;
	uint64_t		 connect_timeout_us;	/* of lookup and connect */
	struct web_lookup	*lookup;	/* owned until WEB_ENDED; NULL: none was needed */
	LIST_ENTRY(web_transfer) link;
	TAILQ_ENTRY(web_transfer) ready_link;

	enum web_waiting	 waiting;
	struct flow		*flow;		/* borrowed; set while waiting */
	struct web_transfer	**out;		/* borrowed; WEB_WAIT_HEADERS of a stream */
	struct slice		*piece;		/* borrowed; WEB_WAIT_PIECE */
	struct web_response	*response;	/* borrowed: the caller's */
	struct buf		 arrived;	/* owned: not yet pulled; see web_transfer.c */
	struct buf		 pulled;	/* owned: the piece that the caller holds */
	size_t			 response_max;	/* bytes; see struct web_request */
	size_t			 body_bytes;	/* of the request */
	size_t			 header_bytes;	/* so far; at most WEB_HEADER_BYTES */

	struct timer		 timer;		/* the nearest of the deadlines below */
	uint64_t		 began_us;	/* monotonic */
	uint64_t		 last_data_us;	/* monotonic: last bytes, or our unpausing */
	uint64_t		 first_byte_timeout_us;	/* these three: 0 is none */
	uint64_t		 idle_timeout_us;
	uint64_t		 total_timeout_us;
	char			 curl_error[CURL_ERROR_SIZE];	/* written by libcurl */

	/* See web_once.c. */
	int			 local_port;	/* these two tell its connection from others */
	int			 remote_port;
	bool			 is_harmless;	/* sent again by libcurl as it likes */
	struct web_connection	*connection;	/* borrowed while it is sent on; NULL: not known */
	unsigned		 stream_id;	/* 0: none yet, or HTTP/1 */
	bool			 is_refused;	/* before the server processed anything of it */
};

/* web.c. Adding only registers; web_kickstart() makes libcurl begin now rather than when the timer
 * that adding sets has come round the loop. It may end the transfer, and wake its flow, at once. */
bool	web_add(struct web *, CURL *);
void	web_kickstart(struct web *);

/* web_transfer.c */
/* NULL: no memory for it, or for an easy handle. */
struct web_transfer *web_transfer_new(struct web *, enum web_kind, const struct web_request *,
	    struct web_response *);
void	web_transfer_arm(struct web_transfer *);	/* sets the timer to the next deadline */
void	web_transfer_end(struct web_transfer *, CURLcode);	/* the one way into WEB_ENDED */
void	web_transfer_free(struct web_transfer *);	/* in any state; never from a callback */
void	web_deliver(struct web_transfer *);	/* wakes the flow if what it waits for has come */
size_t	web_on_header(char *, size_t, size_t, void *transfer);	/* CURLOPT_HEADERFUNCTION */
size_t	web_on_write(char *, size_t, size_t, void *transfer);	/* CURLOPT_WRITEFUNCTION */

/* web_easy.c */
CURL	*web_easy_acquire(struct web *);		/* NULL: no memory */
void	 web_easy_release(struct web *, CURL *);
/* False when an option was refused or there is no memory; t->curl_error may say why. */
bool	 web_easy_prepare(struct web_transfer *, const struct web_request *);

/* CURLOPT_CONNECTTIMEOUT_MS: so much is left of it. False: refused. */
bool	 web_easy_connect_within(struct web_transfer *, uint64_t us);

/* web_lookup.c: gives libcurl the addresses of the transfer's host, and the transfer to libcurl; at
 * once where nothing is to be asked. A failure ends the transfer, which is ready then. */
void	 web_lookup_begin(struct web_transfer *);
void	 web_lookup_end(struct web_transfer *);	/* whatever it has come to; idempotent */

/* web_certificate.c. False when an option was refused. */
bool	 web_certificate_set(struct web_transfer *);
/* Says why TLS failed; false: it was not that, or libcurl says it as well. */
bool	 web_certificate_fail(struct web_transfer *, CURLcode);

/* web_connection.c. The first two are libcurl's, for its sockets. */
struct web_ends {
	const char	*local, *remote;	/* addresses as text */
	int		 local_port, remote_port;
};
curl_socket_t	web_connection_open(void *web, curlsocktype, struct curl_sockaddr *);
int		web_connection_close(void *web, curl_socket_t);
void		web_connections_forget(struct web *);	/* when libcurl has closed them */
/* NULL when it is not among them. */
struct web_connection *web_connection_find(struct web *, const struct web_ends *);
void		web_connection_is_http2(struct web_connection *);
/* Before a request is sent on a kept connection: one on which something has come unasked is shut
 * down. Both take NULL. */
void		web_connection_refuse_unasked(struct web_connection *);

/* web_once.c. False when an option was refused. */
bool	 web_once_set(struct web_transfer *, const struct web_request *);

/* web_response.c */
/* One header line, without its line break: notes the few fields that we use. */
void	web_response_field(struct web_response *, struct slice line);
/* libcurl's outcome. The easy handle must still be there: it knows whether anything was sent. */
void	web_response_end(struct web_transfer *, CURLcode);
/* A deadline is over; what: the sentence when there is a connection. */
void	web_response_late(struct web_transfer *, const char *what);
/* A sentence; the first reason given is the one kept. */
void	web_response_fail(struct web_response *, enum web_failure, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

#endif
