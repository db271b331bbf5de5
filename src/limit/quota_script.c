/* SPDX-License-Identifier: MIT */
/*
 * quota_script: see the header. What always holds in Redis: "held" and "streams" are the sums of
 * the leases that are in the sorted set. A lease whose time is over is taken out by whichever order
 * comes next, and a settlement counts only where it took its lease out. While nobody knows which of
 * two names a lease has, orders name both: so all but TAKE and COUNT may be sent again.
 *
 * Keys, fields and the form of a lease's name are those of running builds before: they change by
 * another key alone.
 *
 * The words are 23 at most, of the 24 that a command may have (wire/redis.h).
 */
#include "limit/quota_script.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

/* KEYS: counters, leases, rules. ARGV: act, tokens a minute, a month, streams; tokens, whether it
 * is a stream; lease, its time in milliseconds, its other name; interval and tolerance of each
 * rule. The month's number is quota_month()'s. */
static const char script_begin[] =
    "local time = redis.call('TIME')\n"
    "local now = time[1] * 1000000 + time[2]\n"
    "local act, minute, month, streams = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]),\n"
    "  tonumber(ARGV[4])\n"
    "local tokens, stream, lease, other = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[9]\n"
    "local floor = math.floor\n"
    "local days = floor(time[1] / 86400) + 719468\n"
    "local day = days % 146097\n"
    "local year = floor((day - floor(day / 1460) + floor(day / 36524)\n"
    "  - floor(day / 146096)) / 365)\n"
    "local rest = day - (365 * year + floor(year / 4) - floor(year / 100))\n"
    "local this_month = (floor(days / 146097) * 400 + year) * 12 + floor((5 * rest + 2) / 153)\n"
    "local names = { 'level', 'at', 'month', 'used', 'held', 'streams', 'seeded' }\n"
    "local s = {}\n"
    "for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do\n"
    "  s[names[i]] = value and tonumber(value)\n"
    "end\n"
    "s.level = math.max(0, (s.level or 0) - math.max(0, now - (s.at or now)) * minute / 6e7)\n"
    "s.level = math.min(s.level, minute * 60)\n"
    "if s.month ~= this_month then\n"
    "  s.used, s.seeded = 0, s.month and 0\n"
    "end\n"
    "s.held, s.streams = s.held or 0, s.streams or 0\n"
    "local function holds(name)\n"
    "  local t, one = string.match(name, ':(%d+):(%d)$')\n"
    "  return tonumber(t), tonumber(one)\n"
    "end\n"
    "local function add(name, sign)\n"
    "  local t, one = holds(name)\n"
    "  s.held, s.streams = math.max(0, s.held + sign * t), math.max(0, s.streams + sign * one)\n"
    "end\n"
    "local function count(name)\n"
    "  s.level = math.max(0, s.level + tokens - holds(name))\n"
    "  s.used = s.used + tokens\n"
    "end\n"
    "local function keep(name)\n"
    "  redis.call('ZADD', KEYS[2], floor(now / 1000) + ARGV[8], name)\n"
    "end\n"
    "for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', floor(now / 1000),\n"
    "    'LIMIT', 0, 1000)) do\n"
    "  if act ~= 'look' then redis.call('ZREM', KEYS[2], name) end\n"
    "  add(name, -1)\n"
    "end\n";

