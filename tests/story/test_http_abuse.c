/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server and hostile clients: those that leave, those that are slow, those that send more
 * than they may. What they hold is freed, and they cost no processor time meanwhile.
 */
#include "http_session.h"

#include <sys/socket.h>

#include <time.h>
#include <unistd.h>

/* Time goes on by so much between two pieces that come in time. */
#define SHORT_US (FIXTURE_TIMEOUT_US / 5 * 4)

static uint64_t
cpu_us(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* In the end nothing goes on: a fifth of a second costs next to nothing. */
static void
becomes_idle(void)
{
	uint64_t cost = 0;

	for (int i = 0; i < 100; i++) {
		uint64_t before = cpu_us();

		usleep(200000);
		cost = cpu_us() - before;
		if (cost <= 40000)
			return;
	}
	fail_msg("200 ms without anything to do cost %llu us of processor time",
	    (unsigned long long)cost);
}

/* No time-out of the server has passed: the clock stands still. */
static void
departs(struct http_session *v)
{
	assert_true(http_fixture_waits_for(&v->fixture.ended, 1));
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_CLIENT_GONE);
	becomes_idle();
}

static void
wait_begins(struct http_session *v)
{
	client_send(v->fd, "GET /wait" TAIL "\r\n");
	assert_true(http_fixture_waits_for(&v->fixture.handled, 1));
}

static void
a_fin_ends_the_handler(void **state)
{
	struct http_session *v = *state;

	wait_begins(v);
	becomes_idle();
	shutdown(v->fd, SHUT_WR);
	departs(v);
	receives_end(v);
}

static void
a_reset_ends_the_handler(void **state)
{
	struct http_session *v = *state;

	wait_begins(v);
	client_reset(v->fd);
	v->fd = client_open(&v->fixture);
	departs(v);
}

/* More than is read ahead: reading is paused, and stays so. */
static void
send_ahead(struct http_session *v)
{
	static char junk[120000];

	wait_begins(v);
	client_send_bytes(v->fd, junk, sizeof(junk));
	usleep(20000);
	becomes_idle();
}

static void
a_fin_behind_unread_bytes_ends_the_handler(void **state)
{
	struct http_session *v = *state;

	send_ahead(v);
	shutdown(v->fd, SHUT_WR);
	departs(v);
}

static void
a_reset_behind_unread_bytes_ends_the_handler(void **state)
{
	struct http_session *v = *state;

	send_ahead(v);
	client_reset(v->fd);
	v->fd = client_open(&v->fixture);
	departs(v);
}

static void
a_departure_while_the_body_comes_ends_the_handler(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 50\r\n\r\nhalf");
	assert_true(http_fixture_reads_body(&v->fixture, 4));
	shutdown(v->fd, SHUT_WR);
	departs(v);
}

static void
a_departure_in_a_stream_ends_the_handler(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /flood" TAIL "\r\n");
	receives(v, "\r\n2000\r\n", 1);
	client_reset(v->fd);
	v->fd = client_open(&v->fixture);
	assert_true(http_fixture_waits_for(&v->fixture.ended, 1));
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_CLIENT_GONE);
}

/* The limit is on the whole header section: a byte now and then does not extend it (slowloris). The
 * request before it has the server read what is there of it. */
static void
a_dripping_head_times_out(void **state)
{
	struct http_session *v = *state;
	uint64_t began = clock_mono_us();

	client_send(v->fd, "GET /hello" TAIL "\r\nGET /hello" TAIL "X: ");
	receives(v, "hello\n", 1);
	for (int drops = 0; !is_answered(v->fd); drops++) {
		if (drops == 4000)
			fail_msg("it is read for ever");
		client_send(v->fd, "x");
		usleep(5000);
		clock_test_advance(SHORT_US / 4);
	}
	receives_end(v);
	has(v, "HTTP/1.1 408 Request Timeout\r\n", 1);
	has(v, "\"code\":\"request_timeout\"", 1);
	assert_true(clock_mono_us() - began >= FIXTURE_TIMEOUT_US);
	assert_int_equal(atomic_load(&v->fixture.refused_code), ERR_REQUEST_TIMEOUT);
	assert_int_equal(atomic_load(&v->fixture.handled), 1);
}

