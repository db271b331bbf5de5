/* SPDX-License-Identifier: MIT */
/*
 * test_http_pieces: a body that its handler takes piece by piece, and is slow with: the client is
 * neither hurried for that nor given more time for it.
 */
#include "http_session.h"

#include <stdio.h>
#include <stdlib.h>

#define BODY_BYTES 90000
#define PACE	   1000 /* bytes a second at least */

static char body[BODY_BYTES + 1];

static int
pieces_open(void **state)
{
	struct http_conf conf;

	for (size_t i = 0; i < BODY_BYTES; i++)
		body[i] = (char)('a' + i * 7 % 23);
	http_fixture_conf(&conf);
	conf.body_rate_min = PACE;
	return session_open_with(state, &conf);
}

static void
gets_whole_body(struct http_session *v)
{
	assert_true(client_receives(v->fd, &v->received, body, 1));
	assert_true(client_receives(v->fd, &v->received, "HTTP/1.1 200 OK\r\n", 1));
}

static void
a_body_comes_in_pieces(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /pieces" TAIL "Content-Length: 90000\r\n\r\n");
	client_send_bytes(v->fd, body, BODY_BYTES);
	gets_whole_body(v);
	assert_true(atomic_load(&v->fixture.pieces) > 1);
	assert_true(atomic_load(&v->fixture.pieces) <= BODY_BYTES / PIECE_ENOUGH);
}

/* And the request behind it is another. */
static void
so_does_a_chunked_one(void **state)
{
	struct http_session *v = *state;
	char head[32];

	client_send(v->fd, "POST /pieces" TAIL "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t at = 0; at < BODY_BYTES; at += 7500) {
		snprintf(head, sizeof(head), "%x\r\n", 7500);
		client_send(v->fd, head);
		client_send_bytes(v->fd, body + at, 7500);
		client_send(v->fd, "\r\n");
	}
	client_send(v->fd, "0\r\n\r\nGET /hello" TAIL "\r\n");
	gets_whole_body(v);
	assert_true(client_receives(v->fd, &v->received, "hello\n", 1));
}

static void
an_empty_one_is_complete(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /pieces" TAIL "Content-Length: 0\r\n\r\n");
	assert_true(client_receives(v->fd, &v->received, "HTTP/1.1 200 OK\r\n", 1));
	assert_int_equal(atomic_load(&v->fixture.pieces), 1);
}

/* The handler was ten seconds over the first piece: the client has its time all the same. */
static void
the_handlers_time_is_not_the_clients(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /pieces" TAIL "Content-Length: 90000\r\n\r\n");
	client_send_bytes(v->fd, body, 1500);
	assert_true(http_fixture_waits_for(&v->fixture.pieces, 1));
	usleep(2 * FIXTURE_TIMEOUT_US);
	client_send_bytes(v->fd, body + 1500, BODY_BYTES - 1500);
	gets_whole_body(v);
}

/* The first piece took what it may take, by a clock that only this test moves. A clock that began
 * anew with the second would let fifty drops pass. */
static void
the_pace_is_the_whole_bodys(void **state)
{
	struct http_session *v = *state;
	unsigned drops = 0;

	clock_test_freeze(true);
	client_send(v->fd, "POST /pieces" TAIL "Content-Length: 90000\r\n\r\n");
	for (size_t i = 0; i < 9; i++) {
		client_send_bytes(v->fd, body, 100);
		assert_true(http_fixture_reads_body(&v->fixture, (i + 1) * 100));
		clock_test_advance(100000 - 1000);
	}
	client_send_bytes(v->fd, body, 100);
	assert_true(http_fixture_waits_for(&v->fixture.pieces, 1));
	while (atomic_load(&v->fixture.ended) == 0 && drops++ < 1000) {
		client_send(v->fd, "x");
		if (!http_fixture_reads_body(&v->fixture, drops))
			break;
		clock_test_advance(FIXTURE_TIMEOUT_US / 3);
		usleep(5000);
	}
	assert_true(client_receives(v->fd, &v->received, "HTTP/1.1 408 Request Timeout\r\n", 1));
	assert_in_range(drops, 3, 30);
	clock_test_freeze(false);
}

static void
all_pieces_have_one_ceiling(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /pieces" TAIL "Transfer-Encoding: chunked\r\n\r\n15f90\r\n");
	client_send_bytes(v->fd, body, BODY_BYTES);
	client_send(v->fd, "\r\n15f90\r\n");
	client_send_bytes(v->fd, body, BODY_BYTES / 2);
	assert_true(client_receives(v->fd, &v->received, "The pieces are too many.", 1));
	assert_true(client_receives(v->fd, &v->received, "HTTP/1.1 413 ", 1));
}

static void
one_that_says_so_is_refused_unread(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /pieces" TAIL "Content-Length: 100001\r\n\r\n");
	assert_true(client_receives(v->fd, &v->received, "The pieces are too many.", 1));
	assert_int_equal(atomic_load(&v->fixture.pieces), 0);
}

static void
a_client_may_leave_between_pieces(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /pieces" TAIL "Content-Length: 90000\r\n\r\n");
	client_send_bytes(v->fd, body, 1500);
	assert_true(http_fixture_waits_for(&v->fixture.pieces, 1));
	client_reset(v->fd);
	v->fd = -1;
	assert_true(http_fixture_waits_for(&v->fixture.ended, 1));
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_CLIENT_GONE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, pieces_open, session_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_body_comes_in_pieces),
		TEST(so_does_a_chunked_one),
		TEST(an_empty_one_is_complete),
		TEST(the_handlers_time_is_not_the_clients),
		TEST(the_pace_is_the_whole_bodys),
		TEST(all_pieces_have_one_ceiling),
		TEST(one_that_says_so_is_refused_unread),
		TEST(a_client_may_leave_between_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
