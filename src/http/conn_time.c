/* SPDX-License-Identifier: MIT */
/*
 * conn: the clock of a connection. Two deadlines (the state's, and that of a client that takes
 * nothing) share one timer, which is not moved when a deadline moves away: it fires early, looks,
 * and is started again. So a byte, a piece of a body or a token costs no timer.
 */
#include "http/conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "tenantgate/base/clock.h"

static void
timer_arm(struct conn *c, uint64_t now)
{
	uint64_t due = c->deadline;

	if (c->state == CONN_GONE)
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
	timer_arm(c, now);
}

static uint64_t
taken_total(struct conn *c)
{
	return c->sent_total - evbuffer_get_length(bufferevent_get_output(c->bev));
}

void
conn_sending(struct conn *c)
{
	uint64_t now;

	if (c->send_deadline != 0)
		return;
	now = clock_mono_us();
	c->send_deadline = now + c->server->conf.send_timeout_us;
	c->sent_mark = taken_total(c);
	timer_arm(c, now);
}

/* False when the client has taken nothing since the last look. */
static bool
send_looked_at(struct conn *c, uint64_t now)
{
	uint64_t taken = taken_total(c);

	if (taken == c->sent_total) {
		c->send_deadline = 0;
		return true;
	}
	if (taken == c->sent_mark)
		return false;
	c->sent_mark = taken;
	c->send_deadline = now + c->server->conf.send_timeout_us;
	return true;
}

static void
conn_late(struct conn *c)
{
	struct err late = { .code = ERR_NONE };

	c->deadline = 0;
	if (c->state == CONN_HEAD) {
		err_set(&late, ERR_REQUEST_TIMEOUT, "The header section did not come in time.");
		conn_refuse(c, &late);
	} else if (c->state == CONN_EXCHANGE) {
		body_late(c);
	} else if (c->state == CONN_IDLE && conn_queued(c) > 0) {
		/* Still taking its last answer; the sending has a deadline of its own. */
		conn_deadline(c, c->server->conf.keepalive_timeout_us);
	} else {
		conn_gone(c);
	}
}

static void
timer_fired(void *arg)
{
	struct conn *c = arg;
	uint64_t now = clock_mono_us();

	if (c->send_deadline != 0 && now >= c->send_deadline && !send_looked_at(c, now)) {
		conn_gone(c);
		return;
	}
	if (c->deadline != 0 && now >= c->deadline)
		conn_late(c);
	if (c->state != CONN_GONE)
		timer_arm(c, now);
}

bool
conn_timer_init(struct conn *c)
{
	return timer_init(&c->timer, c->server->worker, timer_fired, c);
}
