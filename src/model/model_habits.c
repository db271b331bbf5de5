/* SPDX-License-Identifier: MIT */
/*
 * model_habits: see the header.
 */
#include "model/model_habits.h"

#include <stdlib.h>
#include <string.h>

#include "model/model_refusal.h"

void
model_habits_init(struct model_habits *h)
{
	memset(h, 0, sizeof(*h));
	if (pthread_mutex_init(&h->lock, NULL) != 0)
		abort();
}

void
model_habits_free(struct model_habits *h)
{
	pthread_mutex_destroy(&h->lock);
}

/* Under the lock. NULL when it is not there, and cannot be added. */
static struct model_habit *
habit_find(struct model_habits *h, const char *model, bool add)
{
	size_t size = strlen(model) + 1;

	for (unsigned i = 0; i < h->count; i++)
		if (strcmp(h->models[i].name, model) == 0)
			return &h->models[i];
	if (!add || h->count == HABIT_MODELS_MAX || size > HABIT_NAME_MAX)
		return NULL;
	memcpy(h->models[h->count].name, model, size);
	return &h->models[h->count++];
}

void
model_habits_of(struct model_habits *h, const char *model, struct model_habit *out)
{
	const struct model_habit *found;

	memset(out, 0, sizeof(*out));
	pthread_mutex_lock(&h->lock);
	found = habit_find(h, model, false);
	if (found != NULL)
		*out = *found;
	else if (h->count == HABIT_MODELS_MAX || strlen(model) >= HABIT_NAME_MAX)
		out->taken = ~0u;
	pthread_mutex_unlock(&h->lock);
}

unsigned
model_habits_learn(struct model_habits *h, const char *model, unsigned taken, unsigned without)
{
	struct model_habit *habit;
	unsigned new = 0;

	pthread_mutex_lock(&h->lock);
	habit = habit_find(h, model, true);
	if (habit != NULL) {
		new = without & ~habit->without;
		habit->without |= without;
		habit->taken |= taken;
	}
	pthread_mutex_unlock(&h->lock);
	return new;
}

void
model_habits_batch_taken(struct model_habits *h, const char *model, size_t items, size_t bytes)
{
	struct model_habit *habit;

	pthread_mutex_lock(&h->lock);
	habit = habit_find(h, model, true);
	if (habit != NULL) {
		if (items > habit->items_taken)
			habit->items_taken = items;
		if (bytes > habit->bytes_taken)
			habit->bytes_taken = bytes;
	}
	pthread_mutex_unlock(&h->lock);
}

/* True when the limit sank: to n, but never below what was once taken. */
static bool
limit_sink(size_t *limit, size_t n, size_t taken)
{
	if (n == 0)
		return false;
	if (n < taken)
		n = taken;
	if (*limit != 0 && *limit <= n)
		return false;
	*limit = n;
	return true;
}

bool
model_habits_learn_batch(struct model_habits *h, const char *model, size_t items, size_t bytes)
{
	struct model_habit *habit;
	bool sank = false;

	pthread_mutex_lock(&h->lock);
	habit = habit_find(h, model, true);
	if (habit != NULL) {
		sank |= limit_sink(&habit->items, items, habit->items_taken);
		sank |= limit_sink(&habit->bytes, bytes, habit->bytes_taken);
	}
	pthread_mutex_unlock(&h->lock);
	return sank;
}

void
trial_begin(struct model_trial *t, const struct model_habit *habit, unsigned fields,
    unsigned unsure)
{
	memset(t, 0, sizeof(*t));
	t->fields = fields;
	t->unsure = unsure;
	t->taken = habit->taken;
	t->without = fields & habit->without;
}

/* The next field alone, in their order; when each was tried, all of them at once. The one limit on
 * a client's answer is not a thing to guess about. False when nothing is left. */
static bool
trial_blindly(struct model_trial *t)
{
	unsigned kept = t->without & ~t->blind;
	unsigned may = t->fields & ~kept & ~t->taken & ~FIELD_BIT(FIELD_MAX_TOKENS);
	unsigned left = may & ~t->blind_tried;

	if (left != 0)
		t->blind = left & -left; /* its lowest bit */
	else if ((may & (may - 1)) != 0 && may != t->blind)
		t->blind = may; /* which are several */
	else
		return false;
	t->blind_tried |= t->blind;
	t->without = kept | t->blind;
	return true;
}

void
trial_unguess(struct model_trial *t)
{
	t->without &= ~t->blind;
	t->blind = 0;
}

void
trial_guess_anew(struct model_trial *t)
{
	trial_unguess(t);
	t->blind_tried = 0;
}

bool
trial_next(struct model_trial *t, const struct model_refusal *r)
{
	unsigned left = t->fields & ~(t->without & ~t->blind);

	if (r->is_other || t->refusals == TRIALS_MAX)
		return false;
	t->refusals++;
	if (((r->named | r->echoed) & left) != 0) {
		trial_unguess(t);
		t->named |= r->named & left;
		t->echoed |= r->echoed & left & ~t->named;
		t->without |= t->named | t->echoed;
		return true;
	}
	/* It names what the try did not have: no guess will mend that. */
	return (r->named | r->echoed) == 0 && trial_blindly(t);
}

unsigned
trial_proved(const struct model_trial *t)
{
	return (t->named | t->blind) & ~t->unsure;
}
