/* SPDX-License-Identifier: MIT */
/*
 * neon_ticket: the queue, in Redis by one script, or in this process (tenants_shared.c).
 *
 * In Redis: a counter of tickets; `waiting`, names by their tickets; `seen`, the same names by the
 * time at which they are given up when nobody looks any more; `slots`, the names at work by the end
 * of their lease. So a dead replica's places and slots come back by themselves.
 *
 * A slot's lease runs out when its holder has called nothing for 30 s (neon_gate.c renews it): then
 * one more works than there are slots. That costs nothing: the rate is kept by the gate, and that a
 * database is made once by its row.
 */
#include "tenant/neon_ticket.h"

#include "tenant/neon_gate.h"
#include "tenantgate/base/clock.h"

#define LEASE_US    30000000ull
#define PRESENCE_US 20000000ull
#define OUTAGE_US   5000000ull /* a shorter one of Redis is waited out */
#define PAUSE_LEAST_US 50000ull
#define PAUSE_MOST_US  5000000ull
/* Provider postgres: two use the administrator's connections, two are in the new database already
 * (cluster.c). */
#define CLUSTER_SLOTS 4

/* ARGV: name, ticket, slots, lease, presence, is_asked. The reply is {state, before, ticket, ahead,
 * all}; state 0: waits, 1: the slot is taken, 2: it was taken already, and by another. A time that
 * is further off than any that is given was written before Redis's clock was set back: it is over,
 * and whoever is alive comes again with its ticket. */
static const char ticket_script[] = GATE_LUA_BEGIN
    "local name, slots = ARGV[1], tonumber(ARGV[3])\n"
    "local function time_of(us) return string.format('%.0f', us) end\n"
    "local leased, seen = time_of(now + ARGV[4]), time_of(now + ARGV[5])\n"
    "local function forget(from, to)\n"
    "  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], from, to)) do\n"
    "    redis.call('ZREM', KEYS[2], gone)\n"
    "    redis.call('ZREM', KEYS[3], gone)\n"
    "  end\n"
    "end\n"
    "forget('-inf', time_of(now))\n"
    "forget('(' .. seen, '+inf')\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', time_of(now))\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[4], '(' .. leased, '+inf')\n"
    "if redis.call('ZSCORE', KEYS[4], name) then\n"
    "  if ARGV[6] == '0' then return { 2, 0, 0, ahead, 1 } end\n"
    "  redis.call('ZREM', KEYS[4], name)\n"
    "end\n"
    "local ticket = tonumber(redis.call('ZSCORE', KEYS[2], name) or '')\n"
    "if not ticket then\n"
    "  ticket = tonumber(ARGV[2])\n"
    "  if ticket == 0 or ticket > (tonumber(redis.call('GET', KEYS[5]) or '') or 0) then\n"
    "    ticket = redis.call('INCR', KEYS[5])\n"
    "  end\n"
    "  redis.call('ZADD', KEYS[2], ticket, name)\n"
    "end\n"
    "local before = redis.call('ZRANK', KEYS[2], name) + redis.call('ZCARD', KEYS[4])\n"
    "local all = redis.call('ZCARD', KEYS[2]) + redis.call('ZCARD', KEYS[4])\n"
    "if before >= slots then\n"
    "  redis.call('ZADD', KEYS[3], seen, name)\n"
    "  return { 0, before, ticket, ahead, all }\n"
    "end\n"
    "redis.call('ZREM', KEYS[2], name)\n"
    "redis.call('ZREM', KEYS[3], name)\n"
    "redis.call('ZADD', KEYS[4], leased, name)\n"
    "return { 1, before, ticket, ahead, all }\n";

void
neon_ticket_init(struct neon_ticket *t, const char *name)
{
	t->name = t->place.name = name;
}

/* Provider postgres knows no account that replicas share: its queue keeps a crowd from waiting
 * longer for the administrator's connections than the pool lets them. */
static bool
turn_is_shared(const struct tenants *ts)
{
	return ts->conf->provider == PROVIDER_NEON && ts->redis != NULL && redis_is_up(ts->redis);
}

static unsigned
local_slots(const struct tenants *ts)
{
	unsigned slots = TICKET_SLOTS / shared_replicas(ts->shared);

	if (ts->conf->provider != PROVIDER_NEON)
		return CLUSTER_SLOTS;
	return slots > 0 ? slots : 1;
}

enum flow_rc
neon_ticket_ask(struct flow *f, struct tenants *ts, struct neon_ticket *t)
{
	struct neon_script *s = &t->script;

	neon_script_free(s);
	if (!turn_is_shared(ts))
		return FLOW_NEXT;
	neon_script_begin(s, ts->redis, ticket_script, "5");
	neon_script_text(s, ts->neon_keys.bucket);
	neon_script_text(s, ts->neon_keys.waiting);
	neon_script_text(s, ts->neon_keys.seen);
	neon_script_text(s, ts->neon_keys.slots);
	neon_script_text(s, ts->neon_keys.tickets);
	neon_script_text(s, t->name);
	neon_script_number(s, t->number);
	neon_script_number(s, TICKET_SLOTS);
	neon_script_number(s, LEASE_US);
	neon_script_number(s, PRESENCE_US);
	neon_script_number(s, t->is_asked);
	t->is_asked = true;
	return neon_script_run(f, s);
}

