/* SPDX-License-Identifier: MIT */
/* division_fixture: the calls, and the test's clock. */
#include "division_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/fake_peer.h"
#include "../unit/redis_fixture.h"
#include "tenantgate/base/buf.h"

struct raw_call {
	struct probe probe;
	struct slice words[REDIS_ARGS_MAX];
	unsigned count;
	struct redis_reply reply;
};

struct division_fixture division_fixture;

static struct worker *worker;
static struct dns *dns;
static struct buf script; /* with the test's clock */

unsigned
chance(unsigned n)
{
	return (unsigned)random() % n;
}

static enum flow_rc
raw_call_step(struct flow *f)
{
	struct raw_call *c = (struct raw_call *)f;

	return redis_command(f, division_fixture.redis, c->words, c->count, &c->reply);
}

static void
raw_call_run(struct raw_call *c)
{
	probe_start(&c->probe, worker, raw_call_step, NULL);
	turn_until(worker, &c->probe.ended);
}

void
division_forget(void)
{
	struct raw_call c = { .words = { SLICE_LIT("DEL") }, .count = 3 };
	char roll[128], key[128];

	(void)snprintf(roll, sizeof(roll), "tg:replicas:%s", division_fixture.environment);
	(void)snprintf(key, sizeof(key), "tg:division:%s:db:5432", division_fixture.environment);
	c.words[1] = slice_str(roll);
	c.words[2] = slice_str(key);
	raw_call_run(&c);
	assert_int_equal(c.reply.status, REDIS_OK);
	redis_clear(&c.reply);
}

/* False: overtaken. */
bool
divided(struct model_replica *m, unsigned serial, const struct replica_demand *demand,
    unsigned *limit)
{
	struct division_caller caller = { division_fixture.environment, m->id, serial, false };
	struct raw_call c = { 0 };
	struct division_call call;
	struct division_result result;
	char clock[24];
	bool is_good;

	division_call_make(&call, DIVISION_EVAL, &caller, demand, 1);
	memcpy(c.words, call.words, sizeof(call.words));
	c.words[1] = buf_view(&script);
	(void)snprintf(clock, sizeof(clock), "%lld",
	    (long long)division_fixture.now_ms + division_fixture.offset_ms);
	c.words[call.count] = slice_str(clock);
	c.count = call.count + 1;
	raw_call_run(&c);
	is_good = division_call_read(&c.reply, demand, 1, &result);
	if (!is_good && !slice_starts(c.reply.text, "OVERTAKEN"))
		fail_msg("%.*s", SLICE_ARG(c.reply.text));
	redis_clear(&c.reply);
	if (is_good) {
		*limit = result.limits[0];
		division_fixture.live = result.live;
	}
	return is_good;
}

/* The script's first line reads Redis's clock. */
static void
script_make(void)
{
	buf_init(&script, 16384);
	buf_puts(&script, "local now = tonumber(ARGV[4])");
	buf_puts(&script, strchr(division_script(), '\n'));
	assert_false(script.failed);
}

int
division_fixture_set_up(void **state)
{
	const char *seed = getenv("TEST_SEED");
	char url[128];
	struct redis_conf conf = { .url = url, .timeout_us = 10000000, .pending_max = 64 };
	struct err err = { 0 };

	(void)state;
	srandom(seed == NULL ? 7 : (unsigned)strtoul(seed, NULL, 10));
	(void)snprintf(url, sizeof(url), "redis://%s/9", getenv("TEST_REDIS"));
	division_fixture = (struct division_fixture){ .now_ms = 1000000000 };
	(void)snprintf(division_fixture.environment, sizeof(division_fixture.environment),
	    "test:%d", (int)getpid());
	worker = worker_new(0);
	dns = dns_open(worker, NULL, 1000000);
	division_fixture.redis = redis_open(worker, dns, &conf, &err);
	assert_non_null(division_fixture.redis);
	redis_wait(worker, division_fixture.redis, true);
	script_make();
	division_forget();
	return 0;
}

int
division_fixture_tear_down(void **state)
{
	(void)state;
	division_forget();
	buf_free(&script);
	redis_close(division_fixture.redis);
	dns_close(dns);
	worker_free(worker);
	return 0;
}
