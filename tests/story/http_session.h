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

#include <sys/socket.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "http_fixture.h"
#include "tenantgate/base/clock.h"

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

/* The server has sent something, or closed. */
static inline bool
is_answered(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != -1;
}

/* Time goes on until the server has answered, or closed; how much that was, us. */
static inline uint64_t
passes_until_answered(struct http_session *v)
{
	uint64_t passed = 0;

	while (!is_answered(v->fd)) {
		if (passed >= 4000 * (FIXTURE_TIMEOUT_US / 10))
			fail_msg("nothing comes, however long it is waited for");
		clock_test_advance(FIXTURE_TIMEOUT_US / 10);
		passed += FIXTURE_TIMEOUT_US / 10;
		usleep(5000);
	}
	return passed;
}

static inline void
has(const struct http_session *v, const char *text, unsigned n)
{
	if (count_of(&v->received, text) != n)
		fail_msg("'%s' is not there %u times, but %u: %s", text, n,
		    count_of(&v->received, text), received_text(v));
}

#endif
