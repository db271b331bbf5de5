/* SPDX-License-Identifier: MIT */
/*
 * Whole responses: what is sent and read, connections kept, and every way a fetch can fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "web_fixture.h"

static void
a_whole_response_is_fetched(void **state)
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
a_body_is_posted(void **state)
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
	assert_non_null(strstr(web_fixture.last_request, "POST /posted HTTP/1.1\r\n"));
	assert_non_null(strstr(web_fixture.last_request, "Authorization: Bearer x\r\n"));
	assert_non_null(strstr(web_fixture.last_request, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(web_fixture.last_request, "Content-Length: 7\r\n"));
	assert_non_null(strstr(web_fixture.last_request, "User-Agent: tenantgate-test\r\n"));
	assert_non_null(strstr(web_fixture.last_request, "{\"a\":1}"));
	assert_null(strstr(web_fixture.last_request, "Expect"));
	web_response_free(&t.response);
}

static void
every_method_is_sent(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/posted");
	t.request.method = "DELETE";
	fetch_run(&t);
	assert_non_null(strstr(web_fixture.last_request, "DELETE /posted HTTP/1.1\r\n"));
	web_response_free(&t.response);
	t.request.method = "PATCH";
	t.request.body = SLICE_LIT("x");
	fetch_run(&t);
	assert_non_null(strstr(web_fixture.last_request, "PATCH /posted HTTP/1.1\r\n"));
	assert_null(strstr(web_fixture.last_request, "Content-Type"));
	web_response_free(&t.response);
	t.request.method = "POST";
	t.request.body = slice_of(NULL, 0);
	fetch_run(&t);
	assert_non_null(strstr(web_fixture.last_request, "Content-Length: 0\r\n"));
	web_response_free(&t.response);
}

static void
retry_after_is_read(void **state)
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
no_redirect_is_followed(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/moved");
	assert_int_equal(t.response.status, 302);
}

static void
a_refused_connection_is_reported(void **state)
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
	(void)snprintf(t.url, sizeof(t.url), "http://127.0.0.1:%u/hello", web_fixture.peer.port);
	t.request.headers[0] = "X: a\r\nY: b";
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_OTHER);
	assert_false(t.response.sent);
}

static void
a_cut_response_is_reported(void **state)
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
a_response_past_its_ceiling_is_refused(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/big");
	assert_int_equal(t.response.failure, WEB_TOO_LARGE);
	assert_true(t.response.body.len <= CEILING);
	web_response_free(&t.response);
}

static void
every_deadline_is_kept(void **state)
{
	struct fetch t;

	(void)state;
	fetch_init(&t, "/silent");
	t.request.first_byte_timeout_us = 60000;
	do
		fetch_run(&t);
	while (!t.response.sent); /* not within the time-out: a busy machine */
	assert_int_equal(t.response.failure, WEB_TIMEOUT);
	assert_non_null(strstr(t.response.detail, "began"));
	/* A server that thinks may have sent its head before. */
	fetch_init(&t, "/head");
	t.request.first_byte_timeout_us = 90000;
	t.request.idle_timeout_us = 10000;
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_TIMEOUT);
	assert_non_null(strstr(t.response.detail, "began"));
	web_response_free(&t.response);
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
the_connection_is_reused(void **state)
{
	struct fetch t;

	(void)state;
	for (int i = 0; i < 200; i++) {
		fetch_path(&t, "/hello");
		assert_int_equal(t.response.failure, WEB_FINE);
		web_response_free(&t.response);
	}
	assert_int_equal(web_fixture.peer.accepted, 1);
}

/* The server closes each connection after its response: libcurl notices, or tries again. */
static void
a_server_may_close_after_each_response(void **state)
{
	struct fetch t;

	(void)state;
	for (int i = 0; i < 20; i++) {
		fetch_path(&t, i % 2 ? "/once" : "/closing");
		assert_int_equal(t.response.failure, WEB_FINE);
		web_response_free(&t.response);
	}
	assert_int_equal(web_fixture.peer.accepted, 20);
}

static void
an_aborted_fetch_leaves_nothing(void **state)
{
	(void)state;
	fetch_abort("/silent", fetch_start, 30);
	fetch_abort("/stall", fetch_start, 30);
}

