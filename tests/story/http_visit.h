/* SPDX-License-Identifier: MIT */
/*
 * http_visit: one client at one house, as a cmocka fixture, and the sentences tests are made of.
 */
#ifndef TESTS_HTTP_VISIT_H
#define TESTS_HTTP_VISIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "http_house.h"

#define TAIL	" HTTP/1.1\r\nHost: x\r\n"
#define VISIT(fn)	cmocka_unit_test_setup_teardown(fn, visit_enter, visit_leave)

struct visit {
	struct house	house;
	int		fd;
	struct buf	heard;
};

static inline int
visit_enter_with(void **state, const struct http_conf *conf)
{
	static struct visit v;

	signal(SIGPIPE, SIG_IGN);
	house_open(&v.house, conf);
	v.fd = client_open(&v.house);
	buf_init(&v.heard, 1u << 24);
	*state = &v;
	return 0;
}

static inline int
visit_enter(void **state)
{
	struct http_conf conf;

	house_conf(&conf);
	return visit_enter_with(state, &conf);
}

static inline int
visit_leave(void **state)
{
	struct visit *v = *state;

	close(v->fd);
	buf_free(&v->heard);
	house_close(&v->house);
	return 0;
}

static inline const char *
heard(const struct visit *v)
{
	return v->heard.data == NULL ? "nothing" : v->heard.data;
}

static inline void
hears(struct visit *v, const char *text, unsigned n)
{
	if (!client_hears(v->fd, &v->heard, text, n))
		fail_msg("'%s' did not come %u times; heard: %s", text, n, heard(v));
}

static inline void
hears_end(struct visit *v)
{
	if (!client_hear_all(v->fd, &v->heard))
		fail_msg("it is not closed; heard: %s", heard(v));
}

static inline void
has(const struct visit *v, const char *text, unsigned n)
{
	if (count_of(&v->heard, text) != n)
		fail_msg("'%s' is not there %u times, but %u: %s", text, n,
		    count_of(&v->heard, text), heard(v));
}

#endif
