/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server as its clients see it, over real sockets: what a well-behaved one may rely on.
 */
#include "http_session.h"

#include <sys/socket.h>

#include <unistd.h>

static void
a_connection_is_kept(void **state)
{
	struct http_session *v = *state;

	for (int i = 0; i < 3; i++) {
		buf_reset(&v->received);
		client_send(v->fd, "GET /hello" TAIL "\r\n");
		receives(v, "hello\n", 1);
		has(v, "HTTP/1.1 200 OK\r\n", 1);
		has(v, "Content-Length: 6\r\n", 1);
		has(v, "Content-Type: text/plain\r\n", 1);
		has(v, "Server: fixture\r\n", 1);
		has(v, "X-Path: hello\r\n", 1);
		has(v, " GMT\r\n", 1);
		has(v, "X-Content-Type-Options: nosniff\r\n", 1);
		has(v, "Connection:", 0);
	}
	assert_int_equal(atomic_load(&v->fixture.handled), 3);
	passes_until_answered(v); /* idle for too long */
	receives_end(v);
}

static void
a_handler_reads_the_query_and_fields(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /ask?a&qq=1&q=%41+b%2f&q=2" TAIL "X-Word:  w \r\nX-Word:\r\n\r\n");
	receives(v, "A b/ w of 2 from 127.0.0.1", 1);
	client_send(v->fd, "GET /ask?q=%4" TAIL "X-Word: w\r\n\r\n");
	client_send(v->fd, "GET /ask?q=%00" TAIL "X-Word: w\r\n\r\n");
	client_send(v->fd, "GET /ask?q=%zz" TAIL "X-Word: w\r\n\r\n");
	client_send(v->fd, "GET /ask" TAIL "X-Word: w\r\n\r\n");
	client_send(v->fd, "GET /ask?q=" TAIL "\r\n");
	receives(v, "HTTP/1.1 400 Bad Request\r\n", 5);
	client_send(v->fd, "GET /ask?q=" TAIL "X-Word:\r\n\r\n");
	receives(v, "HTTP/1.1 200 OK\r\n", 2);
}

static void
workers_share_a_port(void **state)
{
	struct http_session *v = *state;
	struct http_conf conf;
	struct http_fixture other;

	http_fixture_conf(&conf);
	conf.listen_addr = "*";
	conf.listen_port = v->fixture.port;
	conf.shares_port = true;
	http_fixture_open(&other, &conf);
	assert_int_equal(other.port, v->fixture.port);
	http_fixture_close(&other);
	conf.listen_port = 0;
	http_fixture_open(&other, &conf);
	close(v->fd);
	v->fd = client_open(&other);
	client_send(v->fd, "GET /ask?q=v" TAIL "X-Word: w\r\n\r\n");
	receives(v, "v w of 1 from 127.0.0.1", 1);
	http_fixture_close(&other);
	receives_end(v);
}

static void
a_close_is_honoured(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /hello" TAIL "Connection: close\r\n\r\n");
	receives_end(v);
	has(v, "Connection: close\r\n", 1);
	has(v, "hello\n", 1);
}

static void
old_clients_are_served(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /sleep HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	receives(v, "hello\n", 1);
	has(v, "Connection: keep-alive\r\n", 1);
	client_send(v->fd, "GET /words HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	receives_end(v);
	has(v, "Connection: close\r\n", 1);
	has(v, "Transfer-Encoding", 0);
	has(v, "word word ", 10);
}

static void
fifty_requests_in_one_write_are_answered(void **state)
{
	static const char *const paths[] = { "/hello", "/sleep", "/words", "/none" };
	struct http_session *v = *state;
	struct buf all;

	buf_init(&all, 1u << 16);
	for (int i = 0; i < 50; i++)
		buf_printf(&all, "GET %s" TAIL "\r\n", paths[i % 4]);
	client_send_bytes(v->fd, all.data, all.len);
	buf_free(&all);
	receives(v, "HTTP/1.1 200 OK\r\n", 50);
	assert_int_equal(atomic_load(&v->fixture.handled), 50);
	/* In order: the last ones asked for are /sleep and /hello. */
	receives(v, "hello\n", 13 + 13 + 12);
	has(v, "0\r\n\r\n", 12);
}

static void
fifty_requests_with_bodies_are_answered(void **state)
{
	struct http_session *v = *state;
	struct buf all;

	buf_init(&all, 1u << 20);
	for (int i = 0; i < 25; i++) {
		buf_printf(&all, "POST /echo" TAIL "Content-Length: 9\r\n\r\n(body %02d)", i);
		buf_puts(&all, "POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n");
		buf_puts(&all, "4\r\n(chu\r\n4;x=y\r\nnks)\r\n0\r\nA: b\r\n\r\n");
	}
	client_send_bytes(v->fd, all.data, all.len);
	buf_free(&all);
	receives(v, "(chunks)", 25);
	has(v, "(body ", 25);
	has(v, "(body 24)", 1);
	has(v, "HTTP/1.1 200 OK\r\n", 50);
}

static void
a_request_may_come_byte_by_byte(void **state)
{
	static const char text[] = "\r\nPOST /echo?q" TAIL "Transfer-Encoding: chunked\r\n\r\n"
				   "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct http_session *v = *state;
	for (size_t i = 0; i + 1 < sizeof(text); i++) {
		client_send_bytes(v->fd, text + i, 1);
		if (i % 16 == 0)
			usleep(500);
	}
	receives(v, "abcde", 1);
}

static void
a_stream_is_chunked(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /words" TAIL "\r\n");
	receives(v, "0\r\n\r\n", 1);
	has(v, "Transfer-Encoding: chunked\r\n", 1);
	has(v, "Content-Length", 0);
	has(v, "5\r\nword \r\n", 20);
}

static void
head_has_no_body(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "HEAD /hello" TAIL "\r\nHEAD /words" TAIL "\r\nGET /none" TAIL "\r\n");
	receives(v, "hello\n", 1);
	has(v, "HTTP/1.1 200 OK\r\n", 3);
	has(v, "Content-Length: 6\r\n", 2);
	has(v, "word", 0);
}