static void
a_silent_client_is_hung_up_on(void **state)
{
	struct http_session *v = *state;

	assert_true(passes_until_answered(v) >= FIXTURE_TIMEOUT_US);
	receives_end(v);
	assert_int_equal(v->received.len, 0);
	assert_int_equal(atomic_load(&v->fixture.refused), 0);
}

static void
a_stalled_body_times_out(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 50\r\n\r\nhalf");
	assert_true(http_fixture_reads_body(&v->fixture, 4));
	assert_true(passes_until_answered(v) >= FIXTURE_TIMEOUT_US);
	receives_end(v);
	has(v, "HTTP/1.1 408 Request Timeout\r\n", 1);
	has(v, "Connection: close\r\n", 1);
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_REQUEST_TIMEOUT);
}

/* The server's timer goes off in each pause, which is longer than a time-out for it, but not for
 * the clock. */
static void
pause_short_of_the_timeout(void)
{
	clock_test_advance(SHORT_US);
	usleep(FIXTURE_TIMEOUT_US + 10000);
}

/* Each piece of a body restarts its time-out: together they take longer than one piece may. */
static void
a_slow_body_comes_through(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 5\r\n\r\n");
	assert_true(http_fixture_waits_for(&v->fixture.handled, 1));
	for (unsigned i = 0; i < 5; i++) {
		assert_true(http_fixture_reads_body(&v->fixture, i));
		pause_short_of_the_timeout();
		client_send_bytes(v->fd, &"slow!"[i], 1);
	}
	receives(v, "slow!", 1);
}

/* A thousand bytes a second at least, after the first FIXTURE_TIMEOUT_US. */
static int
brisk_open(void **state)
{
	struct http_conf conf;

	http_fixture_conf(&conf);
	conf.body_rate_min = 1000;
	return session_open_with(state, &conf);
}

/* No pause is as long as body_timeout_us, and yet it is not waited for until it is done. */
static void
a_dripping_body_times_out(void **state)
{
	struct http_session *v = *state;
	uint64_t began = clock_mono_us();
	size_t drops = 0;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 5000\r\n\r\n");
	assert_true(http_fixture_waits_for(&v->fixture.handled, 1));
	while (atomic_load(&v->fixture.ended) == 0 && drops++ < 4000) {
		client_send(v->fd, "x");
		if (!http_fixture_reads_body(&v->fixture, drops))
			break;
		clock_test_advance(SHORT_US / 2);
		usleep(5000);
	}
	receives_end(v);
	has(v, "HTTP/1.1 408 Request Timeout\r\n", 1);
	has(v, "below 1000 bytes a second", 1);
	assert_true(clock_mono_us() - began >= FIXTURE_TIMEOUT_US);
}

/* All of it takes longer than body_timeout_us, and no longer than so many bytes may. */
static void
a_body_at_the_pace_comes_through(void **state)
{
	static char piece[100];
	struct http_session *v = *state;

	memset(piece, 'y', sizeof(piece));
	client_send(v->fd, "POST /echo" TAIL "Content-Length: 500\r\n\r\n");
	for (unsigned i = 1; i < 5; i++) {
		client_send_bytes(v->fd, piece, sizeof(piece));
		assert_true(http_fixture_reads_body(&v->fixture, i * sizeof(piece)));
		pause_short_of_the_timeout();
	}
	client_send_bytes(v->fd, piece, sizeof(piece));
	receives(v, "HTTP/1.1 200 OK\r\n", 1);
}

/* What the watch says ends the reading; a smaller body of the next request is read. */
static void
a_body_is_watched_as_it_grows(void **state)
{
	static char piece[WATCHED_MAX];
	struct http_session *v = *state;

	memset(piece, 'y', sizeof(piece));
	client_send(v->fd, "POST /watched" TAIL "Content-Length: 5\r\n\r\nsmall");
	receives(v, "small", 1);
	client_send(v->fd, "POST /watched" TAIL "Content-Length: 90000\r\n\r\n");
	client_send_bytes(v->fd, piece, sizeof(piece));
	client_send_bytes(v->fd, piece, sizeof(piece));
	receives_end(v);
	has(v, "HTTP/1.1 503 Service Unavailable\r\n", 1);
	has(v, "The watch has seen enough.", 1);
}

