/* SPDX-License-Identifier: MIT */
/*
 * conn: a connection's life, as drawn in conn.h: opened, moved from state to state, ended and
 * freed.
 */
#include "http/conn.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "tenantgate/base/random.h"

#define REFUSAL_ID 20 /* characters of its request id */

static void
bev_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	conn_readable(arg);
}

/* Called whenever the queue has sunk to half the high water, and when it is empty. */
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
		conn_move(c, CONN_IDLE); /* it reads again, with what was read ahead first */
		conn_call(c);
	}
	if (c->state == CONN_FLUSH && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		conn_call(c);
}

static void
bev_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & BEV_EVENT_ERROR)
		conn_gone(arg);
	else if (what & BEV_EVENT_EOF)
		conn_ended(arg);
}

struct evbuffer *
conn_input(struct conn *c)
{
	return bufferevent_get_input(c->bev);
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
	default: /* the story has a deadline of its own; sending has one too */
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

/* All is sent: [flush] --> [linger] or [gone]. */
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
	conn_gone(c);
}

static void
conn_free(struct conn *c)
{
	assert(c->state == CONN_GONE && c->x.answer == ANSWER_NOBODY && !c->letter_posted);
	buf_free(&c->x.fields);
	buf_free(&c->out);
	buf_free(&c->head);
	buf_free(&c->line);
	free(c);
}

/* Pipelined requests that are answered at once: their answers leave together. */
static bool
more_waits(struct conn *c)
{
	return c->state == CONN_IDLE && c->letter_posted && evbuffer_get_length(conn_input(c)) > 0;
}

static void
conn_letter(void *arg)
{
	struct conn *c = arg;

	c->letter_posted = false;
	if (c->state == CONN_GONE) {
		if (c->x.answer == ANSWER_NOBODY)
			conn_free(c);
		return;
	}
	if (c->state == CONN_IDLE || c->state == CONN_DRAIN)
		conn_readable(c);
	if (c->state != CONN_GONE && !more_waits(c))
		conn_flush(c);
	if (c->state == CONN_FLUSH && conn_queued(c) == 0)
		conn_flushed(c);
}

void
conn_call(struct conn *c)
{
	if (c->letter_posted)
		return;
	c->letter_posted = true;
	worker_later(c->server->worker, &c->letter, conn_letter, c);
}

/* The story is told; it ends from the loop. */
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
	if (c->x.answer == ANSWER_NOBODY)
		conn_call(c);
	else
		exchange_orphaned(&c->x);
}

void
conn_refuse(struct conn *c, const struct err *why)
{
	char id[REFUSAL_ID + 1];

	/* No request came that could have brought an id of its own: this one gets ours. */
	id_random(id, REFUSAL_ID);
	answer_open(c);
	c->x.close = true;
	http_set(&c->x, "X-Request-Id", id);
	problem_reply(&c->x, why, id, "\n");
	c->x.answer = ANSWER_NOBODY;
	c->server->exchanges--;
	if (c->server->refused != NULL)
		c->server->refused(why, id, c->remote, c->server->arg);
	if (c->state == CONN_GONE)
		conn_call(c);
	else
		conn_finish(c, END_LINGER);
}

/* IPv4 is kept as its IPv6-mapped form, and written as IPv4. */
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
	if (IN6_IS_ADDR_V4MAPPED(&c->address))
		inet_ntop(AF_INET, &c->address.s6_addr[12], c->remote, sizeof(c->remote));
	else
		inet_ntop(AF_INET6, &c->address, c->remote, sizeof(c->remote));
}

static struct conn *
conn_new(struct http_server *s)
{
	struct conn *c =
	    calloc(1, sizeof(*c) + s->conf.header_count_max * sizeof(c->parse_fields[0]));
	struct parse_limits limits = { .head_bytes = s->conf.header_bytes_max,
		.target = s->conf.target_max,
		.fields = s->conf.header_count_max };

	if (c == NULL)
		return NULL;
	c->server = s;
	c->watch_fd = -1;
	buf_init(&c->x.fields, HTTP_FIELDS_MAX);
	buf_init(&c->out, SIZE_MAX);
	buf_init(&c->head, limits.head_bytes);
	buf_init(&c->line, PARSE_TRAILERS_MAX);
	parse_init(&c->parse, &limits, &c->head, &c->line, c->parse_fields);
	if (!conn_timer_init(c)) {
		free(c);
		return NULL;
	}
	return c;
}

static bool
conn_equip(struct conn *c, int fd)
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

bool
conn_open(struct http_server *s, int fd, const struct sockaddr *sa)
{
	struct conn *c = conn_new(s);
	struct err full = { .code = ERR_NONE };

	if (c == NULL)
		return false;
	if (!conn_equip(c, fd)) {
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
	c->counted = shared_enter(s->shared, &s->conf, &c->address);
	if (c->counted) {
		conn_move(c, CONN_IDLE);
		return true;
	}
	s->refused_conns++;
	err_set(&full, ERR_OVERLOADED, "Too many connections.");
	if (s->refused_conns > CONN_REFUSED_MAX)
		conn_gone(c);
	else
		conn_refuse(c, &full);
	return true;
}
