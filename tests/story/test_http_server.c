/* SPDX-License-Identifier: MIT */
/*
 * The front door as its clients see it, over real sockets: what an orderly client may rely on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "http_house.h"

#define TAIL	" HTTP/1.1\r\nHost: x\r\n"

struct visit {
	struct house	house;
	int		fd;
	struct buf	heard;
};

static int
enter(void **state)
{
	static struct visit v;
	struct http_conf conf;

	signal(SIGPIPE, SIG_IGN);
	house_conf(&conf);
	house_open(&v.house, &conf);
	v.fd = client_open(&v.house);
	buf_init(&v.heard, 1u << 24);
	*state = &v;
	return 0;
}

static int
leave(void **state)
{
	struct visit *v = *state;

	if (v->fd >= 0)
		close(v->fd);
	buf_free(&v->heard);
	house_close(&v->house);
	return 0;
}

static void
hears(struct visit *v, const char *text)
{
	if (!client_hears(v->fd, &v->heard, text))
		fail_msg("'%s' did not come; heard: %s", text,
		    v->heard.data == NULL ? "nothing" : v->heard.data);
}

static void
a_connection_is_kept(void **state)
{
	struct visit *v = *state;

	for (int i = 0; i < 3; i++) {
		buf_reset(&v->heard);
		client_say(v->fd, "GET /hello" TAIL "\r\n");
		hears(v, "hello\n");
		assert_int_equal(count_of(&v->heard, "HTTP/1.1 200 OK\r\n"), 1);
		assert_int_equal(count_of(&v->heard, "Content-Length: 6\r\n"), 1);
		assert_int_equal(count_of(&v->heard, "Server: house\r\n"), 1);
		assert_int_equal(count_of(&v->heard, "X-Path: hello\r\n"), 1);
		assert_int_equal(count_of(&v->heard, " GMT\r\n"), 1);
		assert_int_equal(count_of(&v->heard, "Connection:"), 0);
	}
	assert_int_equal(atomic_load(&v->house.handled), 3);
}

static void
close_is_honoured(void **state)
{
	struct visit *v = *state;

	client_say(v->fd, "GET /hello" TAIL "Connection: close\r\n\r\n");
	assert_true(client_hear_all(v->fd, &v->heard));
	assert_int_equal(count_of(&v->heard, "Connection: close\r\n"), 1);
	assert_int_equal(count_of(&v->heard, "hello\n"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_connection_is_kept, enter, leave),
		cmocka_unit_test_setup_teardown(close_is_honoured, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