static bool
ticket_read_shared(struct neon_ticket *t)
{
	static const enum ticket_state states[] = { TICKET_WAITS, TICKET_HELD, TICKET_ELSEWHERE };
	uint64_t state, before, ticket, ahead, all;

	if (!neon_script_int(&t->script, 0, &state) || state > 2 ||
	    !neon_script_int(&t->script, 1, &before) || !neon_script_int(&t->script, 2, &ticket) ||
	    !neon_script_int(&t->script, 3, &ahead) || !neon_script_int(&t->script, 4, &all))
		return false;
	t->state = states[state];
	t->before = (unsigned)before;
	t->all = (unsigned)all;
	t->number = ticket;
	t->ahead_us = ahead;
	return true;
}

static void
ticket_read_local(struct tenants *ts, struct neon_ticket *t)
{
	static const enum ticket_state states[] = {
		[PLACE_WAITS] = TICKET_WAITS,
		[PLACE_TAKEN] = TICKET_HELD,
		[PLACE_ELSEWHERE] = TICKET_ELSEWHERE,
	};

	struct shared_look look = shared_place_look(ts->shared, &t->place, local_slots(ts));

	t->state = states[look.verdict];
	t->before = look.before;
	t->all = look.all;
	t->ahead_us = look.ahead_us;
}

/* A reply that is late drops the link for a moment: whoever then went to a queue that nobody else
 * is in would go before all who came earlier. */
static bool
queue_was_seen(const struct tenants *ts)
{
	return ts->queue_seen_us != 0 && clock_mono_us() - ts->queue_seen_us < OUTAGE_US;
}

/* A place in this process's queue is left when Redis's is to be had again. */
void
neon_ticket_read(struct tenants *ts, struct neon_ticket *t)
{
	if (ticket_read_shared(t)) {
		t->is_asked = t->is_local = false;
		ts->queue_seen_us = clock_mono_us();
		shared_place_leave(ts->shared, &t->place);
	} else if (queue_was_seen(ts)) {
		t->state = TICKET_WAITS;
	} else {
		t->is_local = true;
		ticket_read_local(ts, t);
	}
	neon_script_free(&t->script);
}

static unsigned
ticket_slots(const struct tenants *ts, const struct neon_ticket *t)
{
	return t->is_local || ts->conf->provider != PROVIDER_NEON ? local_slots(ts) : TICKET_SLOTS;
}

/* A quarter of the time in which those before it should be through, by what the slowest of the last
 * took. */
uint64_t
neon_ticket_pause_us(struct tenants *ts, const struct neon_ticket *t)
{
	struct neon_pace pace = shared_pace(ts->shared);
	unsigned slots = ticket_slots(ts, t);
	unsigned rank = t->before > slots ? t->before - slots : 0;
	uint64_t us = PAUSE_LEAST_US + rank * pace_longest_us(&pace) / slots / 4;

	return us < PAUSE_MOST_US ? us : PAUSE_MOST_US;
}

/* Those at work take turns at the rate, so that the first of them is not ready long before the
 * last. */
uint64_t
neon_ticket_ready_us(struct tenants *ts, const struct neon_ticket *t)
{
	struct neon_pace pace = shared_pace(ts->shared);
	unsigned parts = t->is_local ? shared_replicas(ts->shared) : 1;
	unsigned slots = ticket_slots(ts, t);
	unsigned beside = t->all < slots ? t->all : slots;
	unsigned place = t->before + 1 > beside ? t->before + 1 : beside;

	if (ts->conf->provider != PROVIDER_NEON)
		return (t->before / slots + 1) * pace_longest_us(&pace);
	return pace_ready_us(&pace, neon_gate_rate(ts, parts), t->ahead_us, place);
}

static void
turn_send_remove(struct tenants *ts, const char *key, const char *name)
{
	struct slice argv[] = { SLICE_LIT("ZREM"), slice_str(key), slice_str(name) };

	redis_send(ts->redis, argv, 3);
}

/* What is lost on the way comes back when its time is over. A look whose reply never came may have
 * got the slot: these commands come after it on the same link. */
void
neon_ticket_leave(struct tenants *ts, struct neon_ticket *t)
{
	shared_place_leave(ts->shared, &t->place);
	neon_script_free(&t->script);
	if (t->is_asked || (t->state == TICKET_HELD && !t->is_local))
		turn_send_remove(ts, ts->neon_keys.slots, t->name);
	if (t->is_asked || (t->state == TICKET_WAITS && t->number != 0)) {
		turn_send_remove(ts, ts->neon_keys.waiting, t->name);
		turn_send_remove(ts, ts->neon_keys.seen, t->name);
	}
	t->is_asked = false;
	t->state = TICKET_NONE;
}
