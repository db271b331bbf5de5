/* SPDX-License-Identifier: MIT */
/*
 * test_http_proxied: behind proxies and load balancers. Whose requests are counted and logged, by
 * X-Forwarded-For and by the PROXY protocol; the places that are kept for probes, and probes
 * without a Host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_session.h"

#define ASK	 "GET /ask?q=a HTTP/1.1\r\nHost: x\r\nX-Word: b\r\n"
#define WAIT	 "GET /wait HTTP/1.1\r\nHost: x\r\n"
#define V1(from) "PROXY TCP4 " from " 127.0.0.1 4444 80\r\n"
#define V2_LOCAL "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"
#define PLACES	 32 /* of which two are kept */
#define ORDINARY 30

static bool
is_hello(struct slice method, struct slice path)
{
	return slice_is(method, "GET") && slice_is(path, "/hello");
}

static void
proxied_conf(struct http_conf *conf)
{
	http_fixture_conf(conf);
	conf->header_timeout_us = conf->keepalive_timeout_us = 60000000;
	conf->trusted_proxies = "10.0.0.0/8, 127.0.0.1";
	conf->is_probe = is_hello;
}

static int
enter_behind_forwarders(void **state)
{
	struct http_conf conf;

	proxied_conf(&conf);
	conf.max_client_conn_per_ip = 2;
	return session_open_with(state, &conf);
}

static int
enter_behind_proxy_protocol(void **state)
{
	struct http_conf conf;

	proxied_conf(&conf);
	conf.max_client_conn_per_ip = 2;
	conf.proxy_protocol = true;
	return session_open_with(state, &conf);
}

static int
enter_with_few_places(void **state)
{
	struct http_conf conf;

	proxied_conf(&conf);
	conf.max_client_conn = PLACES;
	return session_open_with(state, &conf);
}

static int
enter_without_trust(void **state)
{
	struct http_conf conf;

	proxied_conf(&conf);
	conf.trusted_proxies = NULL;
	return session_open_with(state, &conf);
}

static int
enter_with_strangers(void **state)
{
	struct http_conf conf;

	proxied_conf(&conf);
	conf.trusted_proxies = "10.0.0.0/8";
	conf.proxy_protocol = true;
	return session_open_with(state, &conf);
}

/* A connection of its own: what it gets for these bytes, until `text` has come. */
static int
other_gets(struct http_session *v, const char *bytes, const char *text)
{
	int fd = client_open(&v->fixture);
	struct buf got;

	buf_init(&got, 1u << 20);
	client_send(fd, bytes);
	if (!client_receives(fd, &got, text, 1))
		fail_msg("'%s' did not come: %s", text, got.data == NULL ? "nothing" : got.data);
	buf_free(&got);
	return fd;
}

static void
until_handled(struct http_session *v, unsigned n)
{
	assert_true(http_fixture_waits_for(&v->fixture.handled, n));
}

/* The server has seen which sockets are closed; a lower number is for those that are not. */
static void
until_connections(struct http_session *v, unsigned n)
{
	for (unsigned i = 0; i < 4000 && http_shared_connections(v->fixture.shared) != n; i++)
		usleep(5000);
	assert_int_equal(http_shared_connections(v->fixture.shared), n);
}

/* ---- X-Forwarded-For ---- */
static void
the_client_is_who_the_proxy_names(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, ASK "X-Forwarded-For: 6.6.6.6, 203.0.113.5, 10.0.0.7\r\n\r\n");
	receives(v, "from 203.0.113.5", 1);
	client_send(v->fd, ASK "\r\n");
	receives(v, "from 127.0.0.1", 1);
	client_send(v->fd, ASK "X-Forwarded-For: 2001:db8::1\r\n\r\n");
	receives(v, "from 2001:db8::1", 1);
}

static void
a_stranger_names_nobody(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, ASK "X-Forwarded-For: 203.0.113.5\r\n\r\n");
	receives(v, "from 127.0.0.1", 1);
}

