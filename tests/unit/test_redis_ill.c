/* SPDX-License-Identifier: MIT */
/*
 * The Redis client against a server that is there and of no use: it is down like any other, says
 * why, is tried again and not in a hurry, and is told of in one line.
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
#include "tenantgate/base/log.h"
#include "wire/redis_internal.h"

#define KEY	    "tg:limit:test:probe"
#define CLUSTER_KEY "tg:limit:{test}:probe"
/* The least that the first five waits of the backoff take, for each is at least half of 50, 100,
 * 200, 400 and 800 ms. */
#define FIVE_WAITS_US 775000

static struct worker *worker;
static struct dns *dns;
static struct redis *redis;
static struct peer peer;
static char log_path[] = "/tmp/tenantgate-test-redis.XXXXXX";
static unsigned messages, messages_missed;
static char last_message[64];

static void
probed_redis_open(uint64_t timeout_us)
{
	char url[64];
	struct redis_conf conf = {
		.url = url,
		.timeout_us = timeout_us,
		.pending_max = 64,
		.probe_key = KEY,
		.cluster_probe_key = CLUSTER_KEY,
	};
	struct err err = { 0 };

	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", peer.port);
	redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(redis);
}

static int
set_up(void **state)
{
	int fd;

	(void)state;
	memcpy(log_path + sizeof(log_path) - 7, "XXXXXX", 6);
	fd = mkstemp(log_path);
	assert_true(fd >= 0 && close(fd) == 0 && log_open(log_path));
	memset(&fake_redis, 0, sizeof(fake_redis));
	messages = messages_missed = 0;
	worker = worker_new(0);
	dns = dns_open(worker, "127.0.0.1:9", 1000000);
	peer_open(&peer, worker, 0, fake_redis_serve);
	probed_redis_open(10000000);
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
	assert_true(log_open(NULL));
	(void)unlink(log_path);
	clock_test_advance(2 * LOG_MINUTE); /* the next test's lines are not held back */
	return 0;
}

/* Lines of the log with this in them. */
static unsigned
redis_lines_count(const char *what)
{
	FILE *file = fopen(log_path, "r");
	char line[4096];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		n += strstr(line, what) != NULL;
	assert_int_equal(fclose(file), 0);
	return n;
}

static const char *
reason_of(const struct redis *r)
{
	static struct condition c;

	memset(&c, 0, sizeof(c));
	redis_condition(r, &c);
	assert_true(c.is_ill == (c.reason[0] != '\0'));
	return c.reason;
}

/* ---- the tests ---- */

static void
the_handshake_ends_with_the_probe(void **state)
{
	(void)state;
	redis_wait(worker, redis, true);
	assert_int_equal(strncmp(fake_redis.received,
			     "PING EVAL return 1 3 " KEY " " KEY "0 " KEY
			     "1 EVAL return redis.call",
			     strlen("PING EVAL return 1 3 " KEY " " KEY "0 " KEY
				    "1 EVAL return redis.call")),
	    0);
	assert_non_null(strstr(fake_redis.received, "10000) 1 " KEY " EVALSHA 54fb"));
	assert_string_equal(reason_of(redis), "");
	assert_false(redis_is_cluster(redis));
}

static void
a_server_that_refuses_the_probe_is_never_up(void **state)
{
	uint64_t began = clock_mono_us();

	(void)state;
	fake_redis.refusal = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
	turn_until_count(worker, &peer.accepted, 6);
	assert_true(clock_mono_us() - began >= FIVE_WAITS_US);
	assert_false(redis_is_up(redis));
	assert_non_null(strstr(reason_of(redis), "Redis is full (OOM)"));
	assert_int_equal(redis_lines_count("redis.refused"), 1);
	assert_int_equal(redis_lines_count("redis.down"), 0);
	fake_redis.refusal = NULL;
	redis_wait(worker, redis, true);
	assert_string_equal(reason_of(redis), "");
}

static void
one_that_begins_to_refuse_is_down_and_comes_back(void **state)
{
	(void)state;
	redis_wait(worker, redis, true);
	fake_redis.refusal = "-READONLY You can't write against a read only replica.\r\n";
	redis_wait(worker, redis, false); /* nobody but the probe asks for anything */
	assert_non_null(strstr(reason_of(redis), "(READONLY)"));
	turn_until_count(worker, &peer.accepted, 4);
	assert_int_equal(redis_lines_count("redis.refused"), 1);
	fake_redis.refusal = NULL;
	redis_wait(worker, redis, true);
}

