/* SPDX-License-Identifier: MIT */
/*
 * conn_state: the moves of a connection, as drawn in conn_state.h, and its end: conn_move() alone
 * moves it, conn_close() alone ends it. The other files of a connection call this one; it calls
 * only conn_time.c (the state's deadline), conn_client.c and shared.c (its place in the counts) and
 * the parser.
 *
 * Nothing is freed here but the socket and the timer: a caller further up may still hold the
 * connection. It is freed at the turn's end (conn.c), which conn_schedule() asks for.
 */
#include "http/conn_state.h"

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

/* How long the state may last, us; 0: no limit of its own. */
static uint64_t
state_limit(const struct conn *c, enum conn_state to)
{
	const struct http_conf *conf = &c->server->conf;

	if (c->is_spare && to != CONN_EXCHANGE && to < CONN_DRAIN &&
	    conf->header_timeout_us > CONN_SPARE_US)
		return CONN_SPARE_US;
	switch (to) {
	case CONN_PROXY:
		return conf->header_timeout_us;
	case CONN_TLS:
		return conf->tls_handshake_timeout_us;
	case CONN_IDLE: /* a fresh connection (no status yet) is expected to send its request */
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

/* Every move but that into an exchange turns reading on. In an exchange it pauses once enough is
 * read ahead (conn_readable), until the handler reads the body. */
void
conn_move(struct conn *c, enum conn_state to)
{
	assert(c->state != CONN_CLOSED);
	c->state = to;
	conn_deadline(c, state_limit(c, to));
	if (to != CONN_EXCHANGE)
		conn_resume(c);
}

/* Large buffers are not kept: thousands of idle connections would each hold the memory of their
 * largest request. The task parses what was read ahead of the next one. */
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
	conn_schedule(c);
}

void
conn_finish(struct conn *c, enum conn_ending ending)
{
	c->ending = ending;
	conn_move(c, CONN_FLUSH);
	conn_schedule(c);
}

void
conn_schedule(struct conn *c)
{
	if (c->task_posted)
		return;
	c->task_posted = true;
	worker_later(c->server->worker, &c->task, c->turn_ended, c);
}

/* The attached flow, and whichever waits to read or write, are ended with ERR_CLIENT_GONE. A flow
 * ends from the loop, not from here; its http_end() then lets the connection be freed. */
static void
exchange_abort(struct http_exchange *x)
{
	struct flow *flow = x->flow, *waiting;

	x->flow = NULL;
	if (flow != NULL)
		flow_abort(flow, ERR_CLIENT_GONE, CONN_CLIENT_LEFT);
	/* The abort cancelled the attached flow's own wait; another flow's is still set. */
	waiting = x->reader != NULL ? x->reader : x->writer;
	x->reader = x->writer = NULL;
	if (waiting != NULL)
		flow_wake_fail(waiting, ERR_CLIENT_GONE, CONN_CLIENT_LEFT);
}

/* The watch goes first, for that needs the bufferevent. The place in the counts is free at once,
 * not when the exchange's flows have ended: what is counted is sockets. */
void
conn_close(struct conn *c)
{
	struct http_server *s = c->server;

	if (c->state == CONN_CLOSED)
		return;
	conn_resume(c);
	conn_handshake_leave(c);
	c->state = CONN_CLOSED;
	timer_free(&c->timer);
	bufferevent_free(c->bev);
	c->bev = NULL;
	TAILQ_REMOVE(&s->conns, c, link);
	conn_address_leave(c);
	if (c->counted)
		shared_leave(s->shared);
	else
		s->refused_conns--;
	if (c->x.response == RESPONSE_NO_EXCHANGE)
		conn_schedule(c);
	else
		exchange_abort(&c->x);
}
