/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server under TLS, and clients that split, stall, leave, flood and forge: what holds in
 * the clear holds here.
 */
#include "http_tls_story.h"

#define REQUEST "GET /hello" TAIL "\r\n"

/* ---- what holds ---- */
static void
any_split_is_served(void **state)
{
	struct http_session *v = *state;

	assert_true(shakes_hands(v, 1));
	says(v, "POST /echo" TAIL "Content-Length: 5\r\n\r\nhello", 1);
	assert_int_equal(hears(v, "hello", 1), SSL_ERROR_NONE);
	assert_int_equal(http_shared_handshakes(v->fixture.shared), 0);
}

static void
requests_behind_the_handshake_wait_for_it(void **state)
{
	struct http_session *v = *state;

	assert_true(shakes_hands(v, PIECE));
	for (int i = 0; i < 20; i++)
		assert_true(SSL_write(story.ssl, REQUEST, sizeof(REQUEST) - 1) > 0);
	send_queued(v, PIECE);
	assert_int_equal(hears(v, "hello\n", 20), SSL_ERROR_NONE);
}

static void
a_body_of_many_records_arrives(void **state)
{
	struct http_session *v = *state;
	static char body[FIXTURE_BODY_MAX];

	memset(body, 'b', sizeof(body));
	assert_true(shakes_hands(v, PIECE));
	says(v, "POST /echo" TAIL "Content-Length: 100000\r\n\r\n", PIECE);
	for (size_t at = 0; at < sizeof(body); at += 1000) {
		assert_int_equal(SSL_write(story.ssl, body + at, 1000), 1000);
		send_queued(v, 700);
	}
	assert_int_equal(hears(v, "bbbbbbbbbb", FIXTURE_BODY_MAX / 10), SSL_ERROR_NONE);
}

/* The marks and time-outs of a response are those of a connection in the clear. */
static void
who_takes_nothing_is_cut_off(void **state)
{
	struct http_session *v = *state;
	unsigned long long last = 1;

	assert_true(shakes_hands(v, PIECE));
	says(v, "GET /flood" TAIL "\r\n", PIECE);
	assert_true(http_fixture_waits_for(&v->fixture.handled, 1));
	while (atomic_load(&v->fixture.flooded) != last) {
		last = atomic_load(&v->fixture.flooded);
		usleep(100000);
	}
	assert_in_range(atomic_load(&v->fixture.queued), 1, 3 * 8192 + 1024);
	for (int i = 0; i < 2000 && atomic_load(&v->fixture.ended) == 0; i++) {
		clock_test_advance(FIXTURE_TIMEOUT_US);
		usleep(5000);
	}
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_CLIENT_GONE);
}

static void
waits_for_a_response(struct http_session *v)
{
	assert_true(shakes_hands(v, PIECE));
	says(v, "GET /wait" TAIL "\r\n", PIECE);
	assert_true(http_fixture_waits_for(&v->fixture.handled, 1));
}

static void
handler_left(struct http_session *v)
{
	assert_true(http_fixture_waits_for(&v->fixture.ended, 1));
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_CLIENT_GONE);
}

static void
a_close_notify_ends_the_handler(void **state)
{
	struct http_session *v = *state;

	waits_for_a_response(v);
	assert_int_equal(SSL_shutdown(story.ssl), 0);
	send_queued(v, PIECE);
	handler_left(v);
}

static void
a_fin_without_it_does_too(void **state)
{
	struct http_session *v = *state;

	waits_for_a_response(v);
	assert_int_equal(shutdown(v->fd, SHUT_WR), 0);
	handler_left(v);
}

static void
a_forged_record_ends_the_connection(void **state)
{
	struct http_session *v = *state;
	char record[200] = { 23, 3, 3, 0, 100 };

	waits_for_a_response(v);
	client_send_bytes(v->fd, record, 105);
	handler_left(v);
}

static void
the_end_is_said(void **state)
{
	struct http_session *v = *state;

	assert_true(shakes_hands(v, PIECE));
	says(v, "GET /hello" TAIL "Connection: close\r\n\r\n", PIECE);
	assert_int_equal(hears(v, NULL, 0), SSL_ERROR_ZERO_RETURN);
	has(v, "hello\n", 1);
}

/* To an HTTP/1.0 client the end of the connection is the end of the body: a part must not pass for
 * the whole. */
static void
of_a_cut_body_it_is_not_said(void **state)
{
	struct http_session *v = *state;

	assert_true(shakes_hands(v, PIECE));
	says(v, "GET /break HTTP/1.0\r\n\r\n", PIECE);
	assert_int_equal(hears(v, NULL, 0), SSL_ERROR_WANT_READ);
}

static void
an_idle_connection_ends_with_it(void **state)
{
	struct http_session *v = *state;

	assert_true(shakes_hands(v, PIECE));
	says(v, "GET /hello" TAIL "\r\n", PIECE);
	assert_int_equal(hears(v, "hello\n", 1), SSL_ERROR_NONE);
	(void)passes_until_answered(v);
	assert_int_equal(hears(v, NULL, 0), SSL_ERROR_ZERO_RETURN);
}

/* ---- what is not ---- */

/* RFC 8446 4.6.3: each is answered by one of ours, and costs us more than it costs who asks. */
static void
new_keys_for_ever_are_not_given(void **state)
{
	struct http_session *v = *state;
	unsigned n = 0;

	char unused[PIECE];

	waits_for_a_response(v);
	do {
		assert_int_equal(SSL_key_update(story.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(story.ssl), 1);
		send_queued(v, PIECE);
		assert_true(SSL_read(story.ssl, unused, sizeof(unused)) <= 0);
	} while (take_bytes(v) && ++n < 100);
	assert_in_range(n, 32, 33); /* the first answer may be the tickets */
	handler_left(v);
}

static void
new_keys_now_and_then_are(void **state)
{
	struct http_session *v = *state;

	assert_true(shakes_hands(v, PIECE));
	for (unsigned i = 1; i <= 30; i++) {
		assert_int_equal(SSL_key_update(story.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		says(v, REQUEST, PIECE);
		assert_int_equal(hears(v, "hello\n", i), SSL_ERROR_NONE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(any_split_is_served, open_newest),
		STORY(any_split_is_served, open_older),
		STORY(any_split_is_served, open_in_place),
		STORY(requests_behind_the_handshake_wait_for_it, open_newest),
		STORY(requests_behind_the_handshake_wait_for_it, open_older),
		STORY(a_body_of_many_records_arrives, open_newest),
		STORY(who_takes_nothing_is_cut_off, open_newest),
		STORY(a_close_notify_ends_the_handler, open_newest),
		STORY(a_close_notify_ends_the_handler, open_older),
		STORY(a_fin_without_it_does_too, open_newest),
		STORY(a_forged_record_ends_the_connection, open_newest),
		STORY(the_end_is_said, open_newest),
		STORY(the_end_is_said, open_older),
		STORY(of_a_cut_body_it_is_not_said, open_newest),
		STORY(an_idle_connection_ends_with_it, open_newest),
		STORY(new_keys_for_ever_are_not_given, open_newest),
		STORY(new_keys_now_and_then_are, open_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
