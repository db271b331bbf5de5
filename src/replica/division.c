/* SPDX-License-Identifier: MIT */
/*
 * division: the script. Under each key Redis has a hash, one field a replica:
 *
 *	id --> "serial at claim want"	its last call, when it came (ms), the most that it may hold
 *					until its next, what it wants
 *	"table" --> "born last"		since when the table is whole, when it was last written
 *
 * The first key of a call is the roll, whose capacity is 0: it counts the replicas.
 *
 * What always holds: a replica holds at most its claim. It is the largest of the limit it came
 * with, what it uses, and the limit it leaves with: a reply may be lost, so a lowered limit frees
 * nothing until the replica comes back under it. A limit is the capacity less all others' claims at
 * most, so claims add up to the capacity at most.
 *
 *  - A call that was overtaken (it lay in the socket of a connection that was given up, while the
 *    next one came by another) has an old serial and is refused: it would lower the claim.
 *  - Nobody was heard for 5 s, or the clock went back: Redis was emptied, stood still, or has
 *    another clock, and does not know who is alive. Nobody is dead then; the table is born anew and
 *    for 5 s raises no limit, for not all have been heard. Who never had one gets a tenth.
 *  - `want` is what is told, but at least what is used and a quarter of an equal part: the next
 *    connection should not wait for the next beat.
 *
 * The level is max-min fair: nobody gets more than he wants, who wants more gets as much as any.
 */
#include "replica/division.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LIVE_MAX 100000 /* a reply that says more is nonsense */

/* TIME before writes needs a Redis that replicates effects, not texts: 5 or later. In '%d' as Lua
 * 5.1 prints it, whole numbers are exact up to 2^53. */
static const char script[] =
    "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local id, serial, number = ARGV[1], tonumber(ARGV[2]), string.gmatch(ARGV[3], '%d+')\n"
    "local SETTLE, DEAD, FORGET = 5000, 10000, 60000\n"
    "local function write(key, field, ...)\n"
    "  redis.call('HSET', key, field, string.format('%d %d %d %d', ...))\n"
    "end\n"
    /* Who else is there: their wants, the sum of their claims. */
    "local function others(key, anew)\n"
    "  local wants, claims, all = {}, 0, redis.call('HGETALL', key)\n"
    "  for i = 1, #all, 2 do\n"
    "    local s, at, claim, want = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (%d+)$')\n"
    "    if all[i] ~= 'table' and all[i] ~= id and s then\n"
    "      if anew then write(key, all[i], s, now, claim, want) end\n"
    "      if not anew and now - at > DEAD then\n"
    "        redis.call('HDEL', key, all[i])\n"
    "      else\n"
    "        wants[#wants + 1], claims = tonumber(want), claims + claim\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "  return wants, claims\n"
    "end\n"
    /* As much as nobody has to go below, sorted wants being filled from the least. */
    "local function level(wants, capacity)\n"
    "  local left, n = capacity, #wants\n"
    "  table.sort(wants)\n"
    "  for _, want in ipairs(wants) do\n"
    "    if want * n > left then return math.max(1, math.floor(left / n)) end\n"
    "    left, n = left - want, n - 1\n"
    "  end\n"
    "  return capacity\n"
    "end\n"
    "local function divide(key, capacity, used, want, held, told)\n"
    "  local born, last = string.match(redis.call('HGET', key, 'table') or '', '(%d+) (%d+)')\n"
    "  local anew = not born or now < tonumber(last) or now - last > SETTLE\n"
    "  if anew then born = now end\n"
    "  local settled = now - born >= SETTLE\n"
    "  local wants, claims = others(key, anew)\n"
    "  local ahead = math.max(1, math.floor(capacity / (4 * (#wants + 1))))\n"
    "  want = math.min(capacity, math.max(want, used + ahead))\n"
    "  wants[#wants + 1] = want\n"
    "  local limit = math.min(want, level(wants, capacity))\n"
    "  if not settled then\n"
    "    local first = told == 1 and 0 or math.max(1, math.floor(capacity / 10))\n"
    "    limit = math.min(limit, math.max(held, first))\n"
    "  end\n"
    "  limit = math.max(0, math.min(limit, capacity - claims))\n"
    "  write(key, id, serial, now, math.max(held, used, limit), want)\n"
    "  redis.call('HSET', key, 'table', string.format('%d %d', born, now))\n"
    "  redis.call('PEXPIRE', key, FORGET)\n"
    "  return limit, #wants, settled and 1 or 0\n"
    "end\n"
    "local before = string.match(redis.call('HGET', KEYS[1], id) or '', '^%d+')\n"
    "if before and tonumber(before) >= serial then\n"
    "  return redis.error_reply('OVERTAKEN by a later call of this replica')\n"
    "end\n"
    "local reply = {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "  local function read() return tonumber(number()) end\n"
    "  local limit, live, settled = divide(key, read(), read(), read(), read(), read())\n"
    "  if i == 1 then reply = { live, settled } else reply[i + 1] = limit end\n"
    "end\n"
    "return reply\n";