static void
each_client_of_a_proxy_has_its_own_limit(void **state)
{
	struct http_session *v = *state;
	const char *third = ASK "X-Forwarded-For: 203.0.113.5\r\n\r\n";
	int one = client_open(&v->fixture), two = client_open(&v->fixture);

	client_send(one, WAIT "X-Forwarded-For: 203.0.113.5\r\n\r\n");
	client_send(two, WAIT "X-Forwarded-For: 203.0.113.5\r\n\r\n");
	until_handled(v, 2);
	close(other_gets(v, third, "503 Service Unavailable"));
	assert_true(http_fixture_waits_for(&v->fixture.refused, 1));
	assert_string_equal(v->fixture.refused_remote, "203.0.113.5");
	close(other_gets(v, ASK "X-Forwarded-For: 203.0.113.6\r\n\r\n", "from 203.0.113.6"));
	close(one);
	assert_true(http_fixture_waits_for(&v->fixture.ended, 1));
	/* Again and again on one connection: a place is given back with its exchange. */
	for (unsigned i = 1; i <= 5; i++) {
		client_send(v->fd, third);
		receives(v, "from 203.0.113.5", i);
	}
	close(two);
}

/* ---- the PROXY protocol ---- */
static void
the_header_names_the_client(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, V1("203.0.113.5") ASK "\r\n");
	receives(v, "from 203.0.113.5", 1);
	client_send(v->fd, ASK "X-Forwarded-For: 6.6.6.6\r\n\r\n");
	receives(v, "from 203.0.113.5", 2);
	close(other_gets(v, V1("10.0.0.9") ASK "X-Forwarded-For: 6.6.6.6\r\n\r\n", "from 6.6.6.6"));
	close(other_gets(v, "PROXY UNKNOWN\r\n" ASK "\r\n", "from 127.0.0.1"));
}

/* The proxy has passed on the bytes of somebody, whose word this is. */
static void
whom_a_proxy_does_not_know_names_nobody(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, "PROXY UNKNOWN\r\n" ASK "X-Forwarded-For: 6.6.6.6\r\n\r\n");
	receives(v, "from 127.0.0.1", 1);
}

static void
a_header_may_come_in_pieces(void **state)
{
	static const char all[] = V1("203.0.113.5") ASK "\r\n";
	struct http_session *v = *state;

	for (size_t i = 0; i < sizeof(all) - 1; i++) {
		client_send_bytes(v->fd, all + i, 1);
		if (i < 60)
			usleep(1000);
	}
	receives(v, "from 203.0.113.5", 1);
}

static void
a_proxy_speaks_for_itself(void **state)
{
	static const char all[] = V2_LOCAL ASK "\r\n" ASK "X-Forwarded-For: 203.0.113.5\r\n\r\n";
	struct http_session *v = *state;

	client_send_bytes(v->fd, all, sizeof(all) - 1);
	receives(v, "from 127.0.0.1", 1);
	receives(v, "from 203.0.113.5", 1);
}

static void
without_its_header_a_connection_is_closed(void **state)
{
	struct http_session *v = *state;
	int bare = client_open(&v->fixture);

	close(bare);
	client_send(v->fd, ASK "\r\n");
	receives_end(v);
	assert_int_equal(v->received.len, 0);
	assert_int_equal(atomic_load(&v->fixture.handled), 0);
	assert_int_equal(atomic_load(&v->fixture.refused), 0);
	close(other_gets(v, V1("203.0.113.5") ASK "\r\n", "from 203.0.113.5"));
}

static void
a_stranger_may_not_send_a_header(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd, V1("203.0.113.5") ASK "\r\n");
	receives_end(v);
	assert_int_equal(v->received.len, 0);
	assert_int_equal(atomic_load(&v->fixture.handled), 0);
}

static void
connections_are_counted_by_their_headers(void **state)
{
	struct http_session *v = *state;
	const char *hello = V1("203.0.113.5") "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
	int one = other_gets(v, hello, "hello"), two = other_gets(v, hello, "hello");

	close(other_gets(v, hello, "503 Service Unavailable"));
	close(other_gets(v, V1("203.0.113.6") ASK "\r\n", "from 203.0.113.6"));
	client_send(v->fd, "PROXY UNKNOWN\r\n" ASK "\r\n");
	receives(v, "from 127.0.0.1", 1);
	close(one);
	close(two);
	client_send(v->fd, "GET /x HTTP/1.1\r\nHost:\r\n\r\n");
	receives(v, "400 Bad Request", 1);
	close(v->fd);
	until_connections(v, 0);
	v->fd = client_open(&v->fixture);
	close(other_gets(v, hello, "hello"));
}

