/* SPDX-License-Identifier: MIT */
/*
 * The Redis client against a scripted server: order, every kind of reply, and a Redis that hangs,
 * sends rubbish, or goes away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_redis.h"
#include "redis_fixture.h"
#include "wire/redis_internal.h"

#define SHORT_US 100000
#define LONG_US	 30000000 /* only a test of the time-out has another */

struct redis_ask {
	struct probe probe;
	struct slice words[3];
	unsigned count;
	struct redis_reply reply;
};

static struct worker *worker;
static struct dns *dns;
static struct redis *redis;
static struct peer peer;
static unsigned messages, messages_missed;
static char last_message[64];

/* ---- the client ---- */

static enum flow_rc
redis_ask_step(struct flow *f)
{
	struct redis_ask *a = (struct redis_ask *)f;

	return redis_command(f, redis, a->words, a->count, &a->reply);
}

static void
redis_ask_start(struct redis_ask *a, const char *word)
{
	memset(a, 0, sizeof(*a));
	a->words[0] = slice_str(word);
	a->count = 1;
	probe_start(&a->probe, worker, redis_ask_step, NULL);
}

static enum redis_status
redis_ask_run(const char *word)
{
	struct redis_ask a;
	enum redis_status status;

	redis_ask_start(&a, word);
	turn_until(worker, &a.probe.ended);
	assert_false(err_is(&a.probe.err));
	status = a.reply.status;
	redis_clear(&a.reply);
	return status;
}

static void
redis_at(const char *format, uint64_t timeout_us)
{
	char url[128];
	struct redis_conf conf = { .url = url, .timeout_us = timeout_us, .pending_max = 64 };
	struct err err = { 0 };

	(void)snprintf(url, sizeof(url), format, peer.port); /* NOLINT: the tests' own formats */
	redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(redis);
}

static int
set_up(void **state)
{
	(void)state;
	memset(&fake_redis, 0, sizeof(fake_redis));
	messages = messages_missed = 0;
	worker = worker_new(0);
	dns = dns_open(worker, "127.0.0.1:9", 1000000);
	peer_open(&peer, worker, 0, fake_redis_serve);
	redis_at("redis://127.0.0.1:%u", LONG_US);
	redis_wait(worker, redis, true);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	redis_close(redis);
	dns_close(dns);
	peer_close(&peer);
	worker_free(worker);
	return 0;
}

/* ---- the tests ---- */

static void
every_kind_of_reply_is_read(void **state)
{
	struct redis_ask a;

	(void)state;
	redis_ask_start(&a, "GET");
	turn_until(worker, &a.probe.ended);
	assert_int_equal(a.reply.status, REDIS_OK);
	assert_true(slice_is(a.reply.text, "value"));
	redis_clear(&a.reply);
	redis_clear(&a.reply);
	redis_ask_start(&a, "INCR");
	turn_until(worker, &a.probe.ended);
	assert_int_equal(a.reply.number, 42);
	redis_clear(&a.reply);
	redis_ask_start(&a, "BAD");
	turn_until(worker, &a.probe.ended);
	assert_int_equal(a.reply.status, REDIS_ERROR);
	assert_true(slice_is(a.reply.text, "ERR no such thing"));
	redis_clear(&a.reply);
	assert_int_equal(redis_ask_run("NONE"), REDIS_NIL);
	assert_string_equal(redis_trouble(redis), "");
}

static void
an_array_is_read(void **state)
{
	struct redis_ask a;
	struct slice text;
	int64_t number = 0;

	(void)state;
	redis_ask_start(&a, "LIST");
	turn_until(worker, &a.probe.ended);
	assert_int_equal(a.reply.status, REDIS_OK);
	assert_true(redis_int_at(&a.reply, 0, &number));
	assert_int_equal(number, 1);
	assert_true(redis_text_at(&a.reply, 1, &text));
	assert_true(slice_is(text, "two"));
	assert_false(redis_int_at(&a.reply, 1, &number));
	assert_false(redis_text_at(&a.reply, 2, &text));
	assert_false(redis_int_at(&a.reply, 3, &number));
	redis_clear(&a.reply);
	assert_false(redis_int_at(&a.reply, 0, &number));
}

