/* SPDX-License-Identifier: MIT */
/*
 * neon_gate: neon_bucket.c's arithmetic in Redis, one script for all replicas, by Redis's clock.
 *
 *	[ask] --> [asked] --> its time has come: done
 *	  ^          |  \--> closed for longer than GATE_WAIT_MAX_S: done, closed_s says so
 *	  +- sleep --+  too far ahead to be reserved
 *
 * What always holds: a call is charged before it is sent, once. Nothing is reserved further ahead
 * than AHEAD_MAX_US, so a reservation whose flow was aborted costs a moment of the rate, not more.
 * Without Redis the process's own bucket decides, under one lock over its workers; while Redis is
 * away it has its part of the rate, by the number of replicas that were last known.
 */
#include "tenant/neon_gate.h"

#include "tenant/tenants_shared.h"
#include "tenantgate/base/clock.h"

#define AHEAD_MAX_US  5000000ull
#define PATIENCE_US   5000000ull /* of who lets creations go first */
#define ASK_LEAST_US  50000ull /* between two tries to reserve */
#define SLOT_LEASE_US 30000000ull

/*
 * ARGV: interval, tolerance, the longest wait, hold, the slot's lease, the slot. The reply is
 * {reserved, wait, how far the bucket is ahead}. '%.0f': Lua would write a large number as 1.7e+15.
 */
static const char gate_script[] = GATE_LUA_BEGIN
    "local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local most, hold = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "local function keep()\n"
    "  redis.call('SET', KEYS[1], string.format('%.0f %.0f', now + ahead, now),\n"
    "    'PX', math.ceil(ahead / 1000))\n"
    "end\n"
    "if hold > 0 then\n"
    "  ahead = math.max(ahead, hold + tolerance)\n"
    "  keep()\n"
    "  return { 0, hold, ahead }\n"
    "end\n"
    "if ARGV[6] ~= '' then\n"
    "  redis.call('ZADD', KEYS[2], 'XX', string.format('%.0f', now + ARGV[5]), ARGV[6])\n"
    "end\n"
    "local wait = math.max(0, ahead + interval - tolerance)\n"
    "if wait > most then\n"
    "  if was_set_back then keep() end\n"
    "  return { 0, wait, ahead }\n"
    "end\n"
    "ahead = ahead + interval\n"
    "keep()\n"
    "return { 1, wait, ahead }\n";

static flow_step_fn gate_ask, gate_asked;

static const struct flow_step gate_steps[] = {
	{ "ask", gate_ask },
	{ "asked", gate_asked },
	{ NULL, NULL },
};

static const struct flow_kind gate_kind = { "neon_gate", gate_steps, NULL, NULL };

struct neon_rate
neon_gate_rate(const struct tenants *ts, unsigned parts)
{
	return neon_rate_of(ts->conf->neon_requests_per_second, ts->conf->neon_burst, parts);
}

static uint64_t
gate_ahead_max(const struct neon_gate *g)
{
	bool is_late = clock_mono_us() - g->since_us > PATIENCE_US;

	return g->slot != NULL || is_late ? AHEAD_MAX_US : 0;
}

static void
gate_script_fill(struct neon_script *s, struct tenants *ts, uint64_t most_us, uint64_t hold_us,
    const char *slot)
{
	struct neon_rate rate = neon_gate_rate(ts, 1);

	neon_script_begin(s, ts->redis, gate_script, "2");
	neon_script_text(s, ts->neon_keys.bucket);
	neon_script_text(s, ts->neon_keys.slots);
	neon_script_number(s, rate.interval_us);
	neon_script_number(s, rate.tolerance_us);
	neon_script_number(s, most_us);
	neon_script_number(s, hold_us);
	neon_script_number(s, SLOT_LEASE_US);
	neon_script_text(s, slot != NULL ? slot : "");
}

/* The reply of an earlier try must not be taken for this one's. */
static enum flow_rc
gate_ask(struct flow *f)
{
	struct neon_gate *g = FLOW_OF(f, struct neon_gate, &gate_kind);

	neon_script_free(&g->script);
	if (g->tenants->redis == NULL || !redis_is_up(g->tenants->redis))
		return FLOW_NEXT;
	gate_script_fill(&g->script, g->tenants, gate_ahead_max(g), 0, g->slot);
	return neon_script_run(f, &g->script);
}

static bool
gate_reserved(struct neon_gate *g, uint64_t *wait_us)
{
	struct tenants *ts = g->tenants;
	uint64_t reserved, ahead;

	if (neon_script_int(&g->script, 0, &reserved) && neon_script_int(&g->script, 1, wait_us) &&
	    neon_script_int(&g->script, 2, &ahead)) {
		shared_bucket_follow(ts->shared, ahead);
		return reserved == 1;
	}
	return shared_bucket_reserve(ts->shared, neon_gate_rate(ts, shared_replicas(ts->shared)),
	    gate_ahead_max(g), wait_us);
}

static enum flow_rc
gate_asked(struct flow *f)
{
	struct neon_gate *g = FLOW_OF(f, struct neon_gate, &gate_kind);
	uint64_t wait, most = gate_ahead_max(g);
	bool reserved = gate_reserved(g, &wait);

	if (reserved)
		return wait > 0 ? flow_sleep(f, &g->timer, wait) : FLOW_DONE;
	if (wait > GATE_WAIT_MAX_S * 1000000ull) {
		g->closed_s = (unsigned)((wait + 999999) / 1000000);
		return FLOW_DONE;
	}
	wait = wait > most ? wait - most : 0;
	flow_goto(f, gate_ask);
	return flow_sleep(f, &g->timer, wait > ASK_LEAST_US ? wait : ASK_LEAST_US);
}

enum flow_rc
neon_gate_pass(struct flow *f, struct neon_gate *g, struct tenants *ts, const char *slot)
{
	g->tenants = ts;
	g->slot = slot;
	g->closed_s = 0;
	g->since_us = clock_mono_us();
	return flow_call(f, &g->flow, &gate_kind);
}

void
neon_gate_free(struct neon_gate *g)
{
	neon_script_free(&g->script);
}

/* Nobody waits for it: on this link it is before whatever is asked next. By its text, for a digest
 * that Redis has forgotten would be lost. */
void
neon_gate_hold(struct tenants *ts, unsigned seconds)
{
	uint64_t us = (seconds > 0 ? seconds : 1) * 1000000ull;
	struct neon_script s = { 0 };

	shared_bucket_hold(ts->shared, neon_gate_rate(ts, shared_replicas(ts->shared)), us);
	if (ts->redis == NULL)
		return;
	gate_script_fill(&s, ts, 0, us, NULL);
	s.words[0] = SLICE_LIT("EVAL");
	s.words[1] = slice_str(gate_script);
	redis_send(ts->redis, s.words, s.count);
}
