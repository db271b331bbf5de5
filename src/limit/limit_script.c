/* SPDX-License-Identifier: MIT */
/*
 * limit_script: limit_gcra.c's arithmetic in Redis, one script over all keys of a check. Redis runs
 * a script atomically: nothing comes between its reads and its writes, and a refused check writes
 * nothing, so a client that keeps trying does not push its own limit further away. Redis's clock is
 * the one that counts, so replicas with different clocks agree. A key expires when its time is
 * over: what is absent and what is in the past mean the same.
 *
 * The reply is {allowed, now, what was stored under each key}; the verdict's numbers are made from
 * that by the same gcra_decide() as in process, and must agree with `allowed`.
 *
 * TIME before SET needs a Redis that replicates a script's effects, not its text: 5 or later.
 */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "limit/limit_internal.h"

/* ARGV: interval and tolerance of each key in turn, microseconds. '%.0f': Lua would write a large
 * number as 1.7e+15. PX is in milliseconds, rounded up, for a key must not expire too early. */
static const char script[] =
    "local time = redis.call('TIME')\n"
    "local now = time[1] * 1000000 + time[2]\n"
    "local reply, after = { 1, now }, {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local interval, tolerance = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])\n"
    "  local tat = tonumber(redis.call('GET', key) or '') or now\n"
    "  tat = math.min(math.max(tat, now), now + tolerance)\n"
    "  if tat + interval > now + tolerance then reply[1] = 0 end\n"
    "  reply[i + 2], after[i] = tat, tat + interval\n"
    "end\n"
    "if reply[1] == 1 then\n"
    "  for i, key in ipairs(KEYS) do\n"
    "    redis.call('SET', key, string.format('%.0f', after[i]),\n"
    "      'PX', math.ceil((after[i] - now) / 1000))\n"
    "  end\n"
    "end\n"
    "return reply\n";

static char script_sha[REDIS_SHA_SIZE];

/* Once for the process, then only read: limit_call_make() may come from any worker. */
static void
sha_make(void)
{
	redis_script_sha(script, script_sha);
}

/* A word is borrowed, not copied. */
static void
word_add(struct limit_call *c, struct slice word)
{
	assert(c->count < LIMIT_WORDS_MAX);
	c->words[c->count++] = word;
}

static void
number_add(struct limit_call *c, char *text, uint64_t number)
{
	(void)snprintf(text, sizeof(c->numbers[0]), "%llu", (unsigned long long)number);
	word_add(c, slice_str(text));
}

/* EVALSHA digest (or EVAL script), number of keys, keys, numbers. */
void
limit_call_make(struct limit_call *c, enum limit_call_kind kind, const struct limit_rule *rules,
    unsigned n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	assert(n > 0 && n <= LIMIT_RULES_MAX);
	pthread_once(&once, sha_make);
	c->count = 0;
	word_add(c, slice_str(kind == LIMIT_EVALSHA ? "EVALSHA" : "EVAL"));
	word_add(c, slice_str(kind == LIMIT_EVALSHA ? script_sha : script));
	(void)snprintf(c->key_count, sizeof(c->key_count), "%u", n);
	word_add(c, slice_str(c->key_count));
	for (unsigned i = 0; i < n; i++)
		word_add(c, rules[i].key);
	for (unsigned i = 0; i < n; i++) {
		struct gcra g = gcra_of(&rules[i]);

		number_add(c, c->numbers[2 * i], g.interval_us);
		number_add(c, c->numbers[2 * i + 1], g.tolerance_us);
	}
}

/* Redis is another program, and its reply is checked like any input: missing elements, negative
 * numbers and a decision that its own numbers do not give are no result. */
bool
limit_call_read(const struct redis_reply *reply, const struct limit_rule *rules, unsigned n,
    struct limit_verdict *v, uint64_t *now_us)
{
	uint64_t stored[LIMIT_RULES_MAX];
	int64_t allowed, now, tat;

	if (reply->status != REDIS_OK || !redis_int_at(reply, 0, &allowed) ||
	    !redis_int_at(reply, 1, &now) || now <= 0)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!redis_int_at(reply, i + 2, &tat) || tat < 0)
			return false;
		stored[i] = (uint64_t)tat;
	}
	*now_us = (uint64_t)now;
	v->mode = "redis";
	gcra_decide(rules, n, stored, *now_us, v);
	return v->allowed == (allowed == 1);
}
