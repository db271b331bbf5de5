/* SPDX-License-Identifier: MIT */
/*
 * flow_stat: one writer, the worker, and readers that take what is there. Every number is an atomic
 * of its own with relaxed order: the writer's increment is a load and a store, no locked
 * instruction, and a slot's address is published once, when the struct behind it is whole.
 */
#include "tenantgate/loop/flow_stat.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "loop/flow_counts.h"
#include "loop/worker_internal.h"
#include "tenantgate/base/alloc.h"

const uint32_t flow_stat_bounds_us[FLOW_STAT_BOUNDS] = { 500, 1000, 2500, 5000, 10000, 25000, 50000,
	100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000 };

struct histogram_counts {
	_Atomic uint64_t counts[FLOW_STAT_BOUNDS + 1];
	_Atomic uint64_t sum_us;
};

struct result_count {
	_Atomic unsigned code;
	_Atomic uint64_t count;
};

struct flow_counts {
	const struct flow_kind *kind; /* borrowed: static */
	uint32_t away; /* a bit for each step in which others are waited for */
	_Atomic uint64_t failed;
	struct result_count results[FLOW_RESULTS_MAX];
	struct histogram_counts total;
	struct histogram_counts own;
	struct histogram_counts steps[FLOW_STEPS_MAX];
};

static void
counter_add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

static uint64_t
counter_read(const _Atomic uint64_t *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static void
histogram_observe(struct histogram_counts *h, uint64_t us)
{
	unsigned i = 0;

	while (i < FLOW_STAT_BOUNDS && us > flow_stat_bounds_us[i])
		i++;
	counter_add(&h->counts[i], 1);
	counter_add(&h->sum_us, us);
}

/* Structs are aligned to 16 bytes or more, so the low bits say nothing. */
static size_t
slot_of(const struct flow_kind *kind)
{
	return (size_t)(((uintptr_t)kind >> 4) * 0x9e3779b97f4a7c15u >> 40) % FLOW_KINDS_MAX;
}

static bool
step_is_away(const char *step, const char *const *away)
{
	while (*away != NULL && strcmp(*away, step) != 0)
		away++;
	return *away != NULL;
}

static uint32_t
away_steps(const struct flow_kind *kind, const char *const *away)
{
	uint32_t steps = 0;

	for (unsigned i = 0; away != NULL && kind->steps[i].name != NULL; i++)
		if (step_is_away(kind->steps[i].name, away))
			steps |= UINT32_C(1) << i;
	return steps;
}

static struct flow_counts *
counts_of(struct flow_kinds *kinds, const struct flow_kind *kind)
{
	size_t first = slot_of(kind);

	for (size_t i = 0; i < FLOW_KINDS_MAX; i++) {
		struct flow_counts *_Atomic *slot = &kinds->slots[(first + i) % FLOW_KINDS_MAX];
		struct flow_counts *c = atomic_load_explicit(slot, memory_order_relaxed);

		if (c != NULL && c->kind == kind)
			return c;
		if (c != NULL)
			continue;
		c = xcalloc(1, sizeof(*c));
		c->kind = kind;
		c->away = away_steps(kind, kinds->away);
		atomic_store_explicit(slot, c, memory_order_release);
		return c;
	}
	return NULL;
}

/* One that finds no place is not counted: a handler has fewer statuses than there are places. */
static void
result_add(struct flow_counts *c, unsigned code)
{
	for (unsigned i = 0; i < FLOW_RESULTS_MAX; i++) {
		struct result_count *r = &c->results[i];
		unsigned there = atomic_load_explicit(&r->code, memory_order_relaxed);

		if (there != 0 && there != code)
			continue;
		counter_add(&r->count, 1);
		atomic_store_explicit(&r->code, code, memory_order_relaxed);
		return;
	}
}

void
flow_counts_add(struct flow_kinds *kinds, const struct flow *f, uint64_t now_us)
{
	struct flow_counts *c = counts_of(kinds, f->kind);
	uint64_t total_us = now_us - f->began_us, away_us = 0;
	uint32_t ran = f->steps_ran;

	if (c == NULL)
		return;
	histogram_observe(&c->total, total_us);
	if (err_is(&f->err))
		counter_add(&c->failed, 1);
	if (f->result != 0)
		result_add(c, f->result);
	for (unsigned i = 0; ran != 0; i++, ran >>= 1) {
		if ((ran & 1) == 0)
			continue;
		histogram_observe(&c->steps[i], f->step_us[i]);
		if ((c->away >> i & 1) != 0)
			away_us += f->step_us[i];
	}
	histogram_observe(&c->own, total_us > away_us ? total_us - away_us : 0);
}

void
flow_kinds_free(struct flow_kinds *kinds)
{
	for (size_t i = 0; i < FLOW_KINDS_MAX; i++)
		free(atomic_load_explicit(&kinds->slots[i], memory_order_relaxed));
}

static void
histogram_read(struct flow_histogram *out, const struct histogram_counts *h)
{
	for (unsigned i = 0; i <= FLOW_STAT_BOUNDS; i++)
		out->counts[i] = counter_read(&h->counts[i]);
	out->sum_us = counter_read(&h->sum_us);
}

void
flow_stats_away(struct worker *w, const char *const *names)
{
	worker_run_queue(w)->kinds.away = names;
}

void
flow_stats_each(const struct worker *w, flow_stat_fn *fn, void *arg)
{
	const struct flow_kinds *kinds = worker_flow_kinds(w);

	for (size_t i = 0; i < FLOW_KINDS_MAX; i++) {
		const struct flow_counts *c =
		    atomic_load_explicit(&kinds->slots[i], memory_order_acquire);
		struct flow_stat stat;

		if (c == NULL)
			continue;
		stat.kind = c->kind;
		stat.failed = counter_read(&c->failed);
		for (unsigned r = 0; r < FLOW_RESULTS_MAX; r++)
			stat.results[r] = (struct flow_result){
				.code =
				    atomic_load_explicit(&c->results[r].code, memory_order_relaxed),
				.count = counter_read(&c->results[r].count),
			};
		histogram_read(&stat.total, &c->total);
		histogram_read(&stat.own, &c->own);
		for (unsigned s = 0; s < FLOW_STEPS_MAX; s++)
			histogram_read(&stat.steps[s], &c->steps[s]);
		fn(&stat, arg);
	}
}

uint64_t
flow_histogram_count(const struct flow_histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= FLOW_STAT_BOUNDS; i++)
		n += h->counts[i];
	return n;
}

double
flow_histogram_quantile(const struct flow_histogram *h, double q)
{
	double rank = q * (double)flow_histogram_count(h), below = 0;

	for (unsigned i = 0; i < FLOW_STAT_BOUNDS; i++) {
		double from = i > 0 ? flow_stat_bounds_us[i - 1] : 0, in = (double)h->counts[i];

		if (in > 0 && below + in >= rank)
			return from + (flow_stat_bounds_us[i] - from) * (rank - below) / in;
		below += in;
	}
	return rank > 0 ? flow_stat_bounds_us[FLOW_STAT_BOUNDS - 1] : 0;
}

void
flow_histogram_add(struct flow_histogram *sum, const struct flow_histogram *h)
{
	for (unsigned i = 0; i <= FLOW_STAT_BOUNDS; i++)
		sum->counts[i] += h->counts[i];
	sum->sum_us += h->sum_us;
}
