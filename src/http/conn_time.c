/* SPDX-License-Identifier: MIT */
/*
 * conn_time: the deadlines of a connection. Two of them (the state's, and that of a client that
 * takes nothing) share one timer, which is not moved when a deadline moves away: it fires early,
 * checks, and is started again. So a byte, a piece of a body or a token costs no timer call. What a
 * passed deadline means is decided where the timer fires, in conn.c. Monotonic microseconds.
 */
#include "http/conn_state.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "tenantgate/base/clock.h"

void
conn_timer_arm(struct conn *c, uint64_t now)
{
	uint64_t due = c->deadline;

	if (c->state == CONN_CLOSED)
		return;
	if (due == 0 || (c->send_deadline != 0 && c->send_deadline < due))
		due = c->send_deadline;
	if (due == 0 || (c->timer.set && c->timer_due <= due))
		return;
	c->timer_due = due;
	timer_start(&c->timer, due > now ? due - now : 0);
}

void
conn_deadline(struct conn *c, uint64_t us)
{
	uint64_t now = clock_mono_us();

	c->deadline = us == 0 ? 0 : now + us;
	conn_timer_arm(c, now);
}

/* Bytes of sent_total that the kernel has taken. With TCP_NOTSENT_LOWAT it takes more only as the
 * client does, so this grows while the client reads. */
static uint64_t
taken_total(struct conn *c)
{
	return c->sent_total - evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* Starts the clock of sending, when it is not running. */
void
conn_sending(struct conn *c)
{
	uint64_t now;

	if (c->send_deadline != 0)
		return;
	now = clock_mono_us();
	c->send_deadline = now + c->server->conf.send_timeout_us;
	c->sent_mark = taken_total(c);
	conn_timer_arm(c, now);
}

/* Any byte taken since the last check gives another send_timeout_us: a slow client is served, one
 * that stopped reading is not. */
bool
conn_send_stalled(struct conn *c, uint64_t now)
{
	uint64_t taken;

	if (c->send_deadline == 0 || now < c->send_deadline)
		return false;
	taken = taken_total(c);
	if (taken == c->sent_total) {
		c->send_deadline = 0;
		return false;
	}
	if (taken == c->sent_mark)
		return true;
	c->sent_mark = taken;
	c->send_deadline = now + c->server->conf.send_timeout_us;
	return false;
}
