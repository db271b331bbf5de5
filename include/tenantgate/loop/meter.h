/* SPDX-License-Identifier: MIT */
/*
 * meter: counters and histograms with labels. Each worker has its own of each series, which it
 * alone writes, without a lock; whoever writes the page of metrics adds up those of all workers.
 * A family is a static struct in the room that counts; its series are made when they are first
 * counted, METER_SERIES_MAX of a family on a worker at most: whatever comes after these is counted
 * with "other" in each label. So labels that a client could choose cost bounded memory.
 */
#ifndef TENANTGATE_LOOP_METER_H
#define TENANTGATE_LOOP_METER_H

#include "tenantgate/base/metric.h"
#include "tenantgate/loop/worker.h"

#define METER_LABELS_MAX 4
#define METER_BOUNDS_MAX 16
#define METER_VALUE_MAX	 63	/* bytes of a label's value; the rest is cut */
#define METER_SERIES_MAX 48	/* of a family, on a worker */

struct meter_family {
	const char		*name;		/* "tenantgate_requests_total" */
	const char		*help;		/* a sentence */
	enum metric_type	 type;		/* METRIC_COUNTER or METRIC_HISTOGRAM */
	const char		*labels[METER_LABELS_MAX + 1];	/* names, NULL-ended */
	const double		*bounds;	/* of the buckets, rising; static */
	unsigned		 bound_count;	/* METER_BOUNDS_MAX at most */
	/* Of a counter with one label all values that it may have, NULL-ended: these are on the
	 * page from the start, at 0, for a rate does not see a series' first value. NULL: as they
	 * come. */
	const char		*const *values;
};

/* One set of labels of a family, on one worker. Good for as long as the worker. */
struct meter_series;

/* On the worker's thread, as the next three. values: as many as the family has labels; copied. Of a
 * label that is empty nothing is told. */
struct meter_series	*meter_series(struct worker *, const struct meter_family *,
			    const struct slice *values);
/* Adds to a counter; a value into a histogram. */
void	meter_count(struct meter_series *, double n);
/* Both in one. */
void	meter_add(struct worker *, const struct meter_family *, const struct slice *values,
	    double n);

/* What a series has: sum is a counter's value too. Each bucket has those of its own range alone. */
struct meter_reading {
	char		values[METER_LABELS_MAX][METER_VALUE_MAX + 1];
	uint64_t	counts[METER_BOUNDS_MAX + 1];
	double		sum;
};
/* Any thread, while the worker lives: adds its series of the family to those that are there (of
 * which the unused are zeroed), *count of `max`; returns false when one found no place. */
bool	meter_gather(const struct worker *, const struct meter_family *, struct meter_reading *,
	    unsigned *count, unsigned max);

#endif
