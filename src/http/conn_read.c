/* SPDX-License-Identifier: MIT */
/*
 * conn_read: what each state does with the bytes that came. They go to the parser as far as the
 * state wants them; the rest stays in libevent's buffer up to a bound, then reading pauses and
 * TCP's window makes the client wait.
 */
#include "http/conn_state.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

/* The handler is called with the header section alone: who may send a body is decided before it is
 * asked for. In a place that is kept for probes one request is answered. */
static void
request_received(struct conn *c)
{
	struct err full = { .code = ERR_NONE };

	if (c->server->stopped) {
		conn_close(c);
	} else if (!conn_request_enter(c, &full)) {
		conn_refuse(c, &full);
	} else {
		response_open(c);
		c->x.close = c->is_spare;
		conn_move(c, CONN_EXCHANGE);
		c->server->handler(&c->x, c->server->arg);
	}
}

/* What follows a malformed header is not read: it could be a request that only we see (request
 * smuggling, RFC 9112 11.2). */
static void
head_received(struct conn *c)
{
	enum parse_event event = conn_feed(c, NULL);

	if (event == PARSE_ERROR) {
		conn_refuse(c, &c->parse.err);
	} else if (event == PARSE_HEAD) {
		request_received(c);
	} else if (c->state == CONN_IDLE && parse_began(&c->parse)) {
		conn_move(c, CONN_HEAD);
	}
}

/* The rest of a body that no handler read, after its response. All of it has body_timeout_us, set
 * when the state was entered: pieces do not put it off. */
static void
drain_received(struct conn *c)
{
	enum parse_event event = conn_feed(c, NULL);

	if (event == PARSE_DONE)
		conn_next(c);
	else if (event == PARSE_ERROR)
		conn_finish(c, END_LINGER);
}

/* While a response is flushed or a client lingered for, input is dropped so that the close sends no
 * reset. */
static void
conn_input_received(struct conn *c)
{
	if (c->state == CONN_PROXY)
		conn_proxy_received(c);
	switch (c->state) {
	case CONN_PROXY:
	case CONN_TLS:
		break;
	case CONN_IDLE:
	case CONN_HEAD:
		head_received(c);
		break;
	case CONN_EXCHANGE:
		body_received(c);
		break;
	case CONN_DRAIN:
		drain_received(c);
		break;
	case CONN_FLUSH:
	case CONN_LINGER:
		evbuffer_drain(conn_input(c), evbuffer_get_length(conn_input(c)));
		break;
	case CONN_CLOSED:
		break;
	}
}

/* A client that has shut its side gets what was answered at once, and is waited for no longer: in
 * the middle of an exchange it is taken to have left, for a crashed client looks the same, and a
 * message that is cut off is incomplete and not answered (RFC 9112 8). A posted task will parse
 * what is left first; it comes back here by conn_readable(). */
static void
conn_half_closed(struct conn *c)
{
	if (c->state == CONN_EXCHANGE)
		conn_close(c);
	else if (c->state == CONN_TLS)
		conn_tls_half_closed(c);
	else if (c->state == CONN_LINGER)
		conn_close(c);
	else if (c->state != CONN_FLUSH && c->state != CONN_CLOSED && !c->task_posted)
		conn_finish(c, END_CLOSE);
}

/* A client that sends requests and reads no responses: its next request waits until it has taken
 * some (bev_written() goes on), or we would buffer without end. */
static bool
conn_output_is_full(struct conn *c)
{
	size_t mark = c->server->conf.write_high_water;

	if (c->state != CONN_IDLE || conn_queued(c) <= mark)
		return false;
	conn_flush(c);
	if (c->state != CONN_CLOSED && conn_queued(c) <= mark)
		return false; /* the kernel has it: bev_written() would never come */
	if (c->state != CONN_CLOSED)
		bufferevent_disable(c->bev, EV_READ);
	return true;
}

/* Input that no state took is what pauses reading: only during an exchange whose handler does not
 * read the body. Whatever was written to c->out on the way is sent at the turn's end. */
void
conn_readable(struct conn *c)
{
	if (conn_output_is_full(c))
		return;
	conn_input_received(c);
	if (c->eof)
		conn_half_closed(c);
	if (c->state == CONN_EXCHANGE && c->x.reader == NULL &&
	    evbuffer_get_length(conn_input(c)) >= CONN_READ_AHEAD)
		conn_pause(c);
	if (c->state != CONN_CLOSED && c->out.len > 0)
		conn_schedule(c);
}

void
conn_eof(struct conn *c)
{
	c->eof = true;
	conn_half_closed(c);
}