static const char script_end[] =
    "local reply, after, refused = { 1, now }, {}, 0\n"
    "if act == 'take' then\n"
    "  for i = 3, #KEYS do\n"
    "    local interval, tolerance = tonumber(ARGV[2 * i + 4]), tonumber(ARGV[2 * i + 5])\n"
    "    local tat = tonumber(redis.call('GET', KEYS[i]) or '') or now\n"
    "    tat = math.min(math.max(tat, now), now + tolerance)\n"
    "    if tat + interval > now + tolerance then reply[1] = 0 end\n"
    "    reply[i], after[i] = tat, tat + interval\n"
    "  end\n"
    "  local spent = s.used + (s.seeded or 0) + s.held\n"
    "  if month > 0 and (spent >= month or spent + tokens > month) then\n"
    "    refused = 2\n"
    "  elseif minute > 0 and (s.level >= minute or s.level + tokens > minute) then\n"
    "    refused = 1\n"
    "  elseif streams > 0 and stream == 1 and s.streams >= streams then\n"
    "    refused = 3\n"
    "  end\n"
    "  if reply[1] == 1 and refused == 0 then\n"
    "    for i = 3, #KEYS do\n"
    "      redis.call('SET', KEYS[i], string.format('%.0f', after[i]),\n"
    "        'PX', math.ceil((after[i] - now) / 1000))\n"
    "    end\n"
    "    s.level = s.level + tokens\n"
    "    add(lease, 1)\n"
    "    keep(lease)\n"
    "  end\n"
    "elseif act == 'look' then\n"
    "  for i = 3, #KEYS do reply[i] = tonumber(redis.call('GET', KEYS[i]) or '') or 0 end\n"
    "elseif act == 'renew' then\n"
    "  if other ~= '' and redis.call('ZSCORE', KEYS[2], other) then\n"
    "    lease = other\n"
    "  elseif not redis.call('ZSCORE', KEYS[2], lease) then\n"
    "    add(lease, 1)\n"
    "  end\n"
    "  keep(lease)\n"
    "elseif act == 'adjust' then\n"
    "  if not redis.call('ZSCORE', KEYS[2], other) then\n"
    "    if redis.call('ZREM', KEYS[2], lease) == 1 then add(lease, -1) end\n"
    "    s.level = math.max(0, s.level + holds(other) - holds(lease))\n"
    "    add(other, 1)\n"
    "  end\n"
    "  keep(other)\n"
    "elseif act == 'settle' then\n"
    "  reply[1] = 0\n"
    "  for _, name in ipairs({ lease, other }) do\n"
    "    if name ~= '' and redis.call('ZREM', KEYS[2], name) == 1 then\n"
    "      add(name, -1)\n"
    "      if reply[1] == 0 then count(name) end\n"
    "      reply[1] = 1\n"
    "    end\n"
    "  end\n"
    "elseif act == 'count' then\n"
    "  count(lease)\n"
    "elseif act == 'seed' then\n"
    "  s.seeded = s.seeded or tokens\n"
    "end\n"
    "local function text(n) return string.format('%.0f', n) end\n"
    "if act ~= 'look' then\n"
    "  redis.call('HSET', KEYS[1], 'level', string.format('%.3f', s.level), 'at', text(now),\n"
    "    'month', this_month, 'used', text(s.used), 'held', text(s.held), 'streams', s.streams)\n"
    "  if s.seeded then redis.call('HSET', KEYS[1], 'seeded', text(s.seeded)) end\n"
    "  redis.call('PEXPIRE', KEYS[1], 3456000000)\n"
    "  redis.call('PEXPIRE', KEYS[2], 86400000)\n"
    "end\n"
    "for _, n in ipairs({ refused, s.level, s.used, s.seeded or -1, s.held, s.streams }) do\n"
    "  reply[#reply + 1] = n\n"
    "end\n"
    "return reply\n";

static char script[sizeof(script_begin) + sizeof(script_end)];
static char script_sha[REDIS_SHA_SIZE];

/* Once for the process, then only read. */
static void
quota_script_make(void)
{
	(void)snprintf(script, sizeof(script), "%s%s", script_begin, script_end);
	redis_script_sha(script, script_sha);
}

static void
add_word(struct quota_call *c, struct slice word)
{
	assert(c->count < QUOTA_WORDS_MAX && c->count < REDIS_ARGS_MAX);
	c->words[c->count++] = word;
}

static void
add_number(struct quota_call *c, unsigned *at, uint64_t number)
{
	char *text = c->numbers[(*at)++];

	(void)snprintf(text, sizeof(c->numbers[0]), "%llu", (unsigned long long)number);
	add_word(c, slice_str(text));
}

