/* SPDX-License-Identifier: MIT */
/*
 * What the HTTP server refuses, seen from outside: the response can be read, also by a client that
 * is still sending; then the connection is closed.
 */
#include "http_session.h"
#include "../unit/corpora.h"
#include "../unit/http1_cases.h"

#include <stdlib.h>
#include <unistd.h>

static void
malformed_requests_never_reach_the_handler(void **state)
{
	static const struct {
		const char *text;
		const char *status;
		enum err_code code;
	} cases[] = {
		{ "GARBAGE\r\n\r\n", "400 Bad Request", ERR_BAD_REQUEST },
		{ "\x16\x03\x01\x02", "400 Bad Request", ERR_BAD_REQUEST },
		{ "GET / HTTP/2.0\r\n\r\n", "505 ", ERR_HTTP_VERSION },
		{ "CONNECT a:1 HTTP/1.1\r\n", "501 ", ERR_NOT_IMPLEMENTED },
		{ "GET /" TAIL "Expect: cake\r\n\r\n", "417 ", ERR_EXPECTATION },
	};
	struct http_session *v = *state;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		close(v->fd);
		v->fd = client_open(&v->fixture);
		buf_reset(&v->received);
		client_send(v->fd, cases[i].text);
		receives_end(v);
		has(v, cases[i].status, 1);
		has(v, "Content-Type: application/problem+json\r\n", 1);
		has(v, "Connection: close\r\n", 1);
		has(v, "X-Content-Type-Options: nosniff\r\n", 1);
		has(v, err_slug(cases[i].code), 1);
		has(v, "X-Request-Id: ", 1);
		has(v, "\"request_id\":\"", 1);
		assert_int_equal(atomic_load(&v->fixture.refused), i + 1);
		assert_int_equal(atomic_load(&v->fixture.refused_code), cases[i].code);
	}
	assert_int_equal(atomic_load(&v->fixture.handled), 0);
}

static void
send_unit(struct http_session *v, const char *unit, int n)
{
	while (n-- > 0)
		client_send(v->fd, unit);
}

static void
a_target_too_long_is_refused(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /");
	send_unit(v, "0123456789abcdef", 600);
	client_send(v->fd, TAIL "\r\n");
	receives_end(v);
	has(v, "HTTP/1.1 414 URI Too Long\r\n", 1);
}

static void
too_many_fields_are_refused(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /" TAIL);
	send_unit(v, "A: b\r\n", 200);
	client_send(v->fd, "\r\n");
	receives_end(v);
	has(v, "HTTP/1.1 431 Request Header Fields Too Large\r\n", 1);
}

static void
an_earlier_response_is_not_lost(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /sleep" TAIL "\r\nGET /hello" TAIL "\r\nrubbish\r\n\r\n");
	receives_end(v);
	has(v, "hello\n", 2);
	has(v, "HTTP/1.1 400 Bad Request\r\n", 1);
}

/* The client sends the whole body that was refused, and only then reads. */
static void
a_declared_body_too_large_is_refused(void **state)
{
	static char body[1 << 20];
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 8388608\r\n\r\n");
	for (int i = 0; i < 8; i++)
		client_send_bytes(v->fd, body, sizeof(body));
	receives_end(v);
	has(v, "HTTP/1.1 413 Content Too Large\r\n", 1);
	has(v, "Connection: close\r\n", 1);
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_TOO_LARGE);
}

static void
a_declared_body_too_large_is_not_invited(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd,
	    "POST /echo" TAIL "Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n");
	receives_end(v);
	has(v, "HTTP/1.1 413 Content Too Large\r\n", 1);
	has(v, "100 Continue", 0);
}

static void
a_chunked_body_too_large_is_refused(void **state)
{
	static char chunk[65536];
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 40; i++) {
		client_send(v->fd, "10000\r\n");
		client_send_bytes(v->fd, chunk, sizeof(chunk));
		client_send(v->fd, "\r\n");
	}
	receives_end(v);
	has(v, "HTTP/1.1 413 Content Too Large\r\n", 1);
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_TOO_LARGE);
}

