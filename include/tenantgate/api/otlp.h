/* SPDX-License-Identifier: MIT */
/*
 * otlp: gathers spans and sends them to a collector (OpenTelemetry protocol over HTTP, as JSON:
 * https://opentelemetry.io/docs/specs/otlp/), behind the requests that they are of: one exporter a
 * worker, on its thread. What is gathered has a ceiling, and each batch a few tries; what does not
 * fit, or is not taken, is dropped and counted. Without spans nothing runs.
 *
 *	otlp_add() --> [gather] --> [post] --> [judge] --taken, or given up--> [gather] or the end
 *	                              ^           |
 *	                              +-- 429, 502, 503, 504 or no answer: after a back-off
 */
#ifndef TENANTGATE_API_OTLP_H
#define TENANTGATE_API_OTLP_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/loop/meter.h"
#include "tenantgate/wire/web.h"

struct otlp;
struct otlp_conf {
	const char	*url;		/* of a collector, /v1/traces is added; "": no spans */
	unsigned	 sample;	/* new traces of 100 that are sampled */
};

/* Who sends: told with each batch. Borrowed until the close. */
struct otlp_sender {
	const char	*version;	/* of this build */
	const char	*environment;
};

extern const struct meter_family otlp_spans;	/* result: sent, rejected, dropped */

/* NULL: no spans are wanted. conf is copied. */
struct otlp	*otlp_open(struct worker *, struct web *, const struct otlp_conf *,
		    const struct otlp_sender *);
/* When the worker's flows have ended; before its web. NULL is fine, here and below. */
void		 otlp_close(struct otlp *);
/* No batch is tried again from now on: the process ends. */
void		 otlp_hurry(struct otlp *);
/* Whether a new trace is sampled. chance: random, of 16 bits. */
bool		 otlp_samples(const struct otlp *, uint16_t chance);
/* So many spans, as JSON objects between commas; copied. Never fails, nobody waits. */
void		 otlp_add(struct otlp *, struct slice spans, unsigned count);

#endif
