/* SPDX-License-Identifier: MIT */
/*
 * trace_context: reads and writes traceparent: VERSION "-" TRACE "-" PARENT "-" FLAGS, of 2, 32, 16
 * and 2 digits.
 */
#include "tenantgate/base/trace_context.h"

#include <string.h>

#include "tenantgate/base/random.h"

enum { TRACE_AT = 3, PARENT_AT = 36, FLAGS_AT = 53 };

#define CHANCES	    64 /* drawn at once */
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

/* What a trace takes of random numbers. */
struct trace_chance {
	uint64_t id[2], span;
	uint16_t chance;
};

/* Ids are no secrets, so they are drawn for many requests at once: each draw costs more than all
 * else that is done for a trace. */
static void
chance_draw(struct trace_chance *out)
{
	static _Thread_local struct trace_chance pool[CHANCES];
	static _Thread_local unsigned left;

	do {
		if (left == 0) {
			bytes_random(pool, sizeof(pool));
			left = CHANCES;
		}
		*out = pool[--left];
	} while (out->span == 0 || (out->id[0] == 0 && out->id[1] == 0));
}

static char *
put_span_digits(char *out, uint64_t n)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[n >> shift & 15];
	return out;
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
	struct trace_chance drawn;

	chance_draw(&drawn);
	*t = (struct trace_context){ .span = drawn.span, .chance = drawn.chance };
	if (!goes_on) {
		(void)put_span_digits(put_span_digits(t->id, drawn.id[0]), drawn.id[1]);
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
	*put_span_digits(out, span) = '\0';
}

void
trace_line(const struct trace_context *t, uint64_t span, char out[TRACEPARENT_LEN + 1])
{
	memcpy(out, "00-", TRACE_AT);
	memcpy(out + TRACE_AT, t->id, TRACE_ID_LEN);
	out[PARENT_AT - 1] = '-';
	(void)put_span_digits(out + PARENT_AT, span);
	memcpy(out + PARENT_AT + SPAN_ID_LEN, t->is_sampled ? "-01" : "-00", sizeof("-01"));
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
