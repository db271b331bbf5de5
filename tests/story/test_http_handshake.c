/* SPDX-License-Identifier: MIT */
/*
 * Handshakes that come to nothing: of clients that stall, leave, make noise or speak in the clear,
 * and when all are to go. Each is counted by its end.
 */
#include "http_tls_story.h"

static void
a_stalled_handshake_has_its_time(void **state)
{
	struct http_session *v = *state;

	client_send_bytes(v->fd, "\x16\x03\x01", 3);
	clock_test_advance(HANDSHAKE_US - 1);
	usleep(20000);
	assert_false(is_answered(v->fd));
	clock_test_advance(1);
	(void)passes_until_answered(v);
	receives_end(v);
	assert_int_equal(v->received.len, 0);
	assert_int_equal(http_shared_handshakes(v->fixture.shared), 0);
}

static void
a_request_in_the_clear_is_told(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /hello" TAIL "\r\n");
	receives_end(v);
	has(v, "HTTP/1.1 400", 1);
	has(v, "https", 1);
	assert_int_equal(atomic_load(&v->fixture.handled), 0);
}

static void
waits_for_handshakes(const struct http_session *v, unsigned n)
{
	while (http_shared_handshakes(v->fixture.shared) != n)
		usleep(1000);
}

static atomic_bool is_held;

/* worker_fn */
static void
hold_on(void *unused)
{
	(void)unused;
	while (atomic_load(&is_held))
		usleep(1000);
}

/* Some senders shut their side behind the request: it is read all the same, however late. */
static void
a_request_in_the_clear_is_told_behind_its_end(void **state)
{
	struct http_session *v = *state;

	waits_for_handshakes(v, 1);
	atomic_store(&is_held, true);
	worker_post(v->fixture.worker, &v->fixture.task, hold_on, NULL);
	client_send(v->fd, "GET /hello" TAIL "\r\n");
	assert_int_equal(shutdown(v->fd, SHUT_WR), 0);
	atomic_store(&is_held, false);
	receives_end(v);
	has(v, "HTTP/1.1 400", 1);
	assert_int_equal(http_shared_handshakes(v->fixture.shared), 0);
}

/* The handshake's last bytes, a request that is refused, and the end, all at once. */
static void
an_end_behind_the_handshake_leaves_nothing_unread(void **state)
{
	struct http_session *v = *state;

	assert_int_equal(SSL_do_handshake(story.ssl), -1);
	send_queued(v, PIECE);
	while (SSL_do_handshake(story.ssl) != 1)
		assert_true(take_bytes(v));
	assert_true(SSL_write(story.ssl, "NONSENSE\r\n\r\n", 12) > 0);
	send_queued(v, PIECE);
	assert_int_equal(shutdown(v->fd, SHUT_WR), 0);
	assert_int_equal(hears(v, NULL, 0), SSL_ERROR_ZERO_RETURN);
	has(v, "HTTP/1.1 400", 1);
}

static void
half_a_hello_and_the_end_is_no_handshake(void **state)
{
	struct http_session *v = *state;

	client_send_bytes(v->fd, "\x16\x03\x01", 3);
	assert_int_equal(shutdown(v->fd, SHUT_WR), 0);
	receives_end(v);
	assert_int_equal(http_shared_handshakes(v->fixture.shared), 0);
}

static void
noise_is_answered_by_an_alert(void **state)
{
	struct http_session *v = *state;

	client_send_bytes(v->fd, "\x16\x03\x01\x00\x05noise", 10);
	receives_end(v);
	assert_true(v->received.len == 7 && v->received.data[0] == 21);
	assert_int_equal(atomic_load(&v->fixture.handled), 0);
}

static void
who_leaves_in_it_leaves_nothing(void **state)
{
	struct http_session *v = *state;

	assert_int_equal(SSL_do_handshake(story.ssl), -1);
	send_queued(v, PIECE);
	client_reset(v->fd);
	v->fd = client_open(&v->fixture);
	client_free();
	client_make(TLS1_3_VERSION);
	assert_true(shakes_hands(v, PIECE));
}

/* A connection counts before its handshake; who has no place is told so behind it. */
static void
a_full_server_says_so(void **state)
{
	struct http_session *v = *state;
	int first = v->fd;

	while (http_shared_handshakes(v->fixture.shared) == 0)
		usleep(1000);
	v->fd = client_open(&v->fixture);
	assert_true(shakes_hands(v, PIECE));
	assert_int_equal(hears(v, NULL, 0), SSL_ERROR_ZERO_RETURN);
	has(v, "HTTP/1.1 503", 1);
	close(first);
}

static void
a_drain_waits_for_no_handshake(void **state)
{
	struct http_session *v = *state;

	client_send_bytes(v->fd, "\x16\x03\x01", 3);
	while (http_shared_handshakes(v->fixture.shared) == 0)
		usleep(1000);
	http_fixture_drain(&v->fixture);
	receives_end(v);
}

#define READINGS 16

/* Of the handshakes that were counted, those with this end; NULL: all. */
static unsigned
handshakes_counted(const struct http_session *v, const char *result)
{
	static struct meter_reading readings[READINGS];
	unsigned n = 0, counted = 0;

	memset(readings, 0, sizeof(readings));
	assert_true(meter_gather(v->fixture.worker, &tls_handshakes, readings, &n, READINGS));
	for (unsigned i = 0; i < n; i++)
		if (result == NULL || strcmp(readings[i].values[0], result) == 0)
			counted += (unsigned)readings[i].sum;
	return counted;
}

static void
one_more_client(struct http_session *v, const char *bytes, size_t n)
{
	close(v->fd);
	v->fd = client_open(&v->fixture);
	client_send_bytes(v->fd, bytes, n);
}

/* Full, in the clear, failed, left, late; and one that is under way when all are to go. */
static void
each_handshake_is_counted_by_its_end(void **state)
{
	static const char *const results[] = { "full", "http", "failed", "left", "timeout",
		"shutdown" };
	struct http_session *v = *state;

	assert_true(shakes_hands(v, PIECE));
	waits_for_handshakes(v, 0);
	one_more_client(v, "GET / HTTP/1.1\r\n\r\n", 18);
	receives_end(v);
	one_more_client(v, "\x16\x03\x01\x00\x05noise", 10);
	receives_end(v);
	one_more_client(v, "\x16\x03\x01", 3);
	waits_for_handshakes(v, 1);
	one_more_client(v, "\x16\x03\x01", 3);
	while (handshakes_counted(v, "left") == 0)
		usleep(1000);
	waits_for_handshakes(v, 1);
	(void)passes_until_answered(v);
	one_more_client(v, "\x16\x03\x01", 3);
	waits_for_handshakes(v, 1);
	http_fixture_drain(&v->fixture);
	receives_end(v);
	waits_for_handshakes(v, 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(handshakes_counted(v, results[i]), 1);
	assert_int_equal(handshakes_counted(v, NULL), 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(a_stalled_handshake_has_its_time, open_newest),
		STORY(a_request_in_the_clear_is_told, open_newest),
		STORY(a_request_in_the_clear_is_told_behind_its_end, open_newest),
		STORY(an_end_behind_the_handshake_leaves_nothing_unread, open_newest),
		STORY(half_a_hello_and_the_end_is_no_handshake, open_newest),
		STORY(noise_is_answered_by_an_alert, open_newest),
		STORY(who_leaves_in_it_leaves_nothing, open_newest),
		STORY(a_full_server_says_so, open_full),
		STORY(a_drain_waits_for_no_handshake, open_newest),
		STORY(each_handshake_is_counted_by_its_end, open_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
