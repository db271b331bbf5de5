/* SPDX-License-Identifier: MIT */
/*
 * fuzz_check: what each fuzz target shares: its entry, and the check that stops it. libFuzzer and
 * tests/fuzz/replay.c both take an abort() for a finding.
 */
#ifndef TESTS_FUZZ_CHECK_H
#define TESTS_FUZZ_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static inline void
fuzz_check(bool holds)
{
	if (!holds)
		abort();
}

#endif
