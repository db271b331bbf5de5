/* SPDX-License-Identifier: MIT */
/*
 * fuzz_trace_context: a traceparent, and behind its first LF a tracestate. What is gone on with is
 * the caller's own trace, what is sent on is well formed and reads back as the same, and of a
 * tracestate whole entries go on.
 *
 * sources: src/base/trace_context.c src/base/random.c
 * libs: -lcrypto
 */
#include <string.h>

#include "tenantgate/base/trace_context.h"
#include "tests/fuzz/fuzz_check.h"

static void
id_is_valid(const char *id, size_t n)
{
	fuzz_check(strlen(id) == n && strspn(id, "0123456789abcdef") == n && strspn(id, "0") < n);
}

static void
check_traceparent(struct slice in)
{
	struct trace_context t, again;
	char line[TRACEPARENT_LEN + 1], span[SPAN_ID_LEN + 1];
	bool goes_on = trace_context_begin(&t, in);

	id_is_valid(t.id, TRACE_ID_LEN);
	fuzz_check(t.span != 0);
	fuzz_check(goes_on == (t.parent[0] != '\0') && (goes_on || !t.is_sampled));
	if (goes_on) {
		id_is_valid(t.parent, SPAN_ID_LEN);
		fuzz_check(in.len >= TRACEPARENT_LEN && memcmp(in.p + 3, t.id, TRACE_ID_LEN) == 0 &&
		    memcmp(in.p + 36, t.parent, SPAN_ID_LEN) == 0);
	}
	for (unsigned step = 0; step < 3; step++) {
		uint64_t id = trace_step_span(&t, step);

		fuzz_check(id != 0 && id != t.span);
		trace_line(&t, id, line);
		trace_span_write(id, span);
		fuzz_check(strlen(line) == TRACEPARENT_LEN);
		fuzz_check(trace_context_begin(&again, slice_str(line)));
		fuzz_check(strcmp(again.id, t.id) == 0 && strcmp(again.parent, span) == 0 &&
		    again.is_sampled == t.is_sampled);
	}
}

static void
check_tracestate(struct slice in)
{
	struct slice cut = trace_state_cut(in);

	fuzz_check(cut.len <= TRACESTATE_MAX && cut.len <= in.len);
	fuzz_check(cut.len == 0 || cut.p == in.p);
	fuzz_check(cut.len == in.len || cut.len == 0 || in.p[cut.len] == ',');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *p = (const char *)bytes;
	const char *end = n == 0 ? NULL : memchr(p, '\n', n);
	size_t first = end == NULL ? n : (size_t)(end - p);

	check_traceparent(slice_of(p, first));
	if (end != NULL)
		check_tracestate(slice_of(end + 1, n - first - 1));
	return 0;
}
