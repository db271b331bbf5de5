/* SPDX-License-Identifier: MIT */
/*
 * server_timing: how long a response took to begin, by step, for its client
 * (https://www.w3.org/TR/server-timing/): names of steps are tokens, times are milliseconds. What
 * the steps after the head take is in the access log alone.
 */
#include "http/conn_state.h"

#include "tenantgate/base/clock.h"

#define FIELD_MAX 2048

/* Of the step that runs, the time so far too. */
static unsigned long long
step_time_us(const struct flow *f, unsigned step, uint64_t now_us)
{
	bool is_running = step == f->step && f->state != FLOW_ENDED;

	return f->step_us[step] + (is_running ? now_us - f->step_began_us : 0);
}

void
server_timing_put(struct conn *c)
{
	const struct flow *f = c->x.timed;
	uint64_t now_us = clock_mono_us();
	struct buf b;

	if (f == NULL)
		return;
	buf_init(&b, FIELD_MAX);
	buf_puts(&b, "Server-Timing: ");
	for (unsigned i = 0; i < FLOW_STEPS_MAX && f->kind->steps[i].name != NULL; i++) {
		unsigned long long us = step_time_us(f, i, now_us);

		if ((f->steps_ran >> i & 1) != 0)
			buf_printf(&b, "%s;dur=%llu.%03llu, ", f->kind->steps[i].name, us / 1000,
			    us % 1000);
	}
	buf_printf(&b, "total;dur=%llu.%03llu\r\n",
	    (unsigned long long)(now_us - f->began_us) / 1000,
	    (unsigned long long)(now_us - f->began_us) % 1000);
	if (!b.failed)
		conn_write(c, b.data, b.len);
	buf_free(&b);
}

void
http_set_timing(struct http_exchange *x, const struct flow *f)
{
	x->timed = f;
}
