/* SPDX-License-Identifier: MIT */
/*
 * run: how many bytes at the front of a text stand for themselves in a JSON string. Nearly all text
 * that goes to a model and comes from it consists of such runs, so with SSE2 (every x86-64 has it)
 * sixteen bytes are looked at in one step. Any thread.
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
	RUN_STRING, /* no quote, no backslash, nothing below 0x20 (RFC 8259 section 7) */
	RUN_ASCII,  /* of those, only 0x20 to 0x7e */
};

static inline bool
run_stops(unsigned char c, enum run_kind kind)
{
	return c < 0x20 || c == '"' || c == '\\' || (kind == RUN_ASCII && c >= 0x7f);
}

#ifdef __SSE2__
#define RUN_STEP 16

/* The index of the first byte that ends a run, of RUN_STEP bytes; RUN_STEP when none does. */
static inline unsigned
run_step(const char *p, enum run_kind kind)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* SSE2 has no unsigned comparison: x <= 0x1f is min(x, 0x1f) == x. */
	__m128i stop = _mm_cmpeq_epi8(x, _mm_min_epu8(x, _mm_set1_epi8(0x1f)));

	stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
	stop = _mm_or_si128(stop, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
	/* The mask is made of the bytes' top bits, so or-ing x itself stops at all from 0x80 on. */
	if (kind == RUN_ASCII)
		stop = _mm_or_si128(stop, _mm_or_si128(x, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
	/* A seventeenth bit, for ctz of 0 is undefined. */
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

/* Reads nothing past len: the last bytes are looked at one by one. */
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
