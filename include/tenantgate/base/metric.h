/* SPDX-License-Identifier: MIT */
/*
 * metric: a page of metrics in Prometheus' text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/), or in OpenMetrics 1.0's, which
 * differs in how a counter's family is named and in its last line. A family first, then its
 * samples. Whatever a label holds, the page can be read. Any thread, one page on one at a time.
 */
#ifndef TENANTGATE_BASE_METRIC_H
#define TENANTGATE_BASE_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_page {
	struct buf	*out;		/* borrowed */
	bool		 is_open;	/* OpenMetrics */
};

struct metric_label {
	const char	*name;
	struct slice	 value;
};

/* name: a counter's ends in _total. help: a sentence. */
void	metric_family(struct metric_page *, const char *name, enum metric_type, const char *help);
void	metric_sample(struct metric_page *, const char *name, const struct metric_label *,
	    unsigned labels, double value);
/* counts: of each bucket alone, one more than there are bounds (in the family's unit, rising). */
void	metric_histogram(struct metric_page *, const char *name, const struct metric_label *,
	    unsigned labels, const double *bounds, unsigned bound_count, const uint64_t *counts,
	    double sum);
void	metric_end(struct metric_page *);
/* For Content-Type. */
const char	*metric_media_type(const struct metric_page *);

#endif
