/* SPDX-License-Identifier: MIT */
/*
 * flow_stat: how many flows of each kind have ended on a worker, and how long they and their steps
 * took, as histograms: what operators look at, and metrics are made of. The engine counts, at each
 * flow's end, in memory that only the worker writes, without a lock; any thread may read it.
 */
#ifndef TENANTGATE_LOOP_FLOW_STAT_H
#define TENANTGATE_LOOP_FLOW_STAT_H

#include "tenantgate/loop/flow.h"

/* The upper bounds of the buckets, in microseconds; the last bucket has none. */
#define FLOW_STAT_BOUNDS	16
extern const uint32_t flow_stat_bounds_us[FLOW_STAT_BOUNDS];

/* Each bucket has those of its own range alone. */
struct flow_histogram {
	uint64_t	counts[FLOW_STAT_BOUNDS + 1];
	uint64_t	sum_us;
};

/* How many flows of a kind ended with which result (struct flow); code 0: the place is unused. */
#define FLOW_RESULTS_MAX	24
struct flow_result {
	unsigned	code;
	uint64_t	count;
};

struct flow_stat {
	const struct flow_kind	*kind;
	uint64_t		 failed;	/* ended with an error; the rest did not */
	struct flow_result	 results[FLOW_RESULTS_MAX];	/* those that have one */
	struct flow_histogram	 total;		/* from start to end */
	struct flow_histogram	 own;		/* that, less the steps of flow_stats_away() */
	struct flow_histogram	 steps[FLOW_STEPS_MAX];	/* of those that ran, waits included */
};

/* On the worker's thread, before its first flow: the names of steps in which a flow waits for
 * others (a model, a database, the client), NULL-ended, static. What is left of a flow is its
 * own. */
void	flow_stats_away(struct worker *, const char *const *names);

/* Any thread, while the worker lives. Kinds of which none has ended are left out. What is counted
 * meanwhile may be in one histogram and not yet in another. */
typedef void flow_stat_fn(const struct flow_stat *, void *arg);
void	flow_stats_each(const struct worker *, flow_stat_fn *, void *arg);

uint64_t	flow_histogram_count(const struct flow_histogram *);
/* Below which so much of all (0 to 1) is, in microseconds, as Prometheus reckons it: evenly inside
 * a bucket; the last bound where it is beyond that. 0 when there is none. */
double		flow_histogram_quantile(const struct flow_histogram *, double q);
void		flow_histogram_add(struct flow_histogram *, const struct flow_histogram *);

#endif
