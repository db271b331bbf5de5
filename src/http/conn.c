/* SPDX-License-Identifier: MIT */
/*
 * conn: opens and frees a connection, and receives its events: libevent has read or written, the
 * timer has fired, the turn of the loop is over. Calls go one way, down this list:
 *
 *	server.c
 *	conn.c				opening, callbacks
 *	conn_read.c			what each state does with input
 *	conn_refuse.c	body.c		responses without a handler; the body's reader
 *	response.c	conn_watch.c	the handler's responses; a client that left
 *	conn_write.c	conn_input.c	bytes out; bytes through the parser
 *	conn_state.c			the moves and the end
 *	conn_time.c	shared.c	deadlines; the process's counts
 *
 * and conn_client.c, whose a connection and its requests are, beside conn_read.c.
 *
 * Any call down may close the connection. It is never freed under its caller: turn_ended() alone
 * frees it, from a task at the loop's safe point.
 */
#include "http/conn_state.h"

#include <sys/socket.h>

#include <assert.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/wire/tls_session.h"

static void
bev_read(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;

	(void)bev;
	if (c->tls != NULL || c->handshake != NULL)
		conn_tls_received(c);
	else
		conn_readable(c);
}

/* Called when the kernel has taken so much that libevent's queue is at or below its low watermark,
 * half of write_high_water. Three may wait for that: the handler's writer, the next request
 * (conn_output_is_full), and the end of the connection. */
static void
bev_written(struct bufferevent *bev, void *arg)
{
	struct conn *c = arg;
	struct flow *writer = c->x.writer;

	if (writer != NULL && conn_queued(c) <= c->server->conf.write_high_water) {
		c->x.writer = NULL;
		flow_wake(writer);
	}
	if (c->state == CONN_IDLE && (bufferevent_get_enabled(bev) & EV_READ) == 0) {
		conn_move(c, CONN_IDLE); /* reads again, what was read ahead first */
		conn_schedule(c);
	}
	if (c->state == CONN_FLUSH && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		conn_schedule(c);
}

/* EOF is only the client's side (a half-close); an error, such as a reset, ends both. */
static void
bev_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & BEV_EVENT_ERROR)
		conn_close(arg);
	else if (what & BEV_EVENT_EOF)
		conn_eof(arg);
}

/* A header section that is late is answered 408 (RFC 9110 15.5.9), and so is a body that a handler
 * waits for; an idle connection may be closed without a response (RFC 9112 9.5). */
static void
conn_timed_out(struct conn *c)
{
	struct err late = { .code = ERR_NONE };

	c->deadline = 0;
	if (c->state == CONN_HEAD) {
		err_set(&late, ERR_REQUEST_TIMEOUT,
		    "The header section did not arrive in time; send the request again.");
		conn_refuse(c, &late);
	} else if (c->state == CONN_EXCHANGE) {
		body_timed_out(c);
	} else if (c->state == CONN_IDLE && c->server->draining) {
		conn_finish(c, END_CLOSE);
	} else if (c->state == CONN_IDLE && conn_queued(c) > 0) {
		/* Still taking its last response; sending has a deadline of its own. */
		conn_deadline(c, c->server->conf.keepalive_timeout_us);
	} else if (c->state == CONN_IDLE && c->tls != NULL) {
		conn_finish(c, END_CLOSE); /* with close_notify */
	} else if (c->state == CONN_TLS) {
		conn_tls_late(c);
	} else {
		conn_close(c);
	}
}

/* The timer may be early: a deadline that moved away has not moved it (conn_time.c). */
static void
conn_timer_on_event(void *arg)
{
	struct conn *c = arg;
	uint64_t now = clock_mono_us();

	if (conn_send_stalled(c, now)) {
		conn_close(c);
		return;
	}
	if (c->deadline != 0 && now >= c->deadline)
		conn_timed_out(c);
	if (c->state != CONN_CLOSED)
		conn_timer_arm(c, now);
}

/*
 * All is sent: [flush] --> [linger] or [closed]. A close with bytes of the client unread makes the
 * kernel send a reset, which may destroy the response before it is read; so our side is shut first
 * and what still comes is dropped for a while (RFC 9112 9.6). A body that ends with the connection
 * is ended by a reset when it is cut, or a part would pass for the whole (RFC 9112 8).
 */
static void
conn_flushed(struct conn *c)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	int fd = bufferevent_getfd(c->bev);

	if (c->ending == END_LINGER && !c->eof && shutdown(fd, SHUT_WR) == 0) {
		conn_move(c, CONN_LINGER);
		return;
	}
	if (c->ending == END_RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	conn_close(c);
}

/* The socket, the timer and the place in the counts went with conn_close(). */
static void
conn_free(struct conn *c)
{
	assert(c->state == CONN_CLOSED && c->x.response == RESPONSE_NO_EXCHANGE && !c->task_posted);
	buf_free(&c->x.fields);
	buf_free(&c->out);
	buf_free(&c->head);
	buf_free(&c->line);
	tls_session_free(c->tls);
	free(c);
}

/* Pipelined requests (RFC 9112 9.3.2) that are answered at once: their responses are sent together,
 * by one send(2) after the last. */
static bool
pipeline_continues(struct conn *c)
{
	return c->state == CONN_IDLE && c->task_posted && evbuffer_get_length(conn_input(c)) > 0;
}

/*
 * conn_schedule()'s task, outside of every callback. In this order: a closed connection is freed
 * and not touched again; input is parsed, which may write; what was written is sent; what may end
 * once all is sent, ends. An open exchange keeps a closed connection: its http_end() comes here.
 */
