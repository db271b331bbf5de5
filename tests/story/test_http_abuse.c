/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server and hostile clients: those that leave, those that are slow, those that send more
 * than they may. What they hold is freed, and they cost no processor time meanwhile.
 */
#include "http_session.h"

#include <sys/socket.h>

#include <time.h>
#include <unistd.h>

#include "tenantgate/base/clock.h"

#define AT_ONCE_US 1000000 /* milliseconds, but for a busy machine; /wait is 30 s */

static uint64_t
cpu_us(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Nothing goes on: a fifth of a second costs next to nothing. */
static void
assert_idle(void)
{
	uint64_t before = cpu_us();

	usleep(200000);
	assert_in_range(cpu_us() - before, 0, 40000);
}

static void
assert_departed(struct http_session *v, uint64_t since)
{
	assert_true(http_fixture_waits_for(&v->fixture.ended, 1));
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_CLIENT_GONE);
	assert_in_range(atomic_load(&v->fixture.ended_at_us) - since, 0, AT_ONCE_US);
	assert_idle();
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
	uint64_t since;

	wait_begins(v);
	assert_idle();
	since = clock_mono_us();
	shutdown(v->fd, SHUT_WR);
	assert_departed(v, since);
	receives_end(v);
}

static void
a_reset_ends_the_handler(void **state)
{
	struct http_session *v = *state;
	uint64_t since;

	wait_begins(v);
	since = clock_mono_us();
	client_reset(v->fd);
	v->fd = client_open(&v->fixture);
	assert_departed(v, since);
}

/* More than is read ahead: reading is paused, and stays so. */
static void
send_ahead(struct http_session *v)
{
	static char junk[120000];

	wait_begins(v);
	client_send_bytes(v->fd, junk, sizeof(junk));
	usleep(20000);
	assert_idle();
}

static void
a_fin_behind_unread_bytes_ends_the_handler(void **state)
{
	struct http_session *v = *state;
	uint64_t since;

	send_ahead(v);
	since = clock_mono_us();
	shutdown(v->fd, SHUT_WR);
	assert_departed(v, since);
}

static void
a_reset_behind_unread_bytes_ends_the_handler(void **state)
{
	struct http_session *v = *state;
	uint64_t since;

	send_ahead(v);
	since = clock_mono_us();
	client_reset(v->fd);
	v->fd = client_open(&v->fixture);
	assert_departed(v, since);
}

static void
a_departure_while_the_body_comes_ends_the_handler(void **state)
{
	struct http_session *v = *state;
	uint64_t since;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 50\r\n\r\nhalf");
	assert_true(http_fixture_waits_for(&v->fixture.handled, 1));
	usleep(20000);
	since = clock_mono_us();
	shutdown(v->fd, SHUT_WR);
	assert_departed(v, since);
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

/* The server has sent something, or closed. */
static bool
is_answered(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != -1;
}

/* The limit is on the whole header section: a byte now and then does not extend it (slowloris). */
static void
a_dripping_head_times_out(void **state)
{
	struct http_session *v = *state;
	uint64_t began = clock_mono_us();
	int drops = 0;

	client_send(v->fd, "GET /hello" TAIL "X: ");
	while (!is_answered(v->fd) && drops++ < 200) {
		client_send(v->fd, "x");
		usleep(50000);
	}
	assert_in_range(drops, 1, 199);
	receives_end(v);
	has(v, "HTTP/1.1 408 Request Timeout\r\n", 1);
	has(v, "\"code\":\"request_timeout\"", 1);
	assert_true(clock_mono_us() - began >= 300000);
	assert_int_equal(atomic_load(&v->fixture.refused_code), ERR_REQUEST_TIMEOUT);
	assert_int_equal(atomic_load(&v->fixture.handled), 0);
}

static void
a_silent_client_is_hung_up_on(void **state)
{
	struct http_session *v = *state;

	receives_end(v);
	assert_int_equal(v->received.len, 0);
	assert_int_equal(atomic_load(&v->fixture.refused), 0);
}

static void
a_stalled_body_times_out(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 50\r\n\r\nhalf");
	receives_end(v);
	has(v, "HTTP/1.1 408 Request Timeout\r\n", 1);
	has(v, "Connection: close\r\n", 1);
	assert_int_equal(atomic_load(&v->fixture.ended_code), ERR_REQUEST_TIMEOUT);
}

/* Each piece of a body restarts its time-out: together they take longer than one piece may. */
static void
a_slow_body_comes_through(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 5\r\n\r\n");
	for (int i = 0; i < 5; i++) {
		usleep(300000);
		client_send_bytes(v->fd, "slow!" + i, 1);
	}
	receives(v, "slow!", 1);
}

/* A thousand bytes a second at least, after the first 300 ms. */
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
	int drops = 0;

	client_send(v->fd, "POST /echo" TAIL "Content-Length: 500\r\n\r\n");
	while (!is_answered(v->fd) && drops++ < 400) {
		client_send(v->fd, "x");
		usleep(20000);
	}
	assert_in_range(drops, 1, 399);
	receives_end(v);
	has(v, "HTTP/1.1 408 Request Timeout\r\n", 1);
	has(v, "below 1000 bytes a second", 1);
	assert_true(clock_mono_us() - began >= 300000);
}

static void
a_body_at_the_pace_comes_through(void **state)
{
	static char half[32000];
	struct http_session *v = *state;

	memset(half, 'y', sizeof(half));
	client_send(v->fd, "POST /echo" TAIL "Content-Length: 64000\r\n\r\n");
	client_send_bytes(v->fd, half, sizeof(half));
	usleep(100000);
	client_send_bytes(v->fd, half, sizeof(half));
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

static void
a_client_that_reads_nothing_times_out(void **state)
{
	struct http_session *v = *state;
	unsigned long long flooded, before = 0;

	client_send(v->fd, "GET /flood" TAIL "\r\n");
	while ((flooded = atomic_load(&v->fixture.flooded)) == 0 || flooded != before) {
		before = flooded;
		usleep(50000);
	}
	assert_idle();
	/* The producer is paused: what it wrote is in the kernel's two buffers and in the
	 * server's. */
	assert_int_equal(atomic_load(&v->fixture.flooded), flooded);
	assert_in_range(flooded, 65536, 16u << 20);
	assert_in_range(atomic_load(&v->fixture.queued), 8192, flooded);
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

/* A second: on a loaded machine the reader itself is late, too. */
static int
patient_open(void **state)
{
	struct http_conf conf;

	http_fixture_conf(&conf);
	conf.send_timeout_us = 1000000;
	conf.body_timeout_us = 1000000;
	return session_open_with(state, &conf);
}

static void
a_slow_reader_is_waited_for(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "GET /flood" TAIL "\r\n");
	for (int i = 0; i < 15; i++) {
		usleep(100000);
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
		cmocka_unit_test_setup_teardown(a_slow_body_comes_through, patient_open,
		    session_close),
		cmocka_unit_test_setup_teardown(a_dripping_body_times_out, brisk_open,
		    session_close),
		cmocka_unit_test_setup_teardown(a_body_at_the_pace_comes_through, brisk_open,
		    session_close),
		SESSION(a_body_is_watched_as_it_grows),
		SESSION(a_client_that_reads_nothing_times_out),
		cmocka_unit_test_setup_teardown(a_client_that_does_not_read_gets_no_more,
		    patient_open, session_close),
		cmocka_unit_test_setup_teardown(a_slow_reader_is_waited_for, patient_open,
		    session_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