static bool
has_refused_thrice(void *arg)
{
	(void)arg;
	return redis_lines_count("redis.refused") == 3;
}

static void
another_reason_and_another_minute_are_said_again(void **state)
{
	(void)state;
	fake_redis.refusal = "-OOM command not allowed\r\n";
	turn_until_count(worker, &peer.accepted, 3);
	fake_redis.refusal = "-MISCONF Redis is configured to save\r\n";
	turn_until_count(worker, &peer.accepted, 5);
	assert_int_equal(redis_lines_count("redis.refused"), 2);
	clock_test_advance(LOG_MINUTE);
	turn_until_so(worker, has_refused_thrice, NULL);
}

static void
a_forgotten_script_is_no_refusal(void **state)
{
	unsigned accepted;

	(void)state;
	redis_wait(worker, redis, true);
	accepted = peer.accepted;
	fake_redis.refusal = "-NOSCRIPT No matching script.\r\n";
	turn_for(worker, 1500);
	assert_true(redis_is_up(redis));
	assert_int_equal(peer.accepted, accepted);
}

/* Nobody asks for anything, and still it is noticed. */
static void
an_idle_link_to_a_redis_that_hangs_is_dropped(void **state)
{
	(void)state;
	redis_close(redis);
	probed_redis_open(500000);
	redis_wait(worker, redis, true);
	fake_redis.hung = true;
	redis_wait(worker, redis, false);
	assert_non_null(strstr(reason_of(redis), "no reply within 500 ms"));
	fake_redis.hung = false;
	redis_wait(worker, redis, true);
}

static void
a_cluster_is_found_and_probed_by_the_key_with_a_tag(void **state)
{
	(void)state;
	fake_redis.is_cluster = true;
	redis_wait(worker, redis, true);
	assert_true(redis_is_cluster(redis));
	assert_non_null(strstr(fake_redis.received, "10000) 1 " CLUSTER_KEY " EVALSHA"));
	assert_false(redis_is_cluster(NULL));
}

static void
message_keep(struct slice payload, void *arg)
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
without_channels_messages_are_polled(void **state)
{
	(void)state;
	redis_wait(worker, redis, true);
	fake_redis.sub_refusal =
	    "-NOPERM this user has no permissions to access one of the channels "
	    "used as arguments\r\n";
	assert_true(redis_subscribe(redis, "ch", message_keep, NULL));
	turn_until_count(worker, &messages_missed, 1);
	fake_redis.entries = "*1\r\n*2\r\n$6\r\nch:log\r\n*2\r\n"
			     "*2\r\n$3\r\n5-0\r\n*2\r\n$1\r\nm\r\n$3\r\none\r\n"
			     "*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\nm\r\n$3\r\ntwo\r\n";
	turn_until_count(worker, &messages, 2);
	assert_string_equal(last_message, "two");
	fake_redis.received[0] = '\0';
	turn_until_count(worker, &fake_redis.reads, fake_redis.reads + 1);
	assert_non_null(strstr(fake_redis.received, "STREAMS ch:log 5-1"));
	assert_int_equal(messages_missed, 1);
	assert_int_equal(peer.accepted, 2); /* one link each, and no more since */
	fake_redis.refusal = "-OOM command not allowed\r\n";
	redis_wait(worker, redis, false);
	fake_redis.refusal = NULL;
	turn_until_count(worker, &messages_missed, 2);
	assert_int_equal(redis_lines_count("redis.polled"), 1);
	assert_true(redis_is_up(redis));
	assert_string_equal(reason_of(redis), "");
}

static void
a_poll_that_says_nonsense_or_is_refused_does_no_harm(void **state)
{
	static const char *const replies[] = { "*0\r\n", ":1\r\n", "*1\r\n:1\r\n",
		"*1\r\n*2\r\n$1\r\nk\r\n*1\r\n:1\r\n",
		"*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*1\r\n$1\r\nm\r\n",
		"-NOPERM this user may not\r\n" };

	(void)state;
	redis_wait(worker, redis, true);
	fake_redis.sub_refusal = "-ERR unknown command 'SUBSCRIBE'\r\n";
	assert_true(redis_subscribe(redis, "ch", message_keep, NULL));
	turn_until_count(worker, &messages_missed, 1);
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		fake_redis.entries = replies[i];
		turn_until_count(worker, &fake_redis.reads, fake_redis.reads + 1);
	}
	/* The refusal: it begins anew. */
	turn_until_count(worker, &messages_missed, 2);
	assert_int_equal(messages, 0);
	assert_int_equal(redis_lines_count("redis.poll_refused"), 1);
	assert_true(redis_is_up(redis));
}

