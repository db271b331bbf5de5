/* SPDX-License-Identifier: MIT */
/*
 * metric: see the header.
 */
#include "tenantgate/base/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tenantgate/base/utf8.h"

#define TOTAL "_total"

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

/* OpenMetrics names a counter's family without _total, and its sample with it. */
static int
family_length(const struct metric_page *page, const char *name, enum metric_type type)
{
	size_t n = strlen(name), end = sizeof(TOTAL) - 1;

	return (int)(page->is_open && type == METRIC_COUNTER && n > end ? n - end : n);
}

void
metric_family(struct metric_page *page, const char *name, enum metric_type type, const char *help)
{
	int n = family_length(page, name, type);

	buf_printf(page->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", n, name, help, n, name,
	    type_names[type]);
}

/* What is no UTF-8 becomes '?'. A control is no trouble to the format, but to whoever reads it. */
static void
put_label_value(struct buf *b, struct slice s)
{
	while (s.len > 0) {
		uint32_t point;
		size_t n = utf8_next(s.p, s.len, &point);

		if (point == UTF8_BAD || point < 0x20 || point == 0x7f)
			buf_putc(b, '?');
		else if (point == '"' || point == '\\')
			buf_printf(b, "\\%c", (int)point);
		else
			buf_add(b, s.p, n);
		s = slice_of(s.p + n, s.len - n);
	}
}

/* An empty label is the same as none (the exposition format). Returns how many were written. */
static unsigned
put_labels(struct buf *b, const struct metric_label *labels, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		if (labels[i].value.len == 0)
			continue;
		buf_printf(b, "%c%s=\"", n++ == 0 ? '{' : ',', labels[i].name);
		put_label_value(b, labels[i].value);
		buf_putc(b, '"');
	}
	return n;
}

/* Counts are whole, up to 2^53. */
static void
put_sample(struct buf *b, double value)
{
	bool is_whole =
	    fabs(value) <= 9007199254740992.0 && value >= floor(value) && value <= floor(value);

	buf_printf(b, is_whole ? " %.0f\n" : " %.9g\n", value);
}

void
metric_sample(struct metric_page *page, const char *name, const struct metric_label *labels,
    unsigned count, double value)
{
	buf_puts(page->out, name);
	if (put_labels(page->out, labels, count) > 0)
		buf_putc(page->out, '}');
	put_sample(page->out, value);
}

static void
put_bucket(struct buf *b, const char *name, const struct metric_label *labels, unsigned count,
    const char *bound, double value)
{
	buf_printf(b, "%s_bucket", name);
	buf_printf(b, "%cle=\"%s\"}", put_labels(b, labels, count) > 0 ? ',' : '{', bound);
	put_sample(b, value);
}

static void
put_total(struct metric_page *page, const char *name, const char *part,
    const struct metric_label *labels, unsigned count, double value)
{
	buf_printf(page->out, "%s_%s", name, part);
	if (put_labels(page->out, labels, count) > 0)
		buf_putc(page->out, '}');
	put_sample(page->out, value);
}

void
metric_histogram(struct metric_page *page, const char *name, const struct metric_label *labels,
    unsigned label_count, const double *bounds, unsigned bound_count, const uint64_t *counts,
    double sum)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < bound_count; i++) {
		char bound[32];

		below += counts[i];
		(void)snprintf(bound, sizeof(bound), "%g", bounds[i]);
		put_bucket(page->out, name, labels, label_count, bound, (double)below);
	}
	below += counts[bound_count];
	put_bucket(page->out, name, labels, label_count, "+Inf", (double)below);
	put_total(page, name, "sum", labels, label_count, sum);
	put_total(page, name, "count", labels, label_count, (double)below);
}

void
metric_end(struct metric_page *page)
{
	if (page->is_open)
		buf_puts(page->out, "# EOF\n");
}

const char *
metric_media_type(const struct metric_page *page)
{
	return page->is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			     : "text/plain; version=0.0.4; charset=utf-8";
}
