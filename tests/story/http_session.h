/* SPDX-License-Identifier: MIT */
/*
 * http_session: one client of one server, as a cmocka fixture, and the assertions tests are made
 * of.
 */
#ifndef TESTS_HTTP_SESSION_H
#define TESTS_HTTP_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "http_fixture.h"

#define TAIL	" HTTP/1.1\r\nHost: x\r\n"
#define SESSION(fn)	cmocka_unit_test_setup_teardown(fn, session_open, session_close)

struct http_session {
	struct http_fixture	fixture;
	int		fd;
	struct buf	received;
};

static inline int
session_open_with(void **state, const struct http_conf *conf)
{
	static struct http_session v;

	signal(SIGPIPE, SIG_IGN);
	http_fixture_open(&v.fixture, conf);
	v.fd = client_open(&v.fixture);
	buf_init(&v.received, 1u << 24);
	*state = &v;
	return 0;
}

static inline int
session_open(void **state)
{
	struct http_conf conf;

	http_fixture_conf(&conf);
	return session_open_with(state, &conf);
}

static inline int
session_close(void **state)
{
	struct http_session *v = *state;

	close(v->fd);
	buf_free(&v->received);
	http_fixture_close(&v->fixture);
	return 0;
}

static inline const char *
received_text(const struct http_session *v)
{
	return v->received.data == NULL ? "nothing" : v->received.data;
}

static inline void
receives(struct http_session *v, const char *text, unsigned n)
{
	if (!client_receives(v->fd, &v->received, text, n))
		fail_msg("'%s' did not come %u times; received: %s", text, n, received_text(v));
}

static inline void
receives_end(struct http_session *v)
{
	if (!client_receive_all(v->fd, &v->received))
		fail_msg("it is not closed; received: %s", received_text(v));
}

static inline void
has(const struct http_session *v, const char *text, unsigned n)
{
	if (count_of(&v->received, text) != n)
		fail_msg("'%s' is not there %u times, but %u: %s", text, n,
		    count_of(&v->received, text), received_text(v));
}

#endif
