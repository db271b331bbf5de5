/* SPDX-License-Identifier: MIT */
/*
 * web_fixture: what the tests of the HTTP client share: a worker with a client, and a scripted
 * server.
 */
#ifndef TENANTGATE_TESTS_WEB_FIXTURE_H
#define TENANTGATE_TESTS_WEB_FIXTURE_H

#include "web_client_fixture.h"

#define BIG_BYTES (8 * 1024 * 1024)
#define CEILING	  (64 * 1024)

struct web_fixture {
	struct worker	*worker;
	struct web	*web;
	struct peer	 peer;
	size_t		 big_left;		/* of /big, not yet sent */
	unsigned	 requests;		/* that the server has received */
	char		 last_request[8192];
};
extern struct web_fixture web_fixture;

int		web_fixture_set_up(void **state);
int		web_fixture_tear_down(void **state);

/* A fetch from the server of the fixture, with deadlines that no busy machine reaches. */
#define FETCH_PATIENCE_US 30000000
void		fetch_init(struct fetch *, const char *path);
void		fetch_path(struct fetch *, const char *path);	/* and run */
/* Aborts it after ms; the server must see the connection close. */
void		fetch_abort(const char *path, void (*start)(struct fetch *), unsigned ms);

#endif
