/* SPDX-License-Identifier: MIT */
/* traced_flow: a flow with two defers and a wait, which traces that it is cancelled. */
#ifndef TENANTGATE_TESTS_TRACED_FLOW_H
#define TENANTGATE_TESTS_TRACED_FLOW_H

#include "flow_fixture.h"

static inline void
trace_cancel(void *arg)
{
	(void)arg;
	trace("c");
}

static inline void
trace_defer(void *arg)
{
	trace(arg);
}

static inline void
trace_release(struct flow *f)
{
	(void)f;
	trace("r");
}

static inline enum flow_rc
step_defers(struct flow *f)
{
	flow_defer(f, trace_defer, "1");
	flow_defer(f, trace_defer, "2");
	return FLOW_NEXT;
}

static inline enum flow_rc
step_waits(struct flow *f)
{
	trace("w");
	return flow_wait(f, trace_cancel, NULL);
}

KIND(waits, trace_release, { "defers", step_defers }, { "wait", step_waits });

#endif
