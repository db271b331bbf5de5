/* SPDX-License-Identifier: MIT */
/*
 * run: how many bytes at the front of a text stand for themselves in a JSON string. Nearly all of
 * what a model is asked and answers is such runs, so they are looked at many bytes at a time.
 */
#ifndef TENANTGATE_BASE_RUN_H
#define TENANTGATE_BASE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum run_kind {
	RUN_STRING, /* neither quote, backslash nor below 0x20 */
	RUN_ASCII,  /* of those, 0x20 to 0x7e alone */
};

static inline bool
run_stops(unsigned char c, enum run_kind kind)
{
	return c < 0x20 || c == '"' || c == '\\' || (kind == RUN_ASCII && c >= 0x7f);
}

#ifdef __SSE2__
#define RUN_STEP 16

/* The first byte that stops, of RUN_STEP bytes; RUN_STEP when none does. */
static inline unsigned
run_step(const char *p, enum run_kind kind)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i stop = _mm_cmpeq_epi8(x, _mm_min_epu8(x, _mm_set1_epi8(0x1f)));

	stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
	stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
	if (kind == RUN_ASCII)
		stop = _mm_or_si128(stop, _mm_or_si128(x, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
	/* The bit after the last byte's ends the search. */
	return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(stop) | 1u << RUN_STEP);
}
#else
#define RUN_STEP 8

static inline unsigned
run_step(const char *p, enum run_kind kind)
{
	unsigned n = 0;

	while (n < RUN_STEP && !run_stops((unsigned char)p[n], kind))
		n++;
	return n;
}
#endif

static inline size_t
run_length(const char *p, size_t len, enum run_kind kind)
{
	size_t n = 0;

	for (; len - n >= RUN_STEP; n += RUN_STEP) {
		unsigned step = run_step(p + n, kind);

		if (step < RUN_STEP)
			return n + step;
	}
	while (n < len && !run_stops((unsigned char)p[n], kind))
		n++;
	return n;
}

#endif
