/* SPDX-License-Identifier: MIT */
/*
 * web_fixture: what the tests of the HTTP client share: a scripted server, and a story that
 * fetches.
 */
#ifndef TENANTGATE_TESTS_WEB_FIXTURE_H
#define TENANTGATE_TESTS_WEB_FIXTURE_H

#include "fake_peer.h"
#include "tenantgate/wire/web.h"

#define BIG_BYTES (8 * 1024 * 1024)
#define CEILING	  (64 * 1024)

struct fetch {
	struct probe probe;
	struct web_request request;
	struct web_response response;
	struct web_transfer *transfer;
	struct slice piece;
	size_t pulled;
	size_t largest;
	bool slow;
	struct timer nap;
	char url[128];
};

struct web_fixture {
	struct worker	*worker;
	struct web	*web;
	struct peer	 peer;
	size_t		 big_left;		/* of /big, not yet sent */
	char		 last_request[8192];
};
extern struct web_fixture bench;

int		web_fixture_up(void **state);
int		web_fixture_down(void **state);

void		fetch_init(struct fetch *, const char *path);
enum flow_rc	fetch_ask(struct flow *);
void		fetch_run(struct fetch *);
void		fetch_path(struct fetch *, const char *path);
/* Aborts it after ms; the server must see the connection close. */
void		fetch_abort(const char *path, void (*start)(struct fetch *), unsigned ms);

#endif
