/* SPDX-License-Identifier: MIT */
/*
 * The resolver against a nameserver of our own on loopback: answers, refusals, silence.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_peer.h"
#include "name_server_fixture.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/wire/dns.h"
#include "wire/dns_hosts.h"

#define SHORT_US 300000
#define LONG_US	 (600 * UINT64_C(1000000)) /* turn_until() gives up before */

struct name_lookup {
	struct probe probe;
	const char *host;
	struct dns_answer answer;
};

static struct worker *worker;
static struct dns *dns;
static struct evdns_server_port *server;
static unsigned asked;
static char nameserver[NAME_SERVER_SIZE];

/* The resolver asks in dIffERent case, as a guard against forged answers. */
static bool
name_is_one_of(const char *name, const char *names)
{
	char lower[64] = "";

	for (size_t i = 0; name[i] != '\0' && i + 1 < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	return strstr(names, lower) != NULL;
}

/* A for db.test and only-a.test, AAAA for db.test and only-aaaa.test; no answer to AAAA of
 * half.test, and none at all to silent.test; brief.test has a TTL of 0. */
static void
server_asked(struct evdns_server_request *r, void *arg)
{
	const char *name = r->questions[0]->name;
	bool is_a = r->questions[0]->type == EVDNS_TYPE_A;
	unsigned char v4[8] = { 10, 0, 0, 1, 10, 0, 0, 2 };
	unsigned char v6[16] = { 0xfd, [15] = 7 };
	int refused = 3;

	(void)arg;
	asked++;
	if (strcasecmp(name, "silent.test") == 0 || (strcasecmp(name, "half.test") == 0 && !is_a)) {
		evdns_server_request_drop(r);
		return;
	}
	if (name_is_one_of(name, "db.test only-a.test half.test brief.test")) {
		refused = 0;
		if (is_a)
			evdns_server_request_add_a_reply(r, name, 2, v4,
			    strcasecmp(name, "brief.test") == 0 ? 0 : 300);
	}
	if (name_is_one_of(name, "db.test only-aaaa.test")) {
		refused = 0;
		if (!is_a)
			evdns_server_request_add_aaaa_reply(r, name, 1, v6, 300);
	}
	evdns_server_request_respond(r, refused);
}

static int
set_up(void **state)
{
	(void)state;
	asked = 0;
	worker = worker_new(0);
	server = name_server_open(worker, server_asked, nameserver);
	dns = dns_open(worker, nameserver, LONG_US);
	assert_non_null(dns);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	dns_close(dns);
	evdns_close_server_port(server);
	worker_turn(worker, 0);
	worker_free(worker);
	return 0;
}

static enum flow_rc
name_lookup_step(struct flow *f)
{
	struct name_lookup *l = (struct name_lookup *)f;

	return dns_lookup(f, dns, l->host, &l->answer);
}

static void
resolve(struct name_lookup *l, const char *host)
{
	memset(l, 0, sizeof(*l));
	l->host = host;
	probe_start(&l->probe, worker, name_lookup_step, NULL);
	turn_until(worker, &l->probe.ended);
	assert_false(err_is(&l->probe.err));
}

static void
addresses_need_no_server(void **state)
{
	struct name_lookup l;
	char long_name[DNS_NAME_MAX + 2];

	(void)state;
	resolve(&l, "192.0.2.7");
	assert_int_equal(l.answer.count, 1);
	assert_string_equal(l.answer.addr[0], "192.0.2.7");
	resolve(&l, "2001:DB8::0:7");
	assert_string_equal(l.answer.addr[0], "2001:db8::7");
	resolve(&l, "LocalHost");
	assert_true(l.answer.count >= 1);
	resolve(&l, "");
	assert_int_equal(l.answer.err.code, ERR_UPSTREAM);
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	resolve(&l, long_name);
	assert_int_equal(l.answer.err.code, ERR_UPSTREAM);
	assert_int_equal(asked, 0);
}

static void
a_name_is_asked_once_and_kept(void **state)
{
	struct name_lookup l;

	(void)state;
	resolve(&l, "db.test");
	assert_int_equal(l.answer.count, 3);
	assert_string_equal(l.answer.addr[0], "10.0.0.1");
	assert_string_equal(l.answer.addr[1], "10.0.0.2");
	assert_string_equal(l.answer.addr[2], "fd00::7");
	assert_int_equal(asked, 2);
	resolve(&l, "DB.test.");
	assert_int_equal(l.answer.count, 3);
	assert_int_equal(asked, 2);
	clock_test_advance(DNS_KEEP_US);
	resolve(&l, "db.test");
	assert_int_equal(asked, 4);
}

static void
one_family_is_enough(void **state)
{
	struct name_lookup l;

	(void)state;
	resolve(&l, "only-a.test");
	assert_int_equal(l.answer.count, 2);
	resolve(&l, "only-aaaa.test");
	assert_int_equal(l.answer.count, 1);
	assert_string_equal(l.answer.addr[0], "fd00::7");
	resolve(&l, "brief.test");
	resolve(&l, "brief.test");
	assert_int_equal(asked, 8); /* a TTL of nothing is not kept */
}

static void
an_unknown_name_is_an_error(void **state)
{
	struct name_lookup l;

	(void)state;
	resolve(&l, "nobody.test");
	assert_int_equal(l.answer.count, 0);
	assert_int_equal(l.answer.err.code, ERR_UPSTREAM);
	assert_non_null(strstr(l.answer.err.detail, "nobody.test"));
	assert_int_equal(asked, 2);
	resolve(&l, "nobody.test");
	assert_int_equal(asked, 2);
	clock_test_advance(1000000);
	resolve(&l, "nobody.test");
	assert_int_equal(asked, 4);
}

static void
count_tick(void *arg)
{
	(*(unsigned *)arg)++;
}

static void
a_silent_server_blocks_nobody(void **state)
{
	struct name_lookup l;
	struct timer timer = { 0 };
	unsigned ticks = 0;
	uint64_t began = clock_mono_us();

	(void)state;
	dns_close(dns);
	dns = dns_open(worker, nameserver, SHORT_US);
	assert_true(timer_init(&timer, worker, count_tick, &ticks));
	memset(&l, 0, sizeof(l));
	l.host = "silent.test";
	probe_start(&l.probe, worker, name_lookup_step, NULL);
	while (!l.probe.ended && clock_mono_us() - began < 30000000) {
		if (!timer.set)
			timer_start(&timer, 5000);
		worker_turn(worker, 5);
	}
	assert_true(l.probe.ended);
	assert_int_equal(l.answer.err.code, ERR_TIMEOUT);
	assert_true(clock_mono_us() - began >= SHORT_US - 20000);
	assert_true(ticks >= 3); /* sixty, but for a busy machine; one, were the loop blocked */
	timer_free(&timer);
}

static void
one_family_does_not_wait_for_the_other(void **state)
{
	struct name_lookup l;

	(void)state;
	resolve(&l, "half.test");
	assert_int_equal(l.answer.count, 2);
}

static void
an_aborted_lookup_leaves_nothing(void **state)
{
	struct name_lookup l = { .host = "silent.test" };

	(void)state;
	probe_start(&l.probe, worker, name_lookup_step, NULL);
	turn_for(worker, 30);
	flow_abort(&l.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &l.probe.ended);
	assert_int_equal(l.probe.err.code, ERR_CLIENT_GONE);
	/* dns_close() comes with the question still open */
}

static void
the_hosts_file_comes_first(void **state)
{
	char path[] = "/tmp/tg-hosts-XXXXXX";
	struct dns_answer a = { 0 };
	struct dns_hosts *hosts;
	FILE *file = fdopen(mkstemp(path), "w");

	(void)state;
	assert_non_null(file);
	(void)
	    fputs("# nothing\n10.1.2.3\tDB main # the db\nfd00::1 db\nnot-an-address x\n10.9.9.9\n",
		file);
	assert_int_equal(fclose(file), 0);
	hosts = dns_hosts_new(path);
	assert_true(dns_hosts_find(hosts, "db", &a));
	assert_int_equal(a.count, 2);
	assert_string_equal(a.addr[0], "10.1.2.3");
	assert_string_equal(a.addr[1], "fd00::1");
	assert_true(dns_hosts_find(hosts, "main", &a));
	assert_false(dns_hosts_find(hosts, "x", &a));
	assert_true(dns_hosts_find(hosts, "localhost", &a));
	assert_int_equal(unlink(path), 0);
	assert_false(dns_hosts_find(hosts, "db", &a));
	dns_hosts_free(hosts);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(addresses_need_no_server),
		TEST(a_name_is_asked_once_and_kept),
		TEST(one_family_is_enough),
		TEST(an_unknown_name_is_an_error),
		TEST(a_silent_server_blocks_nobody),
		TEST(one_family_does_not_wait_for_the_other),
		TEST(an_aborted_lookup_leaves_nothing),
		cmocka_unit_test(the_hosts_file_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
