/* SPDX-License-Identifier: MIT */
/*
 * The beat over a scripted Redis: what is told, what is believed, and what stays as it is while
 * Redis is away or says nonsense. What the script itself decides is in live/test_division_script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/fake_peer.h"
#include "../unit/redis_fixture.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/replica.h"

#define CAPACITY 83
#define HOSTS	 300 /* more than are taken */

struct host {
	char key[32];
	unsigned limit;
	unsigned calls; /* of replica_limit_fn */
};

static struct worker *worker;
static struct dns *dns;
static struct redis *redis;
static struct replicas *replicas;
static struct peer peer;

static struct host hosts[HOSTS];
static unsigned host_count, taken, beats;

/* Of the Redis: */
static const char *reply; /* to the script */
static bool knows_script;
static unsigned evalshas, evals, hdels;

static unsigned
count_words(struct evbuffer *in, const char *word)
{
	struct evbuffer_ptr at = evbuffer_search(in, word, strlen(word), NULL);
	unsigned n = 0;

	while (at.pos != -1) {
		n++;
		(void)evbuffer_ptr_set(in, &at, strlen(word), EVBUFFER_PTR_ADD);
		at = evbuffer_search(in, word, strlen(word), &at);
	}
	return n;
}

static void
division_redis_serve(struct peer_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	hdels += count_words(in, "HDEL");
	if (count_words(in, "EVALSHA") > 0) {
		evalshas++;
		peer_send(c, knows_script ? reply : "-NOSCRIPT No matching script.\r\n");
	} else if (count_words(in, "EVAL") > 0) {
		evals++;
		knows_script = true;
		peer_send(c, reply);
	} else if (count_words(in, "PING") > 0) {
		peer_send(c, "+PONG\r\n");
	}
	(void)evbuffer_drain(in, evbuffer_get_length(in));
}

/* live, settled, then the same limit for every key that a call can have. */
static const char *
reply_of(unsigned live, unsigned settled, unsigned limit)
{
	static char text[512];
	int n = snprintf(text, sizeof(text), "*17\r\n:%u\r\n:%u\r\n", live, settled);

	for (int i = 0; i < 15; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ":%u\r\n", limit);
	return text;
}

/* ---- the pools' part ---- */

static void
tell_hosts(struct replicas *r, void *arg)
{
	(void)arg;
	taken = 0;
	for (unsigned i = 0; i < host_count; i++)
		taken += replicas_demand(r,
		    &(struct replica_demand){ .key = slice_str(hosts[i].key),
			.capacity = CAPACITY,
			.want = 10,
			.limit = hosts[i].limit,
			.is_told = hosts[i].calls > 0 });
	beats++;
}

static void
host_limit_set(struct slice key, unsigned limit, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < host_count; i++)
		if (slice_is(key, hosts[i].key)) {
			hosts[i].limit = limit;
			hosts[i].calls++;
			return;
		}
	fail();
}

static void
replica_start(struct redis *link, unsigned n)
{
	host_count = n;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(hosts[i].key, sizeof(hosts[i].key), "db%u:5432", i);
	replicas_attach(replicas, worker, link);
}

static void
beat_begin(void)
{
	unsigned before = beats;

	clock_test_advance(200000); /* the least time between two */
	replicas_hurry(replicas);
	turn_until_count(worker, &beats, before + 1);
}

/* A beat from its begin to its end: the next one has begun. */
static void
beat_again(void)
{
	beat_begin();
	beat_begin();
}

static int
set_up(void **state)
{
	const struct replica_source source = { tell_hosts, host_limit_set, NULL };
	char url[64];
	struct redis_conf conf = { .url = url, .timeout_us = 10000000, .pending_max = 1000 };
	struct err err = { 0 };

	(void)state;
	memset(hosts, 0, sizeof(hosts));
	beats = evalshas = evals = hdels = 0;
	knows_script = true;
	reply = reply_of(3, 1, 27);
	worker = worker_new(0);
	dns = dns_open(worker, "127.0.0.1:9", 1000000);
	peer_open(&peer, worker, 0, division_redis_serve);
	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u", peer.port);
	redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(redis);
	redis_wait(worker, redis, true);
	replicas = replicas_open("test", &source);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	flow_abort_all(worker, ERR_SHUTDOWN, "The test is over.");
	while (flow_count(worker) > 0)
		worker_turn(worker, 5);
	replicas_detach(replicas, worker);
	redis_close(redis);
	dns_close(dns);
	peer_close(&peer);
	worker_free(worker);
	replicas_close(replicas);
	return 0;
}

/* ---- the tests ---- */

static void
without_redis_each_limit_is_the_capacity(void **state)
{
	(void)state;
	replica_start(NULL, 2);
	beat_again();
	assert_int_equal(hosts[0].limit, CAPACITY);
	assert_int_equal(hosts[1].limit, CAPACITY);
	assert_int_equal(hosts[1].calls, 1); /* told once */
	assert_int_equal(replicas_live(replicas), 1);
	assert_int_equal(evalshas, 0);
}

static void
the_script_is_loaded_once_and_its_limits_are_in_force(void **state)
{
	(void)state;
	knows_script = false;
	replica_start(redis, 1);
	beat_again();
	beat_again();
	assert_int_equal(evals, 1);
	assert_true(evalshas >= 2);
	assert_int_equal(hosts[0].limit, 27);
	assert_int_equal(hosts[0].calls, 1);
	assert_int_equal(replicas_live(replicas), 3);
}

static void
replicas_are_counted_also_when_nothing_is_divided(void **state)
{
	(void)state;
	replica_start(redis, 0);
	beat_again();
	assert_int_equal(replicas_live(replicas), 3);
}

