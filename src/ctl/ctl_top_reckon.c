/* SPDX-License-Identifier: MIT */
/*
 * ctl_top_reckon: see ctl_top.h.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl_top.h"

#define BUCKETS_MAX 64

static double
number(const json_t *object, const char *member)
{
	return json_number_value(json_object_get(object, member));
}

/* The element of a list whose member of that name is the same as this one's; NULL. */
static const json_t *
same_in(const json_t *list, const json_t *element, const char *member)
{
	const char *wanted = json_string_value(json_object_get(element, member));
	size_t i;
	json_t *other;

	json_array_foreach((json_t *)list, i, other) {
		const char *name = json_string_value(json_object_get(other, member));

		if (name != NULL && wanted != NULL && strcmp(name, wanted) == 0)
			return other;
	}
	return NULL;
}

/* Evenly inside a bucket; what is beyond the last bound is told as that. */
static double
quantile(const double *counts, unsigned n, const json_t *bounds, double q)
{
	double all = 0, below = 0, from = 0;

	for (unsigned i = 0; i < n; i++)
		all += counts[i];
	if (all <= 0)
		return NAN;
	for (unsigned i = 0; i < n; i++) {
		double to = i < json_array_size(bounds)
		    ? json_number_value(json_array_get(bounds, i))
		    : from;

		if (counts[i] > 0 && below + counts[i] >= q * all)
			return from + (to - from) * (q * all - below) / counts[i];
		below += counts[i];
		from = to;
	}
	return from;
}

/* Of two histograms of the same thing; before may be NULL. */
static void
row_reckon(struct top_row *r, const json_t *before, const json_t *now, const json_t *bounds,
    double over_s)
{
	const json_t *buckets = json_object_get(now, "buckets");
	const json_t *earlier = json_object_get(before, "buckets");
	double counts[BUCKETS_MAX];
	unsigned n = (unsigned)json_array_size(buckets);

	n = n < BUCKETS_MAX ? n : BUCKETS_MAX;
	for (unsigned i = 0; i < n; i++)
		counts[i] = json_number_value(json_array_get(buckets, i)) -
		    json_number_value(json_array_get(earlier, i));
	r->rate = (number(now, "count") - number(before, "count")) / over_s;
	r->failed = (number(now, "failed") - number(before, "failed")) / over_s;
	r->busy = (number(now, "sumSeconds") - number(before, "sumSeconds")) / over_s;
	r->p50 = quantile(counts, n, bounds, 0.5);
	r->p95 = quantile(counts, n, bounds, 0.95);
	r->p99 = quantile(counts, n, bounds, 0.99);
}

static struct top_row *
top_row_add(struct top_row **rows, unsigned *count)
{
	struct top_row *more = realloc(*rows, (*count + 1) * sizeof(**rows));

	if (more == NULL)
		return NULL;
	*rows = more;
	more[*count] = (struct top_row){ 0 };
	return &more[(*count)++];
}

static void
reckon_steps(struct top_table *t, const json_t *before, const json_t *now, const json_t *bounds,
    double over_s)
{
	const char *kind = json_string_value(json_object_get(now, "kind"));
	size_t i;
	json_t *step;

	json_array_foreach(json_object_get(now, "steps"), i, step) {
		const char *name = json_string_value(json_object_get(step, "step"));
		struct top_row *r = top_row_add(&t->steps, &t->step_count);
		char text[2 * TOP_NAME_MAX];

		if (r == NULL)
			return;
		(void)snprintf(text, sizeof(text), "%.60s %.60s", kind != NULL ? kind : "?",
		    name != NULL ? name : "?");
		err_text_copy(r->name, sizeof(r->name), text);
		row_reckon(r, same_in(json_object_get(before, "steps"), step, "step"), step, bounds,
		    over_s);
	}
}

static void
reckon_kinds(struct top_table *t, const json_t *before, const json_t *now, double over_s)
{
	const json_t *bounds = json_object_get(now, "boundsSeconds");
	size_t i;
	json_t *kind;

	json_array_foreach(json_object_get(now, "flows"), i, kind) {
		const json_t *earlier = same_in(json_object_get(before, "flows"), kind, "kind");
		const char *name = json_string_value(json_object_get(kind, "kind"));
		struct top_row *r = top_row_add(&t->kinds, &t->kind_count);

		if (r == NULL)
			return;
		err_text_copy(r->name, sizeof(r->name), name != NULL ? name : "?");
		row_reckon(r, earlier, kind, bounds, over_s);
		r->is_request = json_is_true(json_object_get(kind, "isRequest"));
		reckon_steps(t, earlier, kind, bounds, over_s);
	}
}

/* Who has come into the list meanwhile brought the count of another with it: its `error`. */
static void
reckon_tenants(struct top_table *t, const json_t *before, const json_t *now, double over_s)
{
	size_t i;
	json_t *tenant;

	json_array_foreach(json_object_get(now, "tenants"), i, tenant) {
		const json_t *earlier =
		    same_in(json_object_get(before, "tenants"), tenant, "tenant");
		const char *name = json_string_value(json_object_get(tenant, "tenant"));
		struct top_row *r = top_row_add(&t->tenants, &t->tenant_count);

		if (r == NULL)
			return;
		err_text_copy(r->name, sizeof(r->name), name != NULL ? name : "?");
		row_reckon(r, earlier, tenant, NULL, over_s);
		if (earlier == NULL)
			r->rate -= number(tenant, "error") / over_s;
		if (r->failed < 0 || r->busy < 0) /* it was gone and has come again */
			r->failed = r->busy = 0;
	}
}

double
ctl_top_reckon(struct top_table *t, const json_t *before, const json_t *now)
{
	double over_s = number(now, "clockSeconds") - number(before, "clockSeconds");

	for (size_t i = 0; i < json_array_size(json_object_get(now, "flows")); i++) {
		const json_t *kind = json_array_get(json_object_get(now, "flows"), i);
		const json_t *earlier = same_in(json_object_get(before, "flows"), kind, "kind");

		if (number(kind, "count") < number(earlier, "count"))
			over_s = -1; /* it has started anew */
	}
	if (over_s < 0) {
		over_s = number(now, "clockSeconds");
		before = NULL;
	}
	over_s = over_s > 0.001 ? over_s : 0.001;
	reckon_kinds(t, before, now, over_s);
	reckon_tenants(t, before, now, over_s);
	return over_s;
}

void
ctl_top_free(struct top_table *t)
{
	free(t->kinds);
	free(t->steps);
	free(t->tenants);
}