/* Not read at all: not even its 100 is sent. A coding that is none is no reason. */
static void
a_coded_body_is_refused(void **state)
{
	static const char *const codings[] = { "gzip", "br", "identity, gzip", "deflate",
		"identity\r\nContent-Encoding: zstd" };
	struct http_session *v = *state;
	char head[160];

	for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
		close(v->fd);
		v->fd = client_open(&v->fixture);
		buf_reset(&v->received);
		snprintf(head, sizeof(head),
		    "POST /echo" TAIL "Content-Length: 5\r\nExpect: 100-continue\r\n"
		    "Content-Encoding: %s\r\n\r\n",
		    codings[i]);
		client_send(v->fd, head);
		receives_end(v);
		has(v, "HTTP/1.1 415 Unsupported Media Type\r\n", 1);
		has(v, "Accept-Encoding: identity\r\n", 1);
		has(v, "100 Continue", 0);
		assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_MEDIA_TYPE);
	}
}

static void
a_body_whose_coding_is_none_is_read(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd,
	    "POST /echo" TAIL "Content-Length: 5\r\nContent-Encoding: Identity\r\n\r\nhello"
	    "GET /hello" TAIL "Content-Encoding: gzip\r\nConnection: close\r\n\r\n");
	receives_end(v);
	has(v, "HTTP/1.1 200 OK\r\n", 2);
}

static void
a_malformed_chunk_is_refused(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n");
	receives_end(v);
	has(v, "HTTP/1.1 400 Bad Request\r\n", 1);
	has(v, "Connection: close\r\n", 1);
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_BAD_REQUEST);
}

/* Another server than the session's: two connections, no more. */
static void
connections_are_limited(const struct http_conf *conf)
{
	struct http_fixture h;
	struct buf received_by[3];
	int fd[3];

	http_fixture_open(&h, conf);
	for (int i = 0; i < 3; i++) {
		buf_init(&received_by[i], 65536);
		fd[i] = client_open(&h);
		client_send(fd[i], "GET /hello" TAIL "\r\n");
		assert_true(client_receives(fd[i], &received_by[i], i < 2 ? "hello\n" : "}", 1));
	}
	assert_true(client_receive_all(fd[2], &received_by[2]));
	assert_int_equal(count_of(&received_by[2], "HTTP/1.1 503 Service Unavailable\r\n"), 1);
	assert_int_equal(atomic_load(&h.refused_code), ERR_OVERLOADED);
	assert_int_equal(http_shared_connections(h.shared), 2);
	close(fd[0]);
	close(fd[2]);
	for (int i = 0; i < 4000 && http_shared_connections(h.shared) > 1; i++)
		usleep(5000);
	fd[0] = client_open(&h);
	client_send(fd[0], "GET /hello" TAIL "\r\n");
	buf_reset(&received_by[0]);
	assert_true(client_receives(fd[0], &received_by[0], "hello\n", 1));
	close(fd[0]);
	close(fd[1]);
	for (int i = 0; i < 3; i++)
		buf_free(&received_by[i]);
	http_fixture_close(&h);
}

static void
connections_are_limited_in_all(void **state)
{
	struct http_conf conf;

	(void)state;
	http_fixture_conf(&conf);
	conf.keepalive_timeout_us = 5000000;
	conf.max_client_conn = 2;
	connections_are_limited(&conf);
}

static void
connections_are_limited_by_address(void **state)
{
	struct http_conf conf;

	(void)state;
	http_fixture_conf(&conf);
	conf.keepalive_timeout_us = 5000000;
	conf.max_client_conn_per_ip = 2;
	connections_are_limited(&conf);
}

static void
send_hex(int fd, const char *hex)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	for (; hex[0] != '\0'; hex += 2) {
		char pair[3] = { hex[0], hex[1], '\0' };

		buf_putc(&b, (char)strtol(pair, NULL, 16));
	}
	client_send_bytes(fd, b.data, b.len);
	buf_free(&b);
}

