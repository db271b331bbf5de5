/* SPDX-License-Identifier: MIT */
/*
 * trace_context: which trace a request is part of, and which of its spans it is (W3C Trace Context,
 * https://www.w3.org/TR/trace-context/, section 3). The caller's trace is gone on with; what is not
 * well-formed is no trace, and a new one is begun (3.2.2.5). Each step of a request has a span of
 * its own, whose id follows from the request's. Pure but for the random numbers; any thread.
 */
#ifndef TENANTGATE_BASE_TRACE_CONTEXT_H
#define TENANTGATE_BASE_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"

#define TRACE_ID_LEN	32
#define SPAN_ID_LEN	16
#define TRACEPARENT_LEN	55	/* bytes of a line of version 00 */
#define TRACESTATE_MAX	512	/* bytes that go on */

struct trace_context {
	char		id[TRACE_ID_LEN + 1];		/* lower-case hexadecimal digits */
	char		parent[SPAN_ID_LEN + 1];	/* the caller's span; "": none */
	uint64_t	span;				/* the request's; never 0 */
	bool		is_sampled;			/* as the caller said; a new one: false */
	uint16_t	chance;				/* random: for who samples new ones */
};

/* traceparent: the header's value; p NULL: none. False: the trace is new. */
bool		trace_context_begin(struct trace_context *, struct slice traceparent);
/* The id of the request's step of that number. Never 0, and never the request's. */
uint64_t	trace_step_span(const struct trace_context *, unsigned step);
/* The value of the header for whoever is asked in that span. */
void		trace_line(const struct trace_context *, uint64_t span,
		    char out[TRACEPARENT_LEN + 1]);
void		trace_span_write(uint64_t span, char out[SPAN_ID_LEN + 1]);
/* As much of a tracestate as goes on: whole entries, from the front. */
struct slice	trace_state_cut(struct slice tracestate);

#endif