static void
continue_waits_for_a_reader(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	receives(v, "HTTP/1.1 100 Continue\r\n\r\n", 1);
	client_send(v->fd, "body");
	receives(v, "\r\n\r\nbody", 1);
	/* A client that has sent its body already is not asked for it (RFC 9110 10.1.1). */
	buf_reset(&v->received);
	client_send(v->fd,
	    "POST /echo" TAIL "Content-Length: 4\r\nExpect: 100-continue\r\n\r\nsoul");
	receives(v, "soul", 1);
	has(v, "100 Continue", 0);
}

static void
an_unknown_caller_is_not_asked_for_its_body(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /unread" TAIL "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n");
	receives_end(v);
	has(v, "100 Continue", 0);
	has(v, "HTTP/1.1 401 Unauthorized\r\n", 1);
	has(v, "Connection: close\r\n", 1);
}

static void
a_small_unread_body_is_dropped(void **state)
{
	struct http_session *v = *state;
	static char body[60000];

	client_send(v->fd, "POST /unread" TAIL "Content-Length: 60000\r\n\r\n");
	receives(v, "who?\n", 1);
	has(v, "Connection: close\r\n", 0);
	client_send_bytes(v->fd, body, sizeof(body));
	client_send(v->fd, "GET /hello" TAIL "\r\n");
	receives(v, "hello\n", 1);
}

static void
a_handler_without_a_response_is_a_500(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /crash" TAIL "\r\nGET /hello" TAIL "\r\n");
	receives(v, "hello\n", 1);
	has(v, "HTTP/1.1 500 Internal Server Error\r\n", 1);
}

static void
a_broken_stream_is_seen_as_one(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /break" TAIL "\r\n");
	receives_end(v);
	has(v, "4\r\nhalf\r\n", 1);
	has(v, "0\r\n\r\n", 0);
}

static void
a_half_closed_client_gets_what_is_ready(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /hello" TAIL "\r\nGET /none" TAIL "\r\n");
	shutdown(v->fd, SHUT_WR);
	receives_end(v);
	has(v, "hello\n", 2);
}

static void
draining_ends_kept_connections(void **state)
{
	struct http_session *v = *state;
	int busy = client_open(&v->fixture);
	struct buf late;

	buf_init(&late, 65536);
	client_send(v->fd, "GET /hello" TAIL "\r\n");
	receives(v, "hello\n", 1);
	client_send(busy, "GET /sleep" TAIL "\r\n");
	assert_true(http_fixture_waits_for(&v->fixture.handled, 2));
	http_fixture_drain(&v->fixture);
	receives_end(v);
	assert_true(client_receive_all(busy, &late));
	assert_int_equal(count_of(&late, "Connection: close\r\n"), 1);
	assert_int_equal(count_of(&late, "hello\n"), 1);
	buf_free(&late);
	close(busy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION(a_connection_is_kept),
		SESSION(a_handler_reads_the_query_and_fields),
		SESSION(workers_share_a_port),
		SESSION(a_close_is_honoured),
		SESSION(old_clients_are_served),
		SESSION(fifty_requests_in_one_write_are_answered),
		SESSION(fifty_requests_with_bodies_are_answered),
		SESSION(a_request_may_come_byte_by_byte),
		SESSION(a_stream_is_chunked),
		SESSION(head_has_no_body),
		SESSION(continue_waits_for_a_reader),
		SESSION(an_unknown_caller_is_not_asked_for_its_body),
		SESSION(a_small_unread_body_is_dropped),
		SESSION(a_handler_without_a_response_is_a_500),
		SESSION(a_broken_stream_is_seen_as_one),
		SESSION(a_half_closed_client_gets_what_is_ready),
		SESSION(draining_ends_kept_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
