/* SPDX-License-Identifier: MIT */
/*
 * trace_context: reads and writes traceparent: VERSION "-" TRACE "-" PARENT "-" FLAGS, of 2, 32, 16
 * and 2 digits.
 */
#include "tenantgate/base/trace_context.h"

#include <stdio.h>
#include <string.h>

#include "tenantgate/base/random.h"

enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53 };

#define ENTRIES_MAX 32 /* of a tracestate (section 3.3.1.1) */

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
	if (s.p == NULL || s.len < TRACEPARENT_LEN || !digits_valid(s, 0, 2) ||
	    slice_starts(s, "ff"))
		return false;
	if (s.len > TRACEPARENT_LEN && (slice_starts(s, "00") || s.p[TRACEPARENT_LEN] != '-'))
		return false;
	return s.p[TRACE_AT - 1] == '-' && s.p[PARENT_AT - 1] == '-' && s.p[FLAGS_AT - 1] == '-' &&
	    digits_valid(s, TRACE_AT, TRACE_ID_LEN) && digits_valid(s, PARENT_AT, SPAN_ID_LEN) &&
	    digits_valid(s, FLAGS_AT, 2) && !all_zeros(s, TRACE_AT, TRACE_ID_LEN) &&
	    !all_zeros(s, PARENT_AT, SPAN_ID_LEN);
}

static void
trace_new(struct trace_context *t)
{
	uint64_t id[2] = { 0, 0 };

	while (id[0] == 0 && id[1] == 0)
		bytes_random(id, sizeof(id));
	(void)snprintf(t->id, sizeof(t->id), "%016llx%016llx", (unsigned long long)id[0],
	    (unsigned long long)id[1]);
}

/* The lowest bit of the flags is "sampled" (section 3.2.2.5); the last digit is enough of them. */
static bool
flags_sampled(char digit)
{
	int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;

	return (value & 1) != 0;
}

bool
trace_context_begin(struct trace_context *t, struct slice traceparent)
{
	bool goes_on = traceparent_valid(traceparent);

	memset(t, 0, sizeof(*t));
	while (t->span == 0)
		bytes_random(&t->span, sizeof(t->span));
	bytes_random(&t->chance, sizeof(t->chance));
	if (!goes_on) {
		trace_new(t);
		return false;
	}
	memcpy(t->id, traceparent.p + TRACE_AT, TRACE_ID_LEN);
	memcpy(t->parent, traceparent.p + PARENT_AT, SPAN_ID_LEN);
	t->is_sampled = flags_sampled(traceparent.p[FLAGS_AT + 1]);
	return true;
}

/* Steps are few, so that no two requests' ids meet more easily than by chance. */
uint64_t
trace_step_span(const struct trace_context *t, unsigned step)
{
	uint64_t span = t->span ^ (uint64_t)(step + 1);

	return span != 0 ? span : ~UINT64_C(0);
}

void
trace_span_write(uint64_t span, char out[SPAN_ID_LEN + 1])
{
	(void)snprintf(out, SPAN_ID_LEN + 1, "%016llx", (unsigned long long)span);
}

void
trace_line(const struct trace_context *t, uint64_t span, char out[TRACEPARENT_LEN + 1])
{
	(void)snprintf(out, TRACEPARENT_LEN + 1, "00-%s-%016llx-%s", t->id,
	    (unsigned long long)span, t->is_sampled ? "01" : "00");
}

struct slice
trace_state_cut(struct slice s)
{
	size_t whole = 0, entries = 0;

	for (size_t i = 0; i <= s.len && i <= TRACESTATE_MAX && entries < ENTRIES_MAX; i++)
		if (i == s.len || s.p[i] == ',') {
			whole = i;
			entries++;
		}
	return slice_of(s.p, whole);
}