/* ---- probes ---- */
static void
a_probe_needs_no_host(void **state)
{
	struct http_session *v = *state;

	client_send(v->fd,
	    "GET /hello HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\nHost:\r\n\r\n"
	    "GET http://x/hello HTTP/1.1\r\nHost: \r\n\r\n");
	receives(v, "200 OK", 3);
	close(other_gets(v, "GET /hello HTTP/1.0\r\n\r\n", "200 OK"));
	close(other_gets(v, "GET /hello HTTP/1.0\r\nHost:\r\n\r\n", "200 OK"));
	close(other_gets(v, "HEAD /hello HTTP/1.1\r\n\r\n", "400 Bad Request"));
	close(other_gets(v, "GET /hellos HTTP/1.1\r\n\r\n", "400 Bad Request"));
	close(other_gets(v, "GET /hellos HTTP/1.1\r\nHost:\r\n\r\n", "400 Bad Request"));
	close(other_gets(v, "GET /hello HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n", "400 Bad Request"));
	close(other_gets(v, "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", "400 Bad Request"));
}

/* The session's own connection has one of the ordinary places. */
static void
places_are_kept_for_probes(void **state)
{
	struct http_session *v = *state;
	int fd[ORDINARY - 1], kept, last;

	for (int i = 0; i < ORDINARY - 1; i++)
		fd[i] = other_gets(v, ASK "\r\n", "from 127.0.0.1");
	until_connections(v, ORDINARY);
	close(other_gets(v, "GET /hello HTTP/1.1\r\n\r\n", "Connection: close"));
	until_connections(v, ORDINARY);
	close(other_gets(v, ASK "\r\n", "503 Service Unavailable"));
	until_connections(v, ORDINARY);
	/* Who is refused and stays has a kept place no longer. */
	kept = other_gets(v, ASK "\r\n", "503 Service Unavailable");
	last = other_gets(v, ASK "\r\n", "503 Service Unavailable");
	assert_int_equal(http_shared_connections(v->fixture.shared), ORDINARY);
	close(other_gets(v, "GET /hello HTTP/1.1\r\n\r\n", "Connection: close"));
	close(kept);
	close(last);
	until_connections(v, ORDINARY);
	kept = client_open(&v->fixture);
	last = client_open(&v->fixture);
	until_connections(v, PLACES);
	/* Not even a place that is kept: told so at once. */
	close(other_gets(v, "", "503 Service Unavailable"));
	/* An ordinary place that comes free is anybody's. */
	close(last);
	close(fd[0]);
	until_connections(v, ORDINARY);
	client_send(kept, ASK "\r\n");
	buf_reset(&v->received);
	assert_true(client_receives(kept, &v->received, "from 127.0.0.1", 1));
	close(kept);
	for (int i = 1; i < ORDINARY - 1; i++)
		close(fd[i]);
}

#define AS(enter, test) cmocka_unit_test_setup_teardown(test, enter, session_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		AS(enter_behind_forwarders, the_client_is_who_the_proxy_names),
		AS(enter_without_trust, a_stranger_names_nobody),
		AS(enter_behind_forwarders, each_client_of_a_proxy_has_its_own_limit),
		AS(enter_behind_proxy_protocol, the_header_names_the_client),
		AS(enter_behind_proxy_protocol, whom_a_proxy_does_not_know_names_nobody),
		AS(enter_behind_proxy_protocol, a_header_may_come_in_pieces),
		AS(enter_behind_proxy_protocol, a_proxy_speaks_for_itself),
		AS(enter_behind_proxy_protocol, without_its_header_a_connection_is_closed),
		AS(enter_with_strangers, a_stranger_may_not_send_a_header),
		AS(enter_behind_proxy_protocol, connections_are_counted_by_their_headers),
		AS(enter_without_trust, a_probe_needs_no_host),
		AS(enter_with_few_places, places_are_kept_for_probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
