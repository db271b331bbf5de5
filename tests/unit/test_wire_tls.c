/* SPDX-License-Identifier: MIT */
/*
 * TLS of the HTTP and Redis clients: nothing is sent to a server whose certificate is not verified.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "fake_tls.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/wire/redis.h"
#include "web_client_fixture.h"

static struct fake_tls tls;
static struct worker *worker;
static struct dns *dns;

static void
https_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	(void)evbuffer_drain(in, evbuffer_get_length(in));
	peer_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

static char https_detail[sizeof(((struct web_response *)0)->detail)];

/* The failure, or WEB_FINE; its sentence is then in https_detail. */
static enum web_failure
https_fetch(const char *ca_file, const char *host, uint16_t port)
{
	struct web_conf conf = { .ca_file = ca_file, .connections_max = 4, .dns = dns };
	char origin[64];
	struct web *web = web_open(worker, &conf);
	struct fetch t;

	(void)snprintf(origin, sizeof(origin), "https://%s:%u", host, port);
	fetch_open(&t, worker, web, origin, "/");
	t.request.response_max = 100;
	fetch_start(&t);
	turn_until(worker, &t.probe.ended);
	web_response_free(&t.response);
	(void)snprintf(https_detail, sizeof(https_detail), "%s", t.response.detail);
	if (t.response.failure != WEB_FINE)
		assert_false(t.response.sent);
	web_close(web);
	return t.response.failure;
}

static void
https_is_verified(void **state)
{
	struct peer peer;

	(void)state;
	peer_open_tls(&peer, worker, tls.server, https_serve);
	assert_int_equal(https_fetch(tls.cert, "localhost", peer.port), WEB_FINE);
	assert_int_equal(https_fetch(tls.cert, "127.0.0.1", peer.port), WEB_FINE);
	assert_int_equal(https_fetch(tls.cert, "127.0.0.2", peer.port), WEB_CONNECT);
	assert_int_equal(https_fetch(NULL, "localhost", peer.port), WEB_TLS);
	assert_int_equal(https_fetch("/nowhere.pem", "localhost", peer.port), WEB_TLS);
	peer_close(&peer);
}

static bool
redis_comes_up(const char *ca_file, const char *host, uint16_t port, const char *trouble)
{
	char url[64];
	struct redis_conf conf = { .url = url,
		.timeout_us = 20000000,
		.pending_max = 4,
		.ca_file = ca_file };
	struct err err = { 0 };
	struct redis *redis;
	uint64_t until = clock_mono_us() + 30000000;
	bool up;

	(void)snprintf(url, sizeof(url), "rediss://%s:%u", host, port);
	redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(redis);
	while (!redis_is_up(redis) && strstr(redis_trouble(redis), trouble) == NULL &&
	    clock_mono_us() < until)
		worker_turn(worker, 10);
	up = redis_is_up(redis);
	if (!up)
		assert_non_null(strstr(redis_trouble(redis), trouble));
	redis_close(redis);
	return up;
}

static void
rediss_is_verified(void **state)
{
	struct peer peer;

	(void)state;
	peer_open_tls(&peer, worker, tls.server, fake_redis_serve);
	assert_false(redis_comes_up(NULL, "localhost", peer.port,
	    "TLS failed: the certificate of localhost is self-signed and not a trusted one (the "
	    "system's CAs)"));
	assert_int_equal(setenv("SSL_CERT_FILE", tls.cert, 1), 0); /* OpenSSL's own */
	assert_true(redis_comes_up(NULL, "localhost", peer.port, "certificate"));
	assert_true(redis_comes_up(NULL, "127.0.0.1", peer.port, "certificate"));
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	peer_close(&peer);
}

/* And the system's are not trusted beside it. */
static void
a_private_authority_of_redis_is_named_by_its_file(void **state)
{
	struct redis_conf conf = { .url = "rediss://localhost", .ca_file = "/nowhere.pem" };
	struct fake_tls other;
	struct err err = { 0 };
	struct peer peer;

	(void)state;
	fake_tls_make(&other);
	peer_open_tls(&peer, worker, tls.server, fake_redis_serve);
	assert_true(redis_comes_up(tls.cert, "localhost", peer.port, "certificate"));
	assert_true(redis_comes_up(tls.cert, "127.0.0.1", peer.port, "certificate"));
	assert_int_equal(setenv("SSL_CERT_FILE", tls.cert, 1), 0);
	assert_false(redis_comes_up(other.cert, "localhost", peer.port, "redis_ca_file"));
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	assert_null(redis_open(worker, dns, &conf, &err));
	assert_non_null(strstr(err.detail, "redis_ca_file"));
	peer_close(&peer);
	fake_tls_clear(&other);
}

