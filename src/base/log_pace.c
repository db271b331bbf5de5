/* SPDX-License-Identifier: MIT */
/* log_pace.c: one time, that of the next line; who moves it on writes the line. */
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

bool
log_pace_admit(struct log_pace *p, uint64_t every_us)
{
	uint64_t now = clock_mono_us();
	uint64_t next = atomic_load(&p->next_us);

	return now >= next && atomic_compare_exchange_strong(&p->next_us, &next, now + every_us);
}
