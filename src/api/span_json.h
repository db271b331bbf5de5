/* SPDX-License-Identifier: MIT */
/*
 * span_json: one span as OTLP's JSON, in its words: ids are hexadecimal, 64-bit numbers strings,
 * enumerations numbers. Pure.
 */
#ifndef API_SPAN_JSON_H
#define API_SPAN_JSON_H

#include "tenantgate/base/buf.h"
#include "tenantgate/base/trace_context.h"

enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER = 2, SPAN_CLIENT = 3 };

struct span {
	const struct trace_context *trace; /* borrowed */
	uint64_t	 id;
	const char	*parent;	/* in digits; "": none */
	bool		 is_remote;	/* the parent is another process's */
	struct slice	 name;
	enum span_kind	 kind;
	uint64_t	 begin_us;	/* wall clock */
	uint64_t	 end_us;
};

/* Up to its attributes; then those; then the end. error: of the span's own kind; NULL: none. */
void	span_begin(struct buf *, const struct span *);
/* An empty one is left out. */
void	span_put_text(struct buf *, const char *key, struct slice value);
void	span_put_number(struct buf *, const char *key, uint64_t value);
void	span_end(struct buf *, const struct span *, const char *error);

#endif