/* Whatever makes a link fall as soon as it is up: the waits grow. */
static void
a_link_that_falls_at_once_is_not_dialed_in_a_hurry(void **state)
{
	uint64_t began;
	unsigned first;

	(void)state;
	redis_wait(worker, redis, true);
	fake_redis.sub_refusal = "-LOADING Redis is loading the dataset in memory\r\n";
	assert_true(redis_subscribe(redis, "ch", message_keep, NULL));
	first = peer.accepted;
	turn_until_count(worker, &peer.accepted, first + 1);
	began = clock_mono_us();
	turn_until_count(worker, &peer.accepted, first + 6);
	assert_true(clock_mono_us() - began >= FIVE_WAITS_US - 50000);
	fake_redis.sub_refusal = NULL;
	turn_until_count(worker, &messages_missed, 1);
}

static void
what_is_published_is_kept_for_those_who_poll(void **state)
{
	(void)state;
	redis_wait(worker, redis, true);
	fake_redis.received[0] = '\0';
	redis_publish(redis, "ch", SLICE_LIT("hello"));
	while (strstr(fake_redis.received, "PEXPIRE") == NULL)
		turn_for(worker, 5);
	assert_non_null(strstr(fake_redis.received,
	    "PUBLISH ch hello XADD ch:log MAXLEN ~ 1000 * m hello PEXPIRE ch:log 3600000"));
}

/* The codes as Redis 5 to 7 write them, scripts' errors among them. */
static void
refusal_is_read(const char *text, const char *sentence, bool is_elsewhere)
{
	const struct redis_refusal *why = redis_refusal_of(text);

	assert_non_null(strstr(why->sentence, sentence));
	assert_int_equal(why->is_elsewhere, is_elsewhere);
	assert_true(strlen(why->sentence) < sizeof(((struct redis_link *)0)->trouble));
}

static void
error_replies_are_understood(void **state)
{
	(void)state;
	refusal_is_read("READONLY You can't write against a read only replica. script: 54fb, on "
			"@user_script:1.",
	    "(READONLY)", true);
	refusal_is_read("ERR Error running script (call to f_54fb): @user_script:1: "
			"@user_script: 1: -READONLY You can't write against a read only replica.",
	    "(READONLY)", true);
	refusal_is_read("ERR Error running script (call to f_54fb): @user_script:1: "
			"@user_script: 1: -OOM command not allowed when used memory > 'maxmemory'.",
	    "(OOM)", false);
	refusal_is_read("LOADING Redis is loading the dataset in memory", "(LOADING)", true);
	refusal_is_read("MASTERDOWN Link with MASTER is down", "(MASTERDOWN)", true);
	refusal_is_read("MOVED 6918 127.0.0.4:6379", "(MOVED)", true);
	refusal_is_read("CLUSTERDOWN Hash slot not served", "(CLUSTERDOWN)", true);
	refusal_is_read("NOPERM this user has no permissions to run the 'eval' command", "(NOPERM)",
	    false);
	refusal_is_read("ERR The user executing the script can't run this command or subcommand",
	    "(NOPERM)", false);
	refusal_is_read("ERR unknown command 'EVALSHA', with args beginning with: ", "EVALSHA",
	    false);
	refusal_is_read("NOAUTH Authentication required.", "(NOAUTH)", false);
	refusal_is_read("WRONGPASS invalid username-password pair", "(WRONGPASS)", false);
	refusal_is_read("NOREPLICAS Not enough good replicas to write.", "(NOREPLICAS)", false);
	refusal_is_read("ERR something new", "answers with errors", false);
	refusal_is_read("", "answers with errors", false);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_handshake_ends_with_the_probe),
		TEST(a_server_that_refuses_the_probe_is_never_up),
		TEST(one_that_begins_to_refuse_is_down_and_comes_back),
		TEST(another_reason_and_another_minute_are_said_again),
		TEST(a_forgotten_script_is_no_refusal),
		TEST(an_idle_link_to_a_redis_that_hangs_is_dropped),
		TEST(a_cluster_is_found_and_probed_by_the_key_with_a_tag),
		TEST(without_channels_messages_are_polled),
		TEST(a_poll_that_says_nonsense_or_is_refused_does_no_harm),
		TEST(a_link_that_falls_at_once_is_not_dialed_in_a_hurry),
		TEST(what_is_published_is_kept_for_those_who_poll),
		cmocka_unit_test(error_replies_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
