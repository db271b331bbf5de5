/* SPDX-License-Identifier: MIT */
/*
 * conn_state: the moves of a connection, as drawn in conn.h, and its end: conn_move() alone moves
 * it, conn_gone() alone ends it. Everything else in this folder that has to do with a connection
 * stands on this file; it calls only conn_time.c (the state's deadline), shared.c and the parser.
 *
 * Nothing is freed here but the socket: a caller further up may still hold the connection. It is
 * freed at the turn's end (conn.c), which conn_call() asks for.
 */
#include "http/conn.h"

#include <assert.h>
#include <unistd.h>

#include <event2/bufferevent.h>

static void
watch_close(struct conn *c)
{
	if (c->watch != NULL)
		event_free(c->watch);
	if (c->watch_fd >= 0)
		close(c->watch_fd);
	c->watch = NULL;
	c->watch_fd = -1;
}

void
conn_resume(struct conn *c)
{
	watch_close(c);
	if (!c->eof && (bufferevent_get_enabled(c->bev) & EV_READ) == 0)
		bufferevent_enable(c->bev, EV_READ);
}

static uint64_t
state_limit(const struct conn *c, enum conn_state to)
{
	const struct http_conf *conf = &c->server->conf;

	switch (to) {
	case CONN_IDLE: /* a fresh connection is expected to speak */
		return c->x.status == 0 ? conf->header_timeout_us : conf->keepalive_timeout_us;
	case CONN_HEAD:
		return conf->header_timeout_us;
	case CONN_DRAIN:
		return conf->body_timeout_us;
	case CONN_LINGER:
		return CONN_LINGER_US;
	default: /* the handler's flow has a deadline of its own; sending has one too */
		return 0;
	}
}

void
conn_move(struct conn *c, enum conn_state to)
{
	assert(c->state != CONN_GONE);
	c->state = to;
	conn_deadline(c, state_limit(c, to));
	if (to != CONN_EXCHANGE)
		conn_resume(c);
}

void
conn_next(struct conn *c)
{
	parse_next(&c->parse);
	if (c->head.cap > CONN_SPARE_MAX)
		buf_free(&c->head);
	buf_free(&c->line);
	buf_free(&c->x.fields);
	c->x.bytes_in = 0;
	conn_move(c, CONN_IDLE);
	conn_call(c);
}

void
conn_finish(struct conn *c, enum conn_ending ending)
{
	c->ending = ending;
	conn_move(c, CONN_FLUSH);
	conn_call(c);
}

void
conn_call(struct conn *c)
{
	if (c->task_posted)
		return;
	c->task_posted = true;
	worker_later(c->server->worker, &c->task, c->turn_ended, c);
}

/* Who works at the answer, or waits to read or write, learns that the client left. The flow ends
 * from the loop, not from here; its http_end() then lets the connection be freed. */
static void
exchange_orphaned(struct http_exchange *x)
{
	struct flow *flow = x->flow, *waiting;

	x->flow = NULL;
	if (flow != NULL)
		flow_abort(flow, ERR_CLIENT_GONE, "The client left.");
	/* Still set when the waiting flow is not the attached one's. */
	waiting = x->reader != NULL ? x->reader : x->writer;
	x->reader = x->writer = NULL;
	if (waiting != NULL)
		flow_wake_fail(waiting, ERR_CLIENT_GONE, "The client left.");
}

void
conn_gone(struct conn *c)
{
	struct http_server *s = c->server;

	if (c->state == CONN_GONE)
		return;
	conn_resume(c);
	c->state = CONN_GONE;
	timer_free(&c->timer);
	bufferevent_free(c->bev);
	c->bev = NULL;
	TAILQ_REMOVE(&s->conns, c, link);
	if (c->counted)
		shared_leave(s->shared, &s->conf, &c->address);
	else
		s->refused_conns--;
	if (c->x.response == RESPONSE_NO_EXCHANGE)
		conn_call(c);
	else
		exchange_orphaned(&c->x);
}