/* The root's dot is in no certificate, and is not sent. */
static void
a_name_is_verified_without_the_dot_at_its_end(void **state)
{
	struct peer https, redis;

	(void)state;
	peer_open_tls(&https, worker, tls.server, https_serve);
	peer_open_tls(&redis, worker, tls.server, fake_redis_serve);
	tls.named[0] = '\0';
	assert_int_equal(https_fetch(tls.cert, "localhost.", https.port), WEB_FINE);
	assert_string_equal(tls.named, "localhost");
	tls.named[0] = '\0';
	assert_true(redis_comes_up(tls.cert, "localhost.", redis.port, "certificate"));
	assert_string_equal(tls.named, "localhost");
	peer_close(&https);
	peer_close(&redis);
}

static const struct {
	enum fake_fault fault;
	const char *host, *words;
} bad_certificates[] = {
	{ FAULT_EXPIRED, "localhost", "the certificate of localhost has expired" },
	{ FAULT_EARLY, "localhost", "the certificate of localhost is not valid yet" },
	{ FAULT_OTHER_NAMES, "localhost", "localhost does not have this name as a subjectAltName" },
	{ FAULT_OTHER_NAMES, "127.0.0.1", "1 does not have this address as a subjectAltName" },
	{ FAULT_NO_NAMES, "localhost", "localhost does not have this name as a subjectAltName" },
	{ FAULT_NO_NAMES, "127.0.0.1", "1 does not have this address as a subjectAltName" },
};

/* Trusted, so that nothing but the fault is wrong with it. */
static void
what_is_wrong_with_a_certificate_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_certificates) / sizeof(bad_certificates[0]); i++) {
		const char *host = bad_certificates[i].host, *words = bad_certificates[i].words;
		char file[120];
		struct fake_tls bad;
		struct peer https, redis;

		fake_tls_make_with(&bad, bad_certificates[i].fault);
		peer_open_tls(&https, worker, bad.server, https_serve);
		peer_open_tls(&redis, worker, bad.server, fake_redis_serve);
		(void)snprintf(file, sizeof(file), "(CA file %s)", bad.cert);
		assert_int_equal(https_fetch(bad.cert, host, https.port), WEB_TLS);
		assert_non_null(strstr(https_detail, words));
		assert_non_null(strstr(https_detail, file));
		assert_false(redis_comes_up(bad.cert, host, redis.port, words));
		peer_close(&https);
		peer_close(&redis);
		fake_tls_clear(&bad);
	}
}

static void
serve_nothing(struct peer_conn *c)
{
	peer_hang_up(c);
}

static void
serve_plain(struct peer_conn *c)
{
	peer_send(c, "-ERR what is this?\r\n");
}

static void
a_server_without_tls_is_told_in_words(void **state)
{
	struct peer peer;

	(void)state;
	peer_open(&peer, worker, 0, serve_plain);
	assert_false(redis_comes_up(tls.cert, "localhost", peer.port, "does not speak TLS there"));
	peer_close(&peer);
	peer_open(&peer, worker, 0, serve_nothing);
	assert_false(
	    redis_comes_up(tls.cert, "localhost", peer.port, "TLS failed: the server end"));
	peer_close(&peer);
}

static int
set_up(void **state)
{
	(void)state;
	fake_tls_make(&tls);
	worker = worker_new(0);
	dns = dns_open(worker, "127.0.0.1:9", 1000000);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dns_close(dns);
	worker_free(worker);
	fake_tls_clear(&tls);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(https_is_verified),
		cmocka_unit_test(rediss_is_verified),
		cmocka_unit_test(a_private_authority_of_redis_is_named_by_its_file),
		cmocka_unit_test(a_name_is_verified_without_the_dot_at_its_end),
		cmocka_unit_test(what_is_wrong_with_a_certificate_is_told),
		cmocka_unit_test(a_server_without_tls_is_told_in_words),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