/* A connection that was kept, and ends without a byte when it is used again. */
static void
flaky_fetch(struct fetch *t, const char *method, bool fresh)
{
	fetch_init(t, "/flaky");
	fetch_run(t);
	web_response_free(&t->response);
	web_fixture.requests = 0;
	fetch_init(t, "/flaky");
	t->request.method = method;
	t->request.body = strcmp(method, "GET") != 0 ? SLICE_LIT("x") : slice_of(NULL, 0);
	t->request.fresh_connection = fresh;
	fetch_run(t);
}

static void
a_get_is_sent_again_when_its_kept_connection_ends(void **state)
{
	struct fetch t;

	(void)state;
	flaky_fetch(&t, "GET", false);
	assert_int_equal(t.response.failure, WEB_FINE);
	assert_int_equal(web_fixture.requests, 2);
	assert_int_equal(web_fixture.peer.accepted, 2);
	web_response_free(&t.response);
}

/* What the server has received is what counts. */
static void
what_is_not_idempotent_is_sent_once(void **state)
{
	static const char *const methods[] = { "POST", "PATCH", "PUT", "DELETE" };

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		struct fetch t;

		flaky_fetch(&t, methods[i], false);
		assert_int_equal(t.response.failure, WEB_CUT);
		assert_true(t.response.sent);
		assert_string_equal(t.response.detail,
		    "The connection ended before the response began; what was sent is not sent "
		    "twice.");
		turn_for(web_fixture.worker, 20);
		assert_int_equal(web_fixture.requests, 1);
		web_response_free(&t.response);
	}
}

/* libcurl dials again by itself, and that fails before its resending could be refused. */
static void
what_was_sent_is_not_called_unsent_when_the_server_is_gone_then(void **state)
{
	struct fetch t;

	(void)state;
	fetch_path(&t, "/flaky");
	web_response_free(&t.response);
	evconnlistener_free(web_fixture.peer.listener);
	web_fixture.peer.listener = NULL;
	fetch_init(&t, "/flaky");
	t.request.method = "POST";
	t.request.body = SLICE_LIT("x");
	fetch_run(&t);
	assert_int_equal(web_fixture.requests, 2);
	assert_true(t.response.sent);
	assert_int_equal(t.response.failure, WEB_CUT);
	web_response_free(&t.response);
}

static void
a_creation_takes_no_kept_connection(void **state)
{
	struct fetch t;

	(void)state;
	flaky_fetch(&t, "POST", true);
	assert_int_equal(t.response.failure, WEB_FINE);
	assert_int_equal(web_fixture.requests, 1);
	assert_int_equal(web_fixture.peer.accepted, 2);
	web_response_free(&t.response);
}

static void
many_fetches_at_once(void **state)
{
	static struct fetch t[60];

	(void)state;
	for (int i = 0; i < 60; i++) {
		fetch_init(&t[i], "/hello");
		fetch_start(&t[i]);
	}
	for (int i = 0; i < 60; i++) {
		turn_until(web_fixture.worker, &t[i].probe.ended);
		assert_int_equal(t[i].response.failure, WEB_FINE);
		web_response_free(&t[i].response);
	}
	assert_true(web_fixture.peer.accepted <= 16); /* connections_max */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, web_fixture_set_up, web_fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_whole_response_is_fetched),
		TEST(a_body_is_posted),
		TEST(every_method_is_sent),
		TEST(retry_after_is_read),
		TEST(no_redirect_is_followed),
		TEST(a_refused_connection_is_reported),
		TEST(a_cut_response_is_reported),
		TEST(a_response_past_its_ceiling_is_refused),
		TEST(every_deadline_is_kept),
		TEST(the_connection_is_reused),
		TEST(a_server_may_close_after_each_response),
		TEST(an_aborted_fetch_leaves_nothing),
		TEST(a_get_is_sent_again_when_its_kept_connection_ends),
		TEST(what_is_not_idempotent_is_sent_once),
		TEST(what_was_sent_is_not_called_unsent_when_the_server_is_gone_then),
		TEST(a_creation_takes_no_kept_connection),
		TEST(many_fetches_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
