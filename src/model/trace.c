/* SPDX-License-Identifier: MIT */
/*
 * trace: reads and writes traceparent, VERSION "-" TRACE "-" PARENT "-" FLAGS, of 2, 32, 16 and 2
 * digits.
 */
#include "model/trace.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tenantgate/base/random.h"

enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53, TRACEPARENT_LEN = 55 };

/* Lower case alone is allowed (section 3.2.2). */
static bool
digits_valid(struct slice s, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return true;
}

static bool
all_zeros(struct slice s, size_t at, size_t n)
{
	for (size_t i = at; i < at + n; i++)
		if (s.p[i] != '0')
			return false;
	return true;
}

/* Of a version that is not known yet the first four fields are read, and what follows is passed
 * over (section 3.2.4); ff is forbidden. */
static bool
traceparent_valid(struct slice s)
{
	if (s.len < TRACEPARENT_LEN || !digits_valid(s, 0, 2) || slice_starts(s, "ff"))
		return false;
	if (s.len > TRACEPARENT_LEN && (slice_starts(s, "00") || s.p[TRACEPARENT_LEN] != '-'))
		return false;
	return s.p[TRACE_AT - 1] == '-' && s.p[PARENT_AT - 1] == '-' && s.p[FLAGS_AT - 1] == '-' &&
	    digits_valid(s, TRACE_AT, 32) && digits_valid(s, PARENT_AT, 16) &&
	    digits_valid(s, FLAGS_AT, 2) && !all_zeros(s, TRACE_AT, 32) &&
	    !all_zeros(s, PARENT_AT, 16);
}

void
trace_read(struct slice traceparent, struct trace *t)
{
	memset(t, 0, sizeof(*t));
	if (!traceparent_valid(traceparent))
		return;
	memcpy(t->id, traceparent.p + TRACE_AT, sizeof(t->id) - 1);
	memcpy(t->flags, traceparent.p + FLAGS_AT, sizeof(t->flags) - 1);
}

bool
trace_write(const struct trace *t, char line[TRACE_LINE_MAX])
{
	uint64_t span = 0;

	if (t->id[0] == '\0')
		return false;
	while (span == 0)
		bytes_random(&span, sizeof(span));
	snprintf(line, TRACE_LINE_MAX, "traceparent: 00-%s-%016llx-%s", t->id,
	    (unsigned long long)span, t->flags);
	return true;
}