static void
turn_ended(void *arg)
{
	struct conn *c = arg;

	c->task_posted = false;
	if (c->state == CONN_CLOSED) {
		if (c->x.response == RESPONSE_NO_EXCHANGE)
			conn_free(c);
		return;
	}
	if (c->state == CONN_IDLE || c->state == CONN_DRAIN)
		conn_readable(c);
	if (c->state != CONN_CLOSED && !pipeline_continues(c))
		conn_flush(c);
	if (c->state == CONN_FLUSH)
		conn_tls_finish(c);
	if (c->state == CONN_FLUSH && conn_queued(c) == 0)
		conn_flushed(c);
}

/* IPv4 is kept in its IPv6-mapped form (RFC 4291 2.5.5.2), so that a client counts the same through
 * a dual-stack listener, and is written as IPv4. */
static void
conn_address(struct conn *c, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

		c->address.s6_addr[10] = c->address.s6_addr[11] = 0xff;
		memcpy(&c->address.s6_addr[12], &in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		c->address = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	}
	address_write(&c->address, c->remote);
}

/* One allocation a connection, the parser's table of fields at its end. A client can cause this, so
 * without memory it is NULL, not the end of the process. */
static struct conn *
conn_new(struct http_server *s)
{
	struct conn *c =
	    calloc(1, sizeof(*c) + s->conf.header_count_max * sizeof(c->parse_fields[0]));
	struct parse_limits limits = { .head_bytes = s->conf.header_bytes_max,
		.target = s->conf.target_max,
		.fields = s->conf.header_count_max,
		.hostless = s->conf.is_probe };

	if (c == NULL)
		return NULL;
	c->server = s;
	c->state = CONN_IDLE;
	c->watch_fd = -1;
	c->turn_ended = turn_ended;
	buf_init(&c->x.fields, HTTP_FIELDS_MAX);
	buf_init(&c->out, SIZE_MAX);
	buf_init(&c->head, limits.head_bytes);
	buf_init(&c->line, PARSE_TRAILERS_MAX);
	parse_init(&c->parse, &limits, &c->head, &c->line, c->parse_fields);
	if (!timer_init(&c->timer, s->worker, conn_timer_on_event, c)) {
		free(c);
		return NULL;
	}
	return c;
}

/*
 * TCP_NODELAY: a turn's output leaves in one send(2), Nagle would only delay the last segment.
 * TCP_NOTSENT_LOWAT: without it the kernel takes megabytes for a slow client, and the high-water
 * mark, by which producers are paused, would be reached too late.
 */
static bool
conn_set_up(struct conn *c, int fd)
{
	struct http_server *s = c->server;
	int on = 1, unsent = CONN_UNSENT_MAX;

	c->bev = bufferevent_socket_new(worker_base(s->worker), fd,
	    BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (c->bev == NULL)
		return false;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	bufferevent_setcb(c->bev, bev_read, bev_written, bev_event, c);
	bufferevent_setwatermark(c->bev, EV_WRITE, s->conf.write_high_water / 2, 0);
	return bufferevent_enable(c->bev, EV_READ | EV_WRITE) == 0;
}

/* The connection has no place: it is sent a 503, which a client understands; a flood of them is
 * closed without, for even that costs a descriptor and a buffer each. */
static void
conn_turn_away(struct conn *c)
{
	struct err full = { .code = ERR_NONE };

	conn_full_error(&full);
	if (c->server->refused_conns > CONN_REFUSED_MAX)
		conn_close(c);
	else
		conn_refuse(c, &full);
}

/* Its place in all, then that by its address; a PROXY header tells the address later. */
static bool
conn_enter(struct conn *c)
{
	struct http_server *s = c->server;
	enum conn_place place = shared_enter(s->shared, &s->conf);

	if (place != SHARED_FULL && !s->conf.proxy_protocol && !conn_address_enter(c)) {
		shared_leave(s->shared);
		place = SHARED_FULL;
	}
	c->is_spare = place == SHARED_SPARE;
	c->counted = place != SHARED_FULL;
	if (!c->counted)
		s->refused_conns++;
	return c->counted;
}

/* A connection that comes while all are to go has no more time than the others. */
void
conn_begin(struct conn *c)
{
	uint64_t us = c->server->conf.keepalive_min_timeout_us;

	if (c->server->tls != NULL && c->tls == NULL) {
		conn_tls_begin(c);
	} else if (c->is_refused) {
		conn_turn_away(c);
	} else {
		conn_move(c, CONN_IDLE);
		if (c->server->draining && c->tls != NULL)
			conn_deadline(c, us == 0 ? 1 : us);
	}
}

/* Who has no place is told so at once, as far as that costs nothing but words: behind a PROXY
 * header, or after a handshake of one of a flood, it would cost more. */
static bool
conn_may_begin(const struct conn *c)
{
	const struct http_server *s = c->server;

	if (!c->is_refused || s->tls == NULL)
		return true;
	return !s->conf.proxy_protocol && s->refused_conns <= CONN_REFUSED_MAX;
}

bool
conn_open(struct http_server *s, int fd, const struct sockaddr *sa)
{
	struct conn *c = conn_new(s);

	if (c == NULL)
		return false;
	if (!conn_set_up(c, fd)) {
		if (c->bev != NULL) {
			bufferevent_setfd(c->bev, -1); /* the caller's to close */
			bufferevent_free(c->bev);
		}
		timer_free(&c->timer);
		free(c);
		return false;
	}
	conn_address(c, sa);
	TAILQ_INSERT_TAIL(&s->conns, c, link);
	c->is_refused = !conn_enter(c);
	if (!conn_may_begin(c) ||
	    (!c->is_refused && s->conf.proxy_protocol && !conn_proxy_may_speak(c)))
		conn_close(c);
	else if (!c->is_refused && s->conf.proxy_protocol)
		conn_move(c, CONN_PROXY);
	else
		conn_begin(c);
	return true;
}