static void
many_keys_are_told_in_several_calls_and_no_more_than_fit(void **state)
{
	(void)state;
	replica_start(redis, HOSTS);
	beat_again();
	assert_int_equal(taken, REPLICA_KEYS_MAX);
	assert_true(evalshas >= (REPLICA_KEYS_MAX + 14) / 15);
	assert_int_equal(hosts[REPLICA_KEYS_MAX - 1].limit, 27);
	assert_int_equal(hosts[REPLICA_KEYS_MAX].calls, 0);
}

static void
while_redis_is_away_limits_stay_and_newcomers_get_a_tenth(void **state)
{
	(void)state;
	replica_start(redis, 1);
	beat_again();
	peer_close(&peer);
	redis_wait(worker, redis, false);
	(void)snprintf(hosts[1].key, sizeof(hosts[1].key), "new:5432");
	host_count = 2;
	beat_again();
	assert_int_equal(hosts[0].limit, 27);
	assert_int_equal(hosts[0].calls, 1);
	assert_int_equal(hosts[1].limit, CAPACITY / 10);
	assert_int_equal(hosts[1].calls, 1);
	assert_int_equal(replicas_live(replicas), 3);
}

static void
reply_is_not_believed(const char *nonsense)
{
	reply = nonsense;
	beat_again();
	assert_int_equal(hosts[0].limit, 27);
	assert_int_equal(hosts[0].calls, 1);
	assert_int_equal(replicas_live(replicas), 3);
}

static void
a_reply_that_cannot_be_changes_nothing(void **state)
{
	static const char *const nonsense[] = {
		"*3\r\n:3\r\n:1\r\n:84\r\n", /* more than there is */
		"*3\r\n:3\r\n:1\r\n:-1\r\n",
		"*3\r\n:0\r\n:1\r\n:50\r\n", /* nobody, not even the caller */
		"*3\r\n:9999999999\r\n:1\r\n:50\r\n",
		"*2\r\n:4\r\n:1\r\n", /* a limit is missing */
		"*3\r\n:3\r\n:1\r\n$2\r\n50\r\n",
		":50\r\n",
		"-READONLY it is a replica\r\n",
		"-OVERTAKEN by a later call of this replica\r\n",
	};

	(void)state;
	replica_start(redis, 1);
	beat_again();
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		reply_is_not_believed(nonsense[i]);
	reply = reply_of(4, 1, 20);
	beat_again();
	assert_int_equal(hosts[0].limit, 20);
	assert_int_equal(replicas_live(replicas), 4);
}

/* A Redis that was emptied knows only those who have told it since. */
static void
a_roll_that_is_not_settled_does_not_lower_the_number(void **state)
{
	(void)state;
	replica_start(redis, 1);
	beat_again();
	reply = reply_of(1, 0, 27);
	beat_again();
	assert_int_equal(replicas_live(replicas), 3);
	reply = reply_of(5, 0, 27);
	beat_again();
	assert_int_equal(replicas_live(replicas), 5);
	reply = reply_of(2, 1, 27);
	beat_again();
	assert_int_equal(replicas_live(replicas), 2);
}

/* Until the next beat begins. */
static uint64_t
beat_wait_us(void)
{
	uint64_t began = clock_mono_us();

	turn_until_count(worker, &beats, beats + 1);
	return clock_mono_us() - began;
}

static uint64_t
shortest_wait_us(void)
{
	uint64_t shortest = UINT64_MAX;

	for (unsigned limit = 26; limit > 23; limit--) {
		uint64_t us;

		if (reply[0] != '-')
			reply = reply_of(3, 1, limit);
		us = beat_wait_us();
		shortest = us < shortest ? us : shortest;
	}
	return shortest;
}

/* Compared with a beat that nobody hurries. A machine may pause, but not three times in a row. */
static void
a_lowered_limit_is_acknowledged_early(void **state)
{
	uint64_t usual;

	(void)state;
	replica_start(redis, 1);
	beat_again();
	usual = beat_wait_us();
	assert_true(shortest_wait_us() < usual / 2);
	assert_int_equal(hosts[0].limit, 24);
}

static void
the_first_word_is_asked_for_often(void **state)
{
	const char *loading = "-LOADING Redis is loading the dataset in memory\r\n";
	uint64_t early, usual;

	(void)state;
	reply = loading;
	replica_start(redis, 1);
	turn_until_count(worker, &beats, 1);
	early = shortest_wait_us();
	reply = reply_of(3, 1, 27);
	beat_again();
	reply = loading;
	usual = beat_wait_us();
	assert_true(early < usual / 2);
}

static void
a_replica_that_ends_gives_its_parts_back(void **state)
{
	(void)state;
	replica_start(redis, 2);
	beat_again();
	flow_abort_all(worker, ERR_SHUTDOWN, "The server is shutting down.");
	turn_until_count(worker, &hdels, 3); /* two keys and the roll */
	replicas_hurry(replicas);	     /* too late, and harmless */
	turn_for(worker, 20);
	assert_int_equal(hdels, 3);
	assert_int_equal(flow_count(worker), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(without_redis_each_limit_is_the_capacity),
		TEST(the_script_is_loaded_once_and_its_limits_are_in_force),
		TEST(replicas_are_counted_also_when_nothing_is_divided),
		TEST(many_keys_are_told_in_several_calls_and_no_more_than_fit),
		TEST(while_redis_is_away_limits_stay_and_newcomers_get_a_tenth),
		TEST(a_reply_that_cannot_be_changes_nothing),
		TEST(a_roll_that_is_not_settled_does_not_lower_the_number),
		TEST(a_lowered_limit_is_acknowledged_early),
		TEST(the_first_word_is_asked_for_often),
		TEST(a_replica_that_ends_gives_its_parts_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
