/* SPDX-License-Identifier: MIT */
/*
 * conn: what comes in. Bytes go to the parser as far as the state wants them; what it does not
 * want stays with libevent up to a bound, then reading pauses.
 */
#include "http/conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

/* The handler is called by the header alone: who may send a body is decided before it is asked
 * for. What follows a malformed header is not read (RFC 9112 11.2). */
static void
head_received(struct conn *c)
{
	enum parse_event event = conn_feed(c, NULL);

	if (event == PARSE_ERROR) {
		conn_refuse(c, &c->parse.err);
	} else if (event == PARSE_HEAD) {
		response_open(c);
		conn_move(c, CONN_EXCHANGE);
		c->server->handler(&c->x, c->server->arg);
	} else if (c->state == CONN_IDLE && parse_began(&c->parse)) {
		conn_move(c, CONN_HEAD);
	}
}

/* What of an unread body the client still sends, after its answer; in the time for one piece. */
static void
rest_received(struct conn *c)
{
	enum parse_event event = conn_feed(c, NULL);

	if (event == PARSE_DONE)
		conn_next(c);
	else if (event == PARSE_ERROR)
		conn_finish(c, END_LINGER);
}

static void
conn_take(struct conn *c)
{
	switch (c->state) {
	case CONN_IDLE:
	case CONN_HEAD:
		head_received(c);
		break;
	case CONN_EXCHANGE:
		body_received(c);
		break;
	case CONN_DRAIN:
		rest_received(c);
		break;
	case CONN_FLUSH:
	case CONN_LINGER:
		evbuffer_drain(conn_input(c), evbuffer_get_length(conn_input(c)));
		break;
	case CONN_GONE:
		break;
	}
}

/* A client that has shut its side is answered what is ready at once, and waited for no longer: a
 * message cut off by it is incomplete, and is not answered (RFC 9112 8). */
static void
conn_half_shut(struct conn *c)
{
	if (c->state == CONN_EXCHANGE)
		conn_gone(c);
	else if (c->state == CONN_LINGER)
		conn_gone(c);
	else if (c->state != CONN_FLUSH && c->state != CONN_GONE && !c->task_posted)
		conn_finish(c, END_TIDY);
}

/* A client that asks and does not listen: its next request waits until it has taken answers. */
static bool
conn_backlog_is_full(struct conn *c)
{
	if (c->state != CONN_IDLE || conn_queued(c) <= c->server->conf.write_high_water)
		return false;
	bufferevent_disable(c->bev, EV_READ);
	conn_flush(c);
	return true;
}

void
conn_readable(struct conn *c)
{
	if (conn_backlog_is_full(c))
		return;
	conn_take(c);
	if (c->eof)
		conn_half_shut(c);
	if (c->state == CONN_EXCHANGE && c->x.reader == NULL &&
	    evbuffer_get_length(conn_input(c)) >= CONN_READ_AHEAD)
		conn_pause(c);
	if (c->state != CONN_GONE && c->out.len > 0)
		conn_call(c);
}

void
conn_client_shut(struct conn *c)
{
	c->eof = true;
	conn_half_shut(c);
}
