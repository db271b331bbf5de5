/* SPDX-License-Identifier: MIT */
/*
 * share_view: who has what of a budget, for operators.
 */
#include <string.h>

#include "loop/share_queue.h"

/* On share_holders()'s stack. */
struct holders_view {
	struct share_hold *out;
	unsigned max, count;
};

static bool
hold_before(const struct share_hold *a, const struct share_hold *b)
{
	return a->held > b->held || (a->held == b->held && a->waiting > b->waiting);
}

/* A map_each_fn. Keeps the first of them in order; one that has no room any more is left out. */
static bool
hold_insert(struct slice name, void *value, void *arg)
{
	const struct share_holder *holder = value;
	struct holders_view *v = arg;
	struct share_hold hold = { .held = holder->place.held, .waiting = holder->waiting };
	unsigned i = v->count;

	memcpy(hold.name, name.p, name.len < SHARE_HOLDER_MAX ? name.len : SHARE_HOLDER_MAX);
	while (i > 0 && hold_before(&hold, &v->out[i - 1])) {
		if (i < v->max)
			v->out[i] = v->out[i - 1];
		i--;
	}
	if (i < v->max) {
		v->out[i] = hold;
		v->count += v->count < v->max;
	}
	return true;
}

unsigned
share_holders(struct share_budget *s, struct share_hold *out, unsigned max)
{
	struct holders_view v = { .out = out, .max = max };

	pthread_mutex_lock(&s->lock);
	map_each(s->holders, hold_insert, &v);
	pthread_mutex_unlock(&s->lock);
	return v.count;
}