static void
replies_come_in_order(void **state)
{
	static const char *const words[] = { "GET", "INCR", "NONE", "BAD", "GET" };
	static const enum redis_status wants[] = { REDIS_OK, REDIS_OK, REDIS_NIL, REDIS_ERROR,
		REDIS_OK };
	struct redis_ask a[5];
	struct slice publish[3] = { SLICE_LIT("PUBLISH"), SLICE_LIT("c"), SLICE_LIT("m\0x") };

	(void)state;
	for (int i = 0; i < 5; i++)
		redis_ask_start(&a[i], words[i]);
	redis_send(redis, publish, 3); /* written before them; nobody waits for its reply */
	for (int i = 0; i < 5; i++)
		turn_until(worker, &a[i].probe.ended);
	for (int i = 0; i < 5; i++)
		assert_int_equal(a[i].reply.status, wants[i]);
	for (int i = 0; i < 5; i++)
		redis_clear(&a[i].reply);
}

static void
a_cancel_keeps_the_order(void **state)
{
	struct redis_ask a, b;

	(void)state;
	redis_ask_start(&a, "GET");
	redis_ask_start(&b, "INCR");
	worker_turn(worker, 0);
	flow_abort(&a.probe.flow, ERR_CLIENT_GONE, "left");
	turn_until(worker, &a.probe.ended);
	turn_until(worker, &b.probe.ended);
	assert_int_equal(a.probe.err.code, ERR_CLIENT_GONE);
	assert_int_equal(b.reply.number, 42);
	redis_clear(&b.reply);
}

static void
redis_becomes_impatient(void)
{
	redis_close(redis);
	redis_at("redis://127.0.0.1:%u", SHORT_US);
	redis_wait(worker, redis, true);
}

static bool
is_not_answering(void *arg)
{
	(void)arg;
	return strstr(redis_trouble(redis), "did not answer the handshake") != NULL;
}

static void
a_redis_that_hangs_is_dropped(void **state)
{
	struct redis_ask a, b;
	uint64_t began;

	(void)state;
	redis_becomes_impatient();
	began = clock_mono_us();
	redis_ask_start(&a, "HANG");
	redis_ask_start(&b, "GET");
	turn_until(worker, &a.probe.ended);
	turn_until(worker, &b.probe.ended);
	assert_true(clock_mono_us() - began >= SHORT_US - 5000);
	assert_int_equal(a.reply.status, REDIS_TIMEOUT);
	assert_int_equal(b.reply.status, REDIS_TIMEOUT);
	assert_false(redis_is_up(redis));
	redis_ask_start(&a, "GET"); /* refused at once: nothing is waited for */
	for (int i = 0; i < 3; i++)
		worker_turn(worker, 0);
	assert_true(a.probe.ended);
	assert_int_equal(a.reply.status, REDIS_DOWN);
	/* It accepts connections, but does not reply to PING: that is not up. */
	turn_until_so(worker, is_not_answering, NULL);
	assert_false(redis_is_up(redis));
	fake_redis.hung = false;
	redis_wait(worker, redis, true);
	assert_int_equal(redis_ask_run("GET"), REDIS_OK);
}

static void
a_redis_may_leave_and_return(void **state)
{
	uint16_t port = peer.port;
	int kept;

	(void)state;
	assert_int_equal(redis_ask_run("LEAVE"), REDIS_DOWN);
	redis_wait(worker, redis, true);
	assert_int_equal(peer.accepted, 2);
	peer_close(&peer);
	kept = peer_port_keep(port);
	redis_wait(worker, redis, false);
	assert_int_equal(redis_ask_run("GET"), REDIS_DOWN);
	turn_for(worker, 200);
	assert_int_equal(close(kept), 0);
	peer_open(&peer, worker, port, fake_redis_serve);
	redis_wait(worker, redis, true);
	assert_int_equal(redis_ask_run("GET"), REDIS_OK);
}

static void
rubbish_ends_the_connection_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(redis_ask_run("RUBBISH"), REDIS_DOWN);
	redis_wait(worker, redis, true);
	assert_int_equal(redis_ask_run("HUGE"), REDIS_DOWN);
	redis_wait(worker, redis, true);
	assert_int_equal(redis_ask_run("TWICE"), REDIS_OK); /* the second reply answers nothing */
	redis_wait(worker, redis, false);
	redis_wait(worker, redis, true);
	assert_int_equal(redis_ask_run("GET"), REDIS_OK);
}

