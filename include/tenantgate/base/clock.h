/* SPDX-License-Identifier: MIT */
/*
 * clock: monotonic time, for waits and durations, and wall time, for what is shown or shared with
 * another machine (it may jump). Tests can put both ahead. Microseconds. Any thread.
 */
#ifndef TENANTGATE_BASE_CLOCK_H
#define TENANTGATE_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"

uint64_t	clock_mono_us(void);
uint64_t	clock_wall_us(void);		/* since 1970, UTC */
/* What the calling thread has computed, ever. A system call; tests do not put it ahead. */
uint64_t	clock_thread_cpu_us(void);

/* "2026-11-23T05:06:07.123Z"; out holds at least CLOCK_ISO_SIZE bytes. */
#define CLOCK_ISO_SIZE	32
void		clock_iso(uint64_t wall_us, char *out);
/* The reverse, of any form and zone of RFC 3339, 5.6: microseconds since 1970; 0: it is none. A
 * leap second is the second after it. */
uint64_t	clock_iso_read(struct slice);

/* Tests only: both clocks run `us` further ahead of the true ones from now on. */
void		clock_test_advance(uint64_t us);
/* Tests only: from now on both stand still but for clock_test_advance(); or run again, from what
 * the true ones say. */
void		clock_test_freeze(bool);

#endif