static void
add_order(struct quota_call *c, unsigned *at, const struct quota_order *o)
{
	static const char *const acts[] = {
		[QUOTA_TAKE] = "take",
		[QUOTA_RENEW] = "renew",
		[QUOTA_ADJUST] = "adjust",
		[QUOTA_SETTLE] = "settle",
		[QUOTA_COUNT] = "count",
		[QUOTA_LOOK] = "look",
		[QUOTA_SEED] = "seed",
	};

	add_word(c, slice_str(acts[o->act]));
	add_number(c, at, o->quota.tokens_per_minute);
	add_number(c, at, o->quota.tokens_per_month);
	add_number(c, at, o->quota.streams);
	add_number(c, at, o->tokens);
	add_word(c, o->is_stream ? SLICE_LIT("1") : SLICE_LIT("0"));
	add_word(c, slice_str(o->lease));
	add_number(c, at, o->lease_us / 1000);
	add_word(c, slice_str(o->new_lease));
}

void
quota_call_make(struct quota_call *c, enum limit_call_kind kind, const struct quota_order *o,
    const struct limit_rule *rules, unsigned n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned at = 0;

	assert(n <= QUOTA_RULES_MAX);
	pthread_once(&once, quota_script_make);
	c->count = 0;
	add_word(c, slice_str(kind == LIMIT_EVALSHA ? "EVALSHA" : "EVAL"));
	add_word(c, slice_str(kind == LIMIT_EVALSHA ? script_sha : script));
	(void)snprintf(c->key_count, sizeof(c->key_count), "%u", 2 + n);
	add_word(c, slice_str(c->key_count));
	add_word(c, o->state_key);
	add_word(c, o->leases_key);
	for (unsigned i = 0; i < n; i++)
		add_word(c, rules[i].key);
	add_order(c, &at, o);
	for (unsigned i = 0; i < n; i++) {
		struct gcra g = gcra_of(&rules[i]);

		add_number(c, &at, g.interval_us);
		add_number(c, &at, g.tolerance_us);
	}
}

/* The numbers behind the rules': what refuses, and the state after the decision. */
static bool
state_read(const struct redis_reply *reply, unsigned at, enum quota_kind *refused,
    struct quota_state *s)
{
	int64_t n[6];

	for (unsigned i = 0; i < 6; i++)
		if (!redis_int_at(reply, at + i, &n[i]) || (n[i] < 0 && i != 3))
			return false;
	if (n[0] > QUOTA_STREAMS)
		return false;
	*refused = (enum quota_kind)n[0];
	*s = (struct quota_state){ .level = (double)n[1],
		.used = (uint64_t)n[2],
		.has_seed = n[3] >= 0,
		.seeded = n[3] >= 0 ? (uint64_t)n[3] : 0,
		.held = (uint64_t)n[4],
		.streams = (unsigned)n[5] };
	return true;
}

bool
quota_call_read(const struct redis_reply *reply, const struct quota_order *o,
    const struct limit_rule *rules, unsigned n, struct limit_verdict *v, struct quota_verdict *q)
{
	uint64_t stored[QUOTA_RULES_MAX];
	enum quota_kind refused;
	struct quota_state s;
	int64_t allowed, now, tat;

	if (reply->status != REDIS_OK || !redis_int_at(reply, 0, &allowed) ||
	    !redis_int_at(reply, 1, &now) || now <= 0)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (!redis_int_at(reply, i + 2, &tat) || tat < 0)
			return false;
		stored[i] = (uint64_t)tat;
	}
	if (!state_read(reply, 2 + n, &refused, &s))
		return false;
	*v = (struct limit_verdict){ .allowed = true, .mode = "redis" };
	if (n > 0)
		gcra_decide(rules, n, stored, (uint64_t)now, v);
	quota_tell(&o->quota, &s, o->tokens, (uint64_t)now / 1000000, refused, q);
	return v->allowed == (allowed == 1);
}

bool
quota_call_state(const struct redis_reply *reply, unsigned n, struct quota_state *s)
{
	enum quota_kind refused;

	return reply->status == REDIS_OK && state_read(reply, 2 + n, &refused, s);
}

bool
quota_call_is_run(const struct redis_reply *reply)
{
	int64_t first;

	return reply->status == REDIS_OK && redis_int_at(reply, 0, &first);
}

bool
quota_call_was_there(const struct redis_reply *reply)
{
	int64_t first;

	return redis_int_at(reply, 0, &first) && first == 1;
}
