/* SPDX-License-Identifier: MIT */
/* tale: flows with two defers and a wait that tells when it is cancelled. */
#ifndef TENANTGATE_TESTS_TALE_H
#define TENANTGATE_TESTS_TALE_H

#include "teller.h"

static inline void
cancel_tells(void *arg)
{
	(void)arg;
	tell("c");
}

static inline void
defer_tells(void *arg)
{
	tell(arg);
}

static inline void
release_tells(struct flow *f)
{
	(void)f;
	tell("r");
}

static inline enum flow_rc
step_defers(struct flow *f)
{
	flow_defer(f, defer_tells, "1");
	flow_defer(f, defer_tells, "2");
	return FLOW_NEXT;
}

static inline enum flow_rc
step_waits(struct flow *f)
{
	tell("w");
	return flow_wait(f, cancel_tells, NULL);
}

KIND(waits, { "defers", step_defers }, { "wait", step_waits });

#endif
