/* SPDX-License-Identifier: MIT */
/*
 * The HTTP client asks our resolver, a name server of the test's own behind it: for each request,
 * within its connect time-out, and of nobody else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_peer.h"
#include "name_server_fixture.h"
#include "tenantgate/wire/dns.h"
#include "web_client_fixture.h"

#define LONG_US	 (600 * UINT64_C(1000000)) /* turn_until() gives up before */
#define SHORT_US 50000

static struct worker *worker;
static struct dns *dns;
static struct web *web;
static struct evdns_server_port *server;
static unsigned asked;
static unsigned char address[4];
static struct peer first, second; /* of one port, at 127.0.0.1 and 127.0.0.2 */
static unsigned first_served, second_served;

/* model.test has an address and a TTL of 0, hung.test no answer, all others do not exist. */
static void
name_asked(struct evdns_server_request *r, void *arg)
{
	const char *name = r->questions[0]->name;
	bool exists = strcasecmp(name, "model.test") == 0;

	(void)arg;
	asked++;
	if (strcasecmp(name, "hung.test") == 0) {
		evdns_server_request_drop(r);
		return;
	}
	if (exists && r->questions[0]->type == EVDNS_TYPE_A)
		evdns_server_request_add_a_reply(r, name, 1, address, 0);
	evdns_server_request_respond(r, exists ? 0 : DNS_ERR_NOTEXIST);
}

static void
respond(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	(void)evbuffer_drain(in, evbuffer_get_length(in));
	(*(c->peer == &first ? &first_served : &second_served))++;
	peer_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
	peer_hang_up(c);
}

static void
fetch_from(struct fetch *t, const char *host, uint64_t connect_us)
{
	char origin[80];

	(void)snprintf(origin, sizeof(origin), "http://%s:%u", host, first.port);
	fetch_open(t, worker, web, origin, "/");
	t->request.connect_timeout_us = connect_us;
	t->request.response_max = 100;
}

static void
answer_is(unsigned char last)
{
	unsigned char loopback[4] = { 127, 0, 0, last };

	memcpy(address, loopback, sizeof(address));
}

static void
each_request_goes_where_the_name_leads_now(void **state)
{
	struct fetch t;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		answer_is(i == 1 ? 2 : 1);
		fetch_from(&t, i == 2 ? "MODEL.test." : "model.test", LONG_US);
		fetch_run(&t);
		assert_int_equal(t.response.failure, WEB_FINE);
		assert_int_equal(t.response.status, 200);
		web_response_free(&t.response);
	}
	assert_int_equal(first_served, 2);
	assert_int_equal(second_served, 1);
	assert_int_equal(asked, 6);
}

static void
a_name_that_is_not_there_is_told_by_its_name(void **state)
{
	struct fetch t;

	(void)state;
	fetch_from(&t, "none.test", LONG_US);
	fetch_run(&t);
	assert_int_equal(t.response.failure, WEB_RESOLVE);
	assert_non_null(strstr(t.response.detail, "none.test"));
	assert_true(t.response.unprocessed);
	assert_false(t.response.sent);
}

static void
a_name_server_that_hangs_has_the_connect_timeout(void **state)
{
	struct fetch late, left;

	(void)state;
	fetch_from(&late, "hung.test", SHORT_US);
	fetch_from(&left, "hung.test", LONG_US);
	fetch_start(&left);
	fetch_run(&late);
	assert_int_equal(late.response.failure, WEB_TIMEOUT);
	assert_non_null(strstr(late.response.detail, "was not looked up"));
	assert_true(late.response.unprocessed);
	assert_false(left.probe.ended);
	flow_abort(&left.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &left.probe.ended);
}

static void
numbers_and_localhost_are_asked_of_nobody(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost" };
	struct fetch t;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		fetch_from(&t, hosts[i], LONG_US);
		fetch_run(&t);
		assert_int_equal(t.response.status, 200);
		web_response_free(&t.response);
	}
	assert_int_equal(asked, 0);
}

static int
set_up(void **state)
{
	struct web_conf conf = { .connections_max = 4 };
	char nameserver[NAME_SERVER_SIZE];

	(void)state;
	asked = first_served = second_served = 0;
	answer_is(1);
	worker = worker_new(0);
	server = name_server_open(worker, name_asked, nameserver);
	conf.dns = dns = dns_open(worker, nameserver, LONG_US);
	web = web_open(worker, &conf);
	peer_open(&first, worker, 0, respond);
	peer_open_at(&second, worker, INADDR_LOOPBACK + 1, first.port, respond);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	web_close(web);
	dns_close(dns);
	peer_close(&first);
	peer_close(&second);
	evdns_close_server_port(server);
	worker_turn(worker, 0);
	worker_free(worker);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_request_goes_where_the_name_leads_now),
		CASE(a_name_that_is_not_there_is_told_by_its_name),
		CASE(a_name_server_that_hangs_has_the_connect_timeout),
		CASE(numbers_and_localhost_are_asked_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