static char script_sha[REDIS_SHA_SIZE];

const char *
division_script(void)
{
	return script;
}

static void
division_sha_make(void)
{
	redis_script_sha(script, script_sha);
}

static void
call_word(struct division_call *c, struct slice word)
{
	assert(c->count < DIVISION_WORDS_MAX);
	c->words[c->count++] = word;
}

/* No demand: the roll's. In a cluster all are in one slot, by the hash tag in the braces; elsewhere
 * they are as in releases that knew no cluster, for claims under other names would not be seen. */
static void
redis_key_write(char *out, const struct division_caller *caller, const struct replica_demand *d)
{
	const char *env = caller->environment;
	size_t tag = caller->is_cluster ? strnlen(env, REDIS_TAG_MAX) : 0;
	const char *open = caller->is_cluster ? "{" : "", *close = caller->is_cluster ? "}" : "";
	int n;

	if (d == NULL)
		n = snprintf(out, DIVISION_KEY_SIZE, "tg:replicas:%s%.*s%s%s", open, (int)tag, env,
		    close, env + tag);
	else
		n = snprintf(out, DIVISION_KEY_SIZE, "tg:division:%s%.*s%s%s:%.*s", open, (int)tag,
		    env, close, env + tag, SLICE_ARG(d->key));
	assert(n > 0 && (size_t)n < DIVISION_KEY_SIZE);
}

/* capacity used want held told */
static void
numbers_write(struct division_call *c, const struct replica_demand *demands, unsigned n)
{
	int len = snprintf(c->numbers, sizeof(c->numbers), "0 0 0 0 1");

	for (unsigned i = 0; i < n; i++) {
		const struct replica_demand *d = &demands[i];

		len += snprintf(c->numbers + len, sizeof(c->numbers) - (size_t)len,
		    " %u %u %u %u %d", d->capacity, d->used, d->want, d->limit, d->is_told);
		assert((size_t)len < sizeof(c->numbers));
	}
}

void
division_call_make(struct division_call *c, enum division_command command,
    const struct division_caller *caller, const struct replica_demand *demands, unsigned n)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	assert(n <= DIVISION_KEYS_MAX);
	pthread_once(&once, division_sha_make);
	c->count = 0;
	call_word(c, slice_str(command == DIVISION_EVALSHA ? "EVALSHA" : "EVAL"));
	call_word(c, slice_str(command == DIVISION_EVALSHA ? script_sha : script));
	(void)snprintf(c->key_count, sizeof(c->key_count), "%u", 1 + n);
	call_word(c, slice_str(c->key_count));
	for (unsigned i = 0; i <= n; i++) {
		redis_key_write(c->keys[i], caller, i == 0 ? NULL : &demands[i - 1]);
		call_word(c, slice_str(c->keys[i]));
	}
	call_word(c, slice_str(caller->id));
	(void)snprintf(c->serial, sizeof(c->serial), "%" PRIu64, caller->serial);
	call_word(c, slice_str(c->serial));
	numbers_write(c, demands, n);
	call_word(c, slice_str(c->numbers));
}

/* Redis is another program: a limit above the capacity, or no limit, is no reply. */
bool
division_call_read(const struct redis_reply *reply, const struct replica_demand *demands,
    unsigned n, struct division_result *out)
{
	int64_t live, settled, limit;

	if (reply->status != REDIS_OK || !redis_int_at(reply, 0, &live) ||
	    !redis_int_at(reply, 1, &settled) || live < 1 || live > LIVE_MAX)
		return false;
	out->live = (unsigned)live;
	out->is_settled = settled == 1;
	for (unsigned i = 0; i < n; i++) {
		if (!redis_int_at(reply, i + 2, &limit) || limit < 0 || limit > demands[i].capacity)
			return false;
		out->limits[i] = (unsigned)limit;
	}
	return true;
}

unsigned
division_first(unsigned capacity)
{
	return capacity / 10 > 1 ? capacity / 10 : 1;
}

void
division_leave(struct redis *redis, const struct division_caller *caller,
    const struct replica_demand *demand)
{
	char key[DIVISION_KEY_SIZE];
	struct slice words[3] = { SLICE_LIT("HDEL") };

	redis_key_write(key, caller, demand);
	words[1] = slice_str(key);
	words[2] = slice_str(caller->id);
	redis_send(redis, words, 3);
}