static void
a_full_queue_refuses(void **state)
{
	struct redis_ask a[70];
	unsigned busy = 0;

	(void)state;
	redis_becomes_impatient();
	fake_redis.hung = true;
	for (int i = 0; i < 70; i++)
		redis_ask_start(&a[i], "GET");
	for (int i = 0; i < 70; i++) {
		turn_until(worker, &a[i].probe.ended);
		busy += a[i].reply.status == REDIS_BUSY;
	}
	assert_int_equal(busy, 70 - 64);
}

static void
the_greeting_logs_in_and_selects(void **state)
{
	(void)state;
	redis_close(redis);
	fake_redis.received[0] = '\0';
	redis_at("redis://us%%65r:p%%40ss@localhost:%u/3", LONG_US);
	redis_wait(worker, redis, true);
	assert_string_equal(fake_redis.received, "AUTH user p@ss SELECT 3 PING ");
	redis_close(redis);
	fake_redis.received[0] = '\0';
	redis_at("redis://:only@127.0.0.1:%u/", LONG_US);
	redis_wait(worker, redis, true);
	assert_string_equal(fake_redis.received, "AUTH only PING ");
}

static void
redis_urls_are_taken_apart(void **state)
{
	static const char *const bad[] = { "", "http://x", "redis://", "redis://h:0", "redis://h:x",
		"redis://h:70000", "redis://h/x", "redis://u@h", "redis://u:%zz@h",
		"redis://u:%00@h", "redis://[::1", "redis://[::1]x", "redis://:@h",
		"redis://h/70000", "redis:/h", "redis:///h", "redis://h/1?db=2", "redis://h/1#2",
		"redis://h/1/2", "redis://a b", "redis://h:1:2", "redis://:p%@h",
		"redis://[fe80::1%25lo]", "redis://%00" };
	struct redis_url url;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&err);
		assert_false(redis_url_read(&url, bad[i], &err));
		assert_int_equal(err.code, ERR_INVALID_FIELD);
	}
	assert_true(redis_url_read(&url, "rediss://u:p:@x/y@[fd00::1]:7000/12", &err));
	assert_true(url.tls);
	assert_string_equal(url.host, "fd00::1");
	assert_string_equal(url.password, "p:@x/y");
	assert_int_equal(url.port, 7000);
	assert_int_equal(url.db, 12);
	assert_true(redis_url_read(&url, "redis://cache", &err));
	assert_int_equal(url.port, 6379);
	assert_false(url.tls);
	assert_string_equal(url.user, "");
	assert_string_equal(url.password, "");
}

static void
keep_message(struct slice payload, void *arg)
{
	(void)arg;
	if (payload.p == NULL) {
		messages_missed++;
		return;
	}
	messages++;
	(void)snprintf(last_message, sizeof(last_message), "%.*s", SLICE_ARG(payload));
}

static void
wait_messages(const unsigned *count, unsigned wants)
{
	uint64_t until = clock_mono_us() + 30000000;

	while (*count < wants && clock_mono_us() < until)
		worker_turn(worker, 5);
	assert_int_equal(*count, wants);
}

static void
messages_are_received(void **state)
{
	(void)state;
	assert_true(redis_subscribe(redis, "ch", keep_message, NULL));
	wait_messages(&messages_missed, 1);
	peer_send(fake_redis.subscriber, "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$4\r\ndrop\r\n");
	peer_send(fake_redis.subscriber, "*3\r\n$7\r\nmessage\r\n$5\r\nother\r\n$1\r\nx\r\n");
	peer_send(fake_redis.subscriber, "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$0\r\n\r\n");
	wait_messages(&messages, 2);
	assert_string_equal(last_message, "");
	peer_hang_up(fake_redis.subscriber);
	wait_messages(&messages_missed, 2);
	peer_send(fake_redis.subscriber, "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$4\r\nback\r\n");
	wait_messages(&messages, 3);
	assert_string_equal(last_message, "back");
	assert_int_equal(redis_ask_run("GET"), REDIS_OK);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_kind_of_reply_is_read),
		TEST(an_array_is_read),
		TEST(replies_come_in_order),
		TEST(a_cancel_keeps_the_order),
		TEST(a_redis_that_hangs_is_dropped),
		TEST(a_redis_may_leave_and_return),
		TEST(rubbish_ends_the_connection_and_no_more),
		TEST(a_full_queue_refuses),
		TEST(the_greeting_logs_in_and_selects),
		cmocka_unit_test(redis_urls_are_taken_apart),
		TEST(messages_are_received),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
