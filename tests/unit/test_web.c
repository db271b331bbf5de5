/* SPDX-License-Identifier: MIT */
/*
 * Whole answers: what is asked and read, connections kept, and every way an answer can fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "web_fixture.h"

static void
test_whole(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/hello");
	assert_int_equal(t.response.failure, WEB_FINE);
	assert_int_equal(t.response.status, 200);
	assert_true(t.response.sent);
	assert_string_equal(t.response.body.data, "hello");
	web_response_free(&t.response);
	web_response_free(&t.response);
}

static void
test_post(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/posted");
	t.request.method = "POST";
	t.request.body = SLICE_LIT("{\"a\":1}");
	t.request.headers[0] = "Authorization: Bearer x";
	t.request.headers[1] = "Content-Type: application/json";
	fetch_run(&t);
	assert_int_equal(t.response.status, 201);
	assert_non_null(strstr(bench.last_request, "POST /posted HTTP/1.1\r\n"));
	assert_non_null(strstr(bench.last_request, "Authorization: Bearer x\r\n"));
	assert_non_null(strstr(bench.last_request, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(bench.last_request, "Content-Length: 7\r\n"));
	assert_non_null(strstr(bench.last_request, "User-Agent: tenantgate-test\r\n"));
	assert_non_null(strstr(bench.last_request, "{\"a\":1}"));
	assert_null(strstr(bench.last_request, "Expect"));
	web_response_free(&t.response);
}

static void
test_methods(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/posted");
	t.request.method = "DELETE";
	fetch_run(&t);
	assert_non_null(strstr(bench.last_request, "DELETE /posted HTTP/1.1\r\n"));
	web_response_free(&t.response);
	t.request.method = "PATCH";
	t.request.body = SLICE_LIT("x");
	fetch_run(&t);
	assert_non_null(strstr(bench.last_request, "PATCH /posted HTTP/1.1\r\n"));
	assert_null(strstr(bench.last_request, "Content-Type"));
	web_response_free(&t.response);
	t.request.method = "POST";
	t.request.body = slice_of(NULL, 0);
	fetch_run(&t);
	assert_non_null(strstr(bench.last_request, "Content-Length: 0\r\n"));
	web_response_free(&t.response);
}

static void
test_retry_after(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/busy");
	assert_int_equal(t.response.status, 429);
	assert_int_equal(t.response.retry_after_s, 7);
	fetch_path(&t, "/busyms");
	assert_int_equal(t.response.retry_after_s, 2);
	fetch_path(&t, "/interim");
	assert_int_equal(t.response.status, 200);
	assert_int_equal(t.response.retry_after_s, 0);
	web_response_free(&t.response);
}

static void
test_no_redirect(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/moved");
	assert_int_equal(t.response.status, 302);
}

static void
test_refused(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/hello");
	(void)snprintf(t.url, sizeof(t.url), "http://127.0.0.1:1/");
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_CONNECT);
	assert_int_equal(t.response.status, 0);
	assert_false(t.response.sent);
	(void)snprintf(t.url, sizeof(t.url), "file:///etc/passwd");
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_OTHER);
	(void)snprintf(t.url, sizeof(t.url), "http://127.0.0.1:%u/hello", bench.peer.port);
	t.request.headers[0] = "X: a\r\nY: b";
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_OTHER);
	assert_false(t.response.sent);
}

static void
test_cut(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/cut");
	assert_int_equal(t.response.failure, WEB_CUT);
	assert_int_equal(t.response.status, 200);
	assert_true(t.response.sent);
	web_response_free(&t.response);
	fetch_path(&t, "/gone");
	assert_int_equal(t.response.failure, WEB_CUT);
	assert_true(t.response.sent);
}

static void
test_too_large(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/big");
	assert_int_equal(t.response.failure, WEB_TOO_LARGE);
	assert_true(t.response.body.len <= CEILING);
	web_response_free(&t.response);
}

static void
test_timeouts(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/silent");
	t.request.first_byte_timeout_us = 60000;
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_TIMEOUT);
	assert_non_null(strstr(t.response.detail, "began"));
	assert_true(t.response.sent);
	fetch_init(&t, "/stall");
	t.request.idle_timeout_us = 60000;
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_TIMEOUT);
	assert_non_null(strstr(t.response.detail, "stalled"));
	assert_true(t.response.is_event_stream);
	web_response_free(&t.response);
	fetch_init(&t, "/stall");
	t.request.total_timeout_us = 60000;
	fetch_run(&t);
	assert_non_null(strstr(t.response.detail, "too long"));
	web_response_free(&t.response);
}

static void
test_reuse(void **state)
{
	struct fetch t;

	(void)state;
	for (int i = 0; i < 200; i++) {
		fetch_path(&t, "/hello");
		assert_int_equal(t.response.failure, WEB_FINE);
		web_response_free(&t.response);
	}
	assert_int_equal(bench.peer.accepted, 1);
}

/* The server closes each connection after its answer: libcurl notices, or asks again. */
static void
test_closing(void **state)
{
	struct fetch t;

	(void)state;
	for (int i = 0; i < 20; i++) {
		fetch_path(&t, i % 2 ? "/once" : "/closing");
		assert_int_equal(t.response.failure, WEB_FINE);
		web_response_free(&t.response);
	}
	assert_int_equal(bench.peer.accepted, 20);
}

static void
test_abort(void **state)
{
	(void)state;
	fetch_abort("/silent", fetch_start, 30);
	fetch_abort("/stall", fetch_start, 30);
}

/* A kept connection that dies just as it is used again: asked once more on a new one. */
static void
test_flaky(void **state)
{
	struct fetch t;

	(void)state;
	for (int i = 0; i < 4; i++) {
		fetch_init(&t, "/flaky");
		t.request.method = i % 2 ? "POST" : "GET";
		t.request.body = i % 2 ? SLICE_LIT("x") : slice_of(NULL, 0);
		fetch_run(&t);
		assert_int_equal(t.response.failure, WEB_FINE);
		web_response_free(&t.response);
	}
	assert_int_equal(bench.peer.accepted, 4);
}

static void
test_many_at_once(void **state)
{
	static struct fetch t[60];

	(void)state;
	for (int i = 0; i < 60; i++) {
		fetch_init(&t[i], "/hello");
		fetch_start(&t[i]);
	}
	for (int i = 0; i < 60; i++) {
		turn_until(bench.worker, &t[i].probe.ended);
		assert_int_equal(t[i].response.failure, WEB_FINE);
		web_response_free(&t[i].response);
	}
	assert_true(bench.peer.accepted <= 16); /* connections_max */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, web_fixture_set_up, web_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_post),
		TEST(test_methods),
		TEST(test_retry_after),
		TEST(test_no_redirect),
		TEST(test_refused),
		TEST(test_cut),
		TEST(test_too_large),
		TEST(test_timeouts),
		TEST(test_reuse),
		TEST(test_closing),
		TEST(test_abort),
		TEST(test_flaky),
		TEST(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