static void
dangerous_requests_are_refused_and_closed(void **state)
{
	json_t *one, *root = corpora_load("http1.json");
	json_t *set = json_object_get(json_object_get(root, "sets"), "guardian-severe");
	struct http_session *v = *state;
	size_t i;

	assert_int_equal(json_array_size(set), 27);
	json_array_foreach(set, i, one) {
		close(v->fd);
		v->fd = client_open(&v->fixture);
		buf_reset(&v->received);
		send_hex(v->fd, json_string_value(json_object_get(one, "hex")));
		receives_end(v);
		has(v, "HTTP/1.1 400 Bad Request\r\n", 1);
		has(v, "HTTP/1.1", 1);
	}
	assert_int_equal(atomic_load(&v->fixture.handled), 0);
	json_decref(root);
}

/* A server with the ceilings of http1_cases. */
static int
rules_enter(void **state)
{
	struct http_conf conf;

	http_fixture_conf(&conf);
	conf.header_bytes_max = HTTP1_HEAD_MAX;
	conf.header_count_max = HTTP1_FIELDS_MAX;
	conf.target_max = HTTP1_TARGET_MAX;
	return session_open_with(state, &conf);
}

static const struct http1_case *const rules[] = { http1_line_cases, http1_field_cases,
	http1_body_cases, http1_chunk_cases };

#define RULES (sizeof(rules) / sizeof(rules[0]))

static void
send_case(struct http_session *v, const struct http1_case *c)
{
	close(v->fd);
	v->fd = client_open(&v->fixture);
	buf_reset(&v->received);
	client_send_bytes(v->fd, c->bytes.p, c->bytes.len);
}

static void
what_breaks_a_rule_is_refused_and_closed(void **state)
{
	struct http_session *v = *state;
	char line[32];

	for (size_t i = 0; i < RULES; i++) {
		for (const struct http1_case *c = rules[i]; c->name != NULL; c++) {
			if (c->status == 0)
				continue;
			send_case(v, c);
			if (!client_receive_all(v->fd, &v->received))
				fail_msg("%s (%s): not closed", c->name, c->section);
			snprintf(line, sizeof(line), "HTTP/1.1 %d ", c->status);
			if (count_of(&v->received, line) != 1 ||
			    count_of(&v->received, "Connection: close\r\n") != 1)
				fail_msg("%s (%s): %s", c->name, c->section, received_text(v));
		}
	}
}

/* A line of c->request is one request, and one response. (CRLF is part of a body.) */
static void
what_keeps_the_rules_is_answered(void **state)
{
	struct http_session *v = *state;

	for (size_t i = 0; i < RULES; i++) {
		for (const struct http1_case *c = rules[i]; c->name != NULL; c++) {
			unsigned answers = 1;

			if (c->status != 0 || strstr(c->request, "...") != NULL)
				continue;
			for (const char *p = c->request; *p != '\0'; p++)
				answers += *p == '\n' && p[-1] != '\r';
			send_case(v, c);
			if (!client_receives(v->fd, &v->received, "HTTP/1.1 200 OK\r\n", answers))
				fail_msg("%s (%s): %s", c->name, c->section, received_text(v));
		}
	}
	assert_int_equal(atomic_load(&v->fixture.refused), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION(malformed_requests_never_reach_the_handler),
		SESSION(a_target_too_long_is_refused),
		SESSION(too_many_fields_are_refused),
		SESSION(an_earlier_response_is_not_lost),
		SESSION(a_declared_body_too_large_is_refused),
		SESSION(a_declared_body_too_large_is_not_invited),
		SESSION(a_chunked_body_too_large_is_refused),
		SESSION(a_coded_body_is_refused),
		SESSION(a_body_whose_coding_is_none_is_read),
		SESSION(a_malformed_chunk_is_refused),
		cmocka_unit_test_setup_teardown(what_breaks_a_rule_is_refused_and_closed,
		    rules_enter, session_close),
		cmocka_unit_test_setup_teardown(what_keeps_the_rules_is_answered, rules_enter,
		    session_close),
		SESSION(dangerous_requests_are_refused_and_closed),
		cmocka_unit_test(connections_are_limited_in_all),
		cmocka_unit_test(connections_are_limited_by_address),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