/* Until the producer is paused, and costs nothing any more; how much it wrote. */
static unsigned long long
flood_settles(struct http_session *v)
{
	unsigned long long flooded, before = 0;

	while ((flooded = atomic_load(&v->fixture.flooded)) < 65536 || flooded != before) {
		before = flooded;
		becomes_idle();
	}
	return flooded;
}

/* The clock goes on only once the kernel's two buffers are full: whenever the deadline of sending
 * is looked at before, it is too early. */
static void
a_client_that_reads_nothing_times_out(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /flood" TAIL "\r\n");
	assert_in_range(atomic_load(&v->fixture.queued), 0, flood_settles(v));
	assert_true(atomic_load(&v->fixture.queued) >= 8192);
	assert_int_equal(atomic_load(&v->fixture.ended), 0);
	for (int i = 0; i < 2000 && atomic_load(&v->fixture.ended) == 0; i++) {
		clock_test_advance(FIXTURE_TIMEOUT_US / 2);
		usleep(10000);
	}
	assert_in_range(atomic_load(&v->fixture.flooded), 65536, 16u << 20);
	assert_true(http_fixture_waits_for(&v->fixture.ended, 1));
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_CLIENT_GONE);
	assert_int_equal(atomic_load(&v->fixture.queued), 0);
}

/* Its responses do not pile up: its next requests are not begun, and are all answered in the
 * end. */
static void
a_client_that_does_not_read_gets_no_more(void **state)
{
	const unsigned n = 20000;
	struct http_session *v = *state;
	struct buf asked;
	int small = 65536;

	assert_int_equal(setsockopt(v->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	buf_init(&asked, 1u << 20);
	for (unsigned i = 1; i < n; i++)
		assert_true(buf_puts(&asked, "GET /hello" TAIL "\r\n"));
	assert_true(buf_puts(&asked, "GET /hello" TAIL "Connection: close\r\n\r\n"));
	client_send_bytes(v->fd, asked.data, asked.len);
	buf_free(&asked);
	assert_true(http_fixture_waits_for(&v->fixture.handled, 1));
	usleep(100000);
	assert_in_range(atomic_load(&v->fixture.handled), 1, n - 1000);
	receives_end(v);
	assert_int_equal(count_of(&v->received, "hello\n"), n);
}

/* Longer in all than one piece may be left untaken. */
static void
a_slow_reader_is_waited_for(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /flood" TAIL "\r\n");
	for (int i = 0; i < 15; i++) {
		pause_short_of_the_timeout();
		buf_reset(&v->received);
		receives(v, "\r\n2000\r\n", 200);
	}
	assert_int_equal(atomic_load(&v->fixture.ended), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SESSION(a_fin_ends_the_handler),
		SESSION(a_reset_ends_the_handler),
		SESSION(a_fin_behind_unread_bytes_ends_the_handler),
		SESSION(a_reset_behind_unread_bytes_ends_the_handler),
		SESSION(a_departure_while_the_body_comes_ends_the_handler),
		SESSION(a_departure_in_a_stream_ends_the_handler),
		SESSION(a_dripping_head_times_out),
		SESSION(a_silent_client_is_hung_up_on),
		SESSION(a_stalled_body_times_out),
		SESSION(a_slow_body_comes_through),
		cmocka_unit_test_setup_teardown(a_dripping_body_times_out, brisk_open,
		    session_close),
		cmocka_unit_test_setup_teardown(a_body_at_the_pace_comes_through, brisk_open,
		    session_close),
		SESSION(a_body_is_watched_as_it_grows),
		SESSION(a_client_that_reads_nothing_times_out),
		SESSION(a_client_that_does_not_read_gets_no_more),
		SESSION(a_slow_reader_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
