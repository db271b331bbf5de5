/* SPDX-License-Identifier: MIT */
/*
 * limit_gcra: the generic cell rate algorithm (ITU-T I.371). A key stores its theoretical arrival
 * time: when it will be whole again. One more moves it on by the interval, and is let through
 * unless that runs further ahead of now than the tolerance (burst * interval).
 *
 * All of it in whole microseconds, and so small that the doubles of Redis's Lua are exact.
 */
#include <assert.h>

#include "limit/limit_internal.h"

#define TOLERANCE_MAX_US (400 * 86400 * 1000000ull)

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

/* The ceiling: a clock set back, or a limit made smaller, locks nobody out past the new limit. */
uint64_t
gcra_tat(struct gcra g, uint64_t stored_us, uint64_t now_us)
{
	if (stored_us < now_us)
		return now_us;
	return stored_us < now_us + g.tolerance_us ? stored_us : now_us + g.tolerance_us;
}

bool
gcra_lets(struct gcra g, uint64_t tat_us, uint64_t now_us)
{
	return tat_us + g.interval_us <= now_us + g.tolerance_us;
}

static unsigned
seconds_up(uint64_t us)
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
	v->reset_s = seconds_up(tat - now);
	v->retry_after_s = seconds_up(tat + g.interval_us - g.tolerance_us - now);
}

static void
verdict_allow(struct limit_verdict *v, const struct limit_rule *rule, struct gcra g, uint64_t tat,
    uint64_t now)
{
	uint64_t after = tat + g.interval_us;

	v->limit = rule->count;
	v->remaining = (unsigned)((now + g.tolerance_us - after) / g.interval_us);
	v->reset_s = seconds_up(after - now);
	v->retry_after_s = 0;
}

/* Whether ask i says more about the visit than what was found so far: a refusal more than a pass,
 * a longer wait more than a short one, less left more than much. */
static bool
is_tighter(const struct limit_verdict *than, const struct limit_verdict *v, bool first)
{
	if (first || v->allowed != than->allowed)
		return first || !v->allowed;
	if (!v->allowed)
		return v->retry_after_s > than->retry_after_s;
	return v->remaining < than->remaining;
}

void
gcra_decide(const struct limit_rule *rules, unsigned n, const uint64_t *stored, uint64_t now,
    struct limit_verdict *out)
{
	struct limit_verdict tightest = { .allowed = true, .mode = out->mode };

	for (unsigned i = 0; i < n; i++) {
		struct limit_verdict v = { .allowed = true, .which = i, .mode = out->mode };
		struct gcra g = gcra_of(&rules[i]);
		uint64_t tat = gcra_tat(g, stored[i], now);

		if (gcra_lets(g, tat, now))
			verdict_allow(&v, &rules[i], g, tat, now);
		else
			verdict_refuse(&v, &rules[i], g, tat, now);
		if (is_tighter(&tightest, &v, i == 0))
			tightest = v;
	}
	*out = tightest;
}
