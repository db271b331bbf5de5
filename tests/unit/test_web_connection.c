/* SPDX-License-Identifier: MIT */
/*
 * A kept connection on which something has come unasked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <cmocka.h>

#include "web_fixture.h"

/* Whether something waits to be read on a socket that is connected to the server. */
static bool
client_has_bytes(void)
{
	for (int fd = 0; fd < 256; fd++) {
		struct sockaddr_in a = { .sin_port = 0 };
		socklen_t n = sizeof(a);
		char byte;

		if (getpeername(fd, (struct sockaddr *)&a, &n) == 0 &&
		    ntohs(a.sin_port) == web_fixture.peer.port &&
		    recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			return true;
	}
	return false;
}

static void
stray_answer(struct peer_conn *c)
{
	peer_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray");
	while (!client_has_bytes())
		turn_for(web_fixture.worker, 1);
}

/* Else it would be the response to the next request, whosever that is. */
static void
a_connection_with_a_stray_answer_is_not_used_again(void **state)
{
	static const char *const methods[] = { "POST", "GET" };
	struct fetch t;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		fetch_path(&t, "/hello");
		web_response_free(&t.response);
		assert_int_equal(web_fixture.peer.accepted, i + 1);
		stray_answer(&web_fixture.peer.conns[i]);
		fetch_init(&t, "/hello");
		t.request.method = methods[i];
		fetch_run(&t);
		assert_int_equal(t.response.failure, WEB_FINE);
		assert_string_equal(t.response.body.data, "hello");
		web_response_free(&t.response);
		assert_int_equal(web_fixture.peer.accepted, i + 2);
		assert_int_equal(web_fixture.requests, 2 * (i + 1));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_connection_with_a_stray_answer_is_not_used_again,
		    web_fixture_set_up, web_fixture_tear_down),
	};

	return cmocka_run_group_tests_name("web_connection", tests, NULL, NULL);
}
