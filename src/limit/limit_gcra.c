/* SPDX-License-Identifier: MIT */
/*
 * limit_gcra: the generic cell rate algorithm (ITU-T I.371, the virtual scheduling form). A key
 * stores one number, its theoretical arrival time (TAT): when all of its burst is free again. With
 * T = period / count, the interval, and tau = burst * T, the tolerance:
 *
 *	tat = max(stored, now)			what is used up lies between now and tat
 *	allowed when tat + T <= now + tau	then tat + T is stored; else nothing
 *	remaining = (now + tau - tat') / T	tat' being what is stored after it
 *	retry after tat + T - tau - now, whole again after tat' - now
 *
 * (I.371's limit is our tau - T: it counts the tolerance beyond the one cell that is due.) No
 * window begins or ends, so nobody gets twice the rate across a border, and nothing has to be
 * swept.
 *
 * All times are whole microseconds, and so small that the doubles of Redis's Lua are exact: a Unix
 * time stays below 2^53 until the year 2255.
 */
#include <assert.h>

#include "limit/limit_internal.h"

#define TOLERANCE_MAX_US (400 * 86400 * 1000000ull) /* 400 days */

/* A rate beyond one a microsecond is taken as that; periods and bursts beyond 400 days are cut,
 * down to a whole number of intervals; that also replaces a product that wrapped. */
struct gcra
gcra_of(const struct limit_rule *rule)
{
	uint64_t burst = rule->burst != 0 ? rule->burst : rule->count;
	struct gcra g;

	assert(rule->count > 0);
	g.interval_us = rule->period_us / rule->count;
	if (g.interval_us == 0)
		g.interval_us = 1;
	if (g.interval_us > TOLERANCE_MAX_US)
		g.interval_us = TOLERANCE_MAX_US;
	g.tolerance_us = burst * g.interval_us;
	if (burst > TOLERANCE_MAX_US / g.interval_us)
		g.tolerance_us = TOLERANCE_MAX_US - TOLERANCE_MAX_US % g.interval_us;
	return g;
}

/* The ceiling now + tau: a clock that was set back, or a limit that was made smaller, locks nobody
 * out for longer than the rule could. */
uint64_t
gcra_tat(struct gcra g, uint64_t stored_us, uint64_t now_us)
{
	if (stored_us < now_us)
		return now_us;
	return stored_us < now_us + g.tolerance_us ? stored_us : now_us + g.tolerance_us;
}

bool
gcra_allows(struct gcra g, uint64_t tat_us, uint64_t now_us)
{
	return tat_us + g.interval_us <= now_us + g.tolerance_us;
}

/* Rounded up: a client that waits that long is not refused for a fraction of a second. */
static unsigned
seconds_ceil(uint64_t us)
{
	return (unsigned)((us + 999999) / 1000000);
}

static void
verdict_refuse(struct limit_verdict *v, const struct limit_rule *rule, struct gcra g, uint64_t tat,
    uint64_t now)
{
	v->allowed = false;
	v->limit = rule->count;
	v->remaining = 0;
	v->reset_s = seconds_ceil(tat - now);
	v->retry_after_s = seconds_ceil(tat + g.interval_us - g.tolerance_us - now);
	v->more_s = v->retry_after_s;
}

/* The request counts already: it is in what remains and in the reset. */
static void
verdict_allow(struct limit_verdict *v, const struct limit_rule *rule, struct gcra g, uint64_t tat,
    uint64_t now)
{
	uint64_t after = tat + g.interval_us, left_us = now + g.tolerance_us - after;

	v->limit = rule->count;
	v->remaining = (unsigned)(left_us / g.interval_us);
	v->reset_s = seconds_ceil(after - now);
	v->more_s = seconds_ceil(g.interval_us - left_us % g.interval_us);
	v->retry_after_s = 0;
}

/* Whether v is the tighter verdict: a refusal before a pass, then the longer wait, then the less
 * remaining. A client that waits as long as the tightest refusal says is refused by no rule. */
static bool
is_tighter(const struct limit_verdict *than, const struct limit_verdict *v, bool first)
{
	if (first || v->allowed != than->allowed)
		return first || !v->allowed;
	if (!v->allowed)
		return v->retry_after_s > than->retry_after_s;
	return v->remaining < than->remaining;
}

/* Decides, charges nothing: the caller stores the new times, of all keys or of none. */
void
gcra_decide(const struct limit_rule *rules, unsigned n, const uint64_t *stored, uint64_t now,
    struct limit_verdict *out)
{
	struct limit_verdict tightest = { .allowed = true, .mode = out->mode };

	for (unsigned i = 0; i < n; i++) {
		struct limit_verdict v = { .allowed = true, .which = i, .mode = out->mode };
		struct gcra g = gcra_of(&rules[i]);
		uint64_t tat = gcra_tat(g, stored[i], now);

		if (gcra_allows(g, tat, now))
			verdict_allow(&v, &rules[i], g, tat, now);
		else
			verdict_refuse(&v, &rules[i], g, tat, now);
		if (is_tighter(&tightest, &v, i == 0))
			tightest = v;
	}
	*out = tightest;
}
