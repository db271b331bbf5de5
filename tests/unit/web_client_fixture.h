/* SPDX-License-Identifier: MIT */
/*
 * web_client_fixture: one request of the HTTP client as a flow: its response whole, or pulled as a
 * stream.
 */
#ifndef TESTS_UNIT_WEB_CLIENT_FIXTURE_H
#define TESTS_UNIT_WEB_CLIENT_FIXTURE_H

#include "fake_peer.h"
#include "tenantgate/wire/web.h"

struct fetch {
	struct probe		 probe;		/* first: the flow */
	struct worker		*worker;
	struct web		*web;
	char			 url[128];
	struct web_request	 request;
	struct web_response	 response;	/* web_response_free() it */
	/* A stream. */
	struct web_transfer	*transfer;	/* NULL before it begins, and when it has ended */
	uint64_t		 first_delay_us;	/* before the first pull; 0: none */
	uint64_t		 each_delay_us;	/* after each piece */
	struct timer		 timer;
	struct slice		 piece;
	size_t			 pulled;	/* bytes */
	size_t			 largest;	/* piece, in bytes */
};

/* A GET of that URL, which is origin and path joined; without deadlines or a ceiling: the caller
 * sets those in t->request. */
void		fetch_open(struct fetch *, struct worker *, struct web *, const char *origin,
		    const char *path);
/* The steps of a whole response and of a stream's begin: web_fetch(), web_start(). */
enum flow_rc	fetch_ask(struct flow *);
enum flow_rc	stream_ask(struct flow *);

void		fetch_start(struct fetch *);
void		stream_start(struct fetch *);
/* Starts, and turns the loop to its end. The flow must not fail; the response may. */
void		fetch_run(struct fetch *);

#endif
