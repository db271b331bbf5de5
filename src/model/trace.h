/* SPDX-License-Identifier: MIT */
/*
 * trace: the caller's trace goes on to the model (W3C Trace Context, https://www.w3.org/TR/
 * trace-context/, section 3.2: the traceparent header). Each request to a model is a span of its
 * own: its id is new, the trace's id and flags are the caller's. Without a caller's none is begun.
 * Pure. Private to model/.
 */
#ifndef TENANTGATE_MODEL_TRACE_H
#define TENANTGATE_MODEL_TRACE_H

#include "tenantgate/base/slice.h"

struct trace {
	char id[32 + 1]; /* hexadecimal digits; "": there is none */
	char flags[2 + 1];
};

#define TRACE_LINE_MAX 80 /* bytes of the line, with its NUL */

/* What is not well-formed is none: the header must then be ignored (section 3.2.2.5). */
void trace_read(struct slice traceparent, struct trace *);
/* "traceparent: 00-ID-SPAN-FLAGS" with a span's id that is new each time; false: no trace. */
bool trace_write(const struct trace *, char line[TRACE_LINE_MAX]);

#endif
