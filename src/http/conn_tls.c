/* SPDX-License-Identifier: MIT */
/*
 * conn_tls: TLS between a connection's bytes and its parser.
 *
 *	the socket --libevent--> [tls_session] --plain--> the parser
 *	the socket <--send(2)--- [tls_session] <--------- conn_write.c
 *
 * Reading, the queue, deadlines and marks are those of a connection in the clear. A handshake is a
 * flow, for what it computes may be too much for a turn of the loop: one RSA signature of 4096 bits
 * takes 3 ms, and handshakes come in bursts. Signatures by such keys, and all that is more than a
 * millisecond in one turn, are computed by helper threads of their own: a loop waits for none, and
 * neither do tenants' jobs. The helpers take turns among the clients' networks. The rest is done in
 * the turn, for to ask a helper costs as much as a step by an EC key. What a connection costs
 * once it is open is done where it is read and written: a record of 16 KB takes some microseconds.
 */
#include "http/conn_state.h"

#include <stdlib.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "tenantgate/loop/meter.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/offload.h"
#include "tenantgate/wire/tls_session.h"

#define TURN_US_MAX	   1000	 /* of handshakes in one turn: more wait for helpers */
#define HANDSHAKE_READ_MAX 32768 /* bytes that may wait for a helper */

struct handshake {
	struct flow flow;  /* first */
	struct conn *conn; /* borrowed; NULL once it is closed */
	void *session;	   /* owned: a tls_session; NULL while a helper has it */
	bool waits;	   /* for bytes */
	bool is_http;	   /* they are a request in the clear */
	bool is_late;	   /* its time is over */
};

static flow_step_fn handshake_bytes, handshake_compute, handshake_answer;
static flow_end_fn handshake_end;
static flow_release_fn handshake_release;

static const struct flow_step handshake_steps[] = {
	{ "bytes", handshake_bytes },	  /* <-+ of the client's */
	{ "compute", handshake_compute }, /*   | on a helper */
	{ "answer", handshake_answer },	  /* --+ until it is whole */
	{ NULL, NULL },
};

static const struct flow_kind handshake_kind = { "tls_handshake", handshake_steps, handshake_end,
	handshake_release };

const struct meter_family tls_handshakes = {
	.name = "tenantgate_tls_handshakes_total",
	.help = "TLS handshakes of clients, by their end: full, resumed, or why there was none.",
	.type = METRIC_COUNTER,
	.labels = { "result", "version", NULL },
};

static void
handshake_count(const struct conn *c, const char *result, const char *version)
{
	struct slice values[] = { slice_str(result), slice_str(version) };

	meter_add(c->server->worker, &tls_handshakes, values, 1);
}

/* ---- the handshake ---- */
static void
bytes_cancelled(void *arg)
{
	((struct handshake *)arg)->waits = false;
}

static struct handshake *
handshake_of(struct flow *f)
{
	return FLOW_OF(f, struct handshake, &handshake_kind);
}

/* The connection may be closed before the flow's first turn; the abort comes with that. Who has
 * shut its side is heard to the end first. */
static enum flow_rc
handshake_bytes(struct flow *f)
{
	struct handshake *h = handshake_of(f);

	if (evbuffer_get_length(bufferevent_get_input(h->conn->bev)) > 0)
		return FLOW_NEXT;
	if (h->conn->eof) {
		conn_close(h->conn);
		return FLOW_DONE;
	}
	h->waits = true;
	return flow_wait(f, bytes_cancelled, h);
}

/* offload_fn */
static void
session_compute(void *session)
{
	tls_session_advance(session);
}

/* offload_drop_fn */
static void
session_drop(void *session)
{
	tls_session_free(session);
}

/* In a turn of the loop, of all that is computed here. */
static bool
turn_has_time(struct http_server *s)
{
	uint64_t turn = worker_turns(s->worker);

	if (s->tls_turn != turn)
		s->tls_turn_us = 0;
	s->tls_turn = turn;
	return s->tls_turn_us < TURN_US_MAX;
}

static void
session_compute_here(struct http_server *s, struct tls_session *session)
{
	uint64_t began = clock_thread_cpu_us();

	tls_session_advance(session);
	s->tls_turn_us += clock_thread_cpu_us() - began;
}

/* What is no TLS at all is told so, when it is a request: its sender has the wrong scheme. */
static enum flow_rc
handshake_compute(struct flow *f)
{
	struct handshake *h = handshake_of(f);
	struct evbuffer *input = bufferevent_get_input(h->conn->bev);
	struct tls_session *session = h->session;
	bool slow;

	if (tls_session_is_new(session) && tls_looks_like_http(input)) {
		h->is_http = true;
		return FLOW_DONE;
	}
	slow = tls_session_signs_slowly(session);
	if (!tls_session_bring(session, input))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "a TLS handshake");
	if (!slow && turn_has_time(h->conn->server)) {
		session_compute_here(h->conn->server, session);
		return FLOW_NEXT;
	}
	return offload_run_on(h->conn->server->conf.tls_helpers, f,
	    address_network(&h->conn->address), session_compute, session_drop, session,
	    &h->session);
}

/* What is to be sent may be an alert: the client hears why. */
static enum flow_rc
handshake_answer(struct flow *f)
{
	struct handshake *h = handshake_of(f);

	conn_send_tls(h->conn, h->session);
	if (h->conn == NULL) /* closed by it */
		return FLOW_DONE;
	conn_resume(h->conn);
	switch (tls_session_state(h->session)) {
	case TLS_MORE:
		return flow_goto(f, handshake_bytes);
	case TLS_OPEN:
		return FLOW_DONE;
	default:
		return flow_fail(f, ERR_BAD_REQUEST, "The TLS handshake failed (%s).",
		    tls_session_reason(h->session));
	}
}

static void
handshake_failed(struct conn *c, const struct err *err)
{
	static struct log_pace pace;

	if (err->code == ERR_SHUTDOWN) {
		handshake_count(c, "shutdown", "");
		conn_close(c);
		return;
	}
	handshake_count(c, "failed", "");
	if (log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_NOTICE, "tls.handshake", NULL,
		    "%s Client %s. Look at the client's versions, names and certificate; more of "
		    "these within a minute are only counted.",
		    err->detail, c->remote);
	conn_finish(c, END_LINGER);
}

static void
handshake_refuse_http(struct conn *c)
{
	struct err why = { .code = ERR_NONE };

	handshake_count(c, "http", "");
	err_set(&why, ERR_BAD_REQUEST, "This port speaks TLS; ask it by https://.");
	conn_refuse(c, &why);
}

/* An open session's bytes are decrypted and read. */
static void
session_received(struct conn *c)
{
	struct evbuffer *input = bufferevent_get_input(c->bev);
	enum tls_state state =
	    tls_session_bring(c->tls, input) ? tls_session_read(c->tls) : TLS_FAILED;

	conn_send_tls(c, c->tls);
	if (c->state != CONN_CLOSED && state == TLS_FAILED)
		conn_close(c);
	if (c->state == CONN_CLOSED)
		return;
	c->eof |= state == TLS_ENDED;
	conn_readable(c);
}

static void
handshake_done(struct conn *c, struct handshake *h)
{
	c->tls = h->session;
	h->session = NULL;
	handshake_count(c, tls_session_resumed(c->tls) ? "resumed" : "full",
	    tls_session_version(c->tls));
	conn_begin(c);
	if (c->state != CONN_CLOSED)
		session_received(c); /* what came behind the handshake's last bytes */
}

static void
handshake_part(struct conn *c, struct handshake *h)
{
	c->handshake = NULL;
	h->conn = NULL;
	shared_handshakes_add(c->server->shared, -1);
}

static void
handshake_end(struct flow *f, const struct err *err)
{
	struct handshake *h = handshake_of(f);
	struct conn *c = h->conn;

	if (c == NULL)
		return;
	handshake_part(c, h);
	if (err_is(err))
		handshake_failed(c, err);
	else if (h->is_http)
		handshake_refuse_http(c);
	else
		handshake_done(c, h);
}

static void
handshake_release(struct flow *f)
{
	struct handshake *h = handshake_of(f);

	tls_session_free(h->session);
	free(h);
}

void
conn_tls_begin(struct conn *c)
{
	struct http_server *s = c->server;
	struct handshake *h = calloc(1, sizeof(*h));

	if (h != NULL)
		h->session = tls_session_new(s->tls);
	if (h == NULL || h->session == NULL) {
		free(h);
		conn_close(c);
		return;
	}
	h->conn = c;
	c->handshake = h;
	shared_handshakes_add(s->shared, 1);
	conn_move(c, CONN_TLS);
	flow_start(&h->flow, &handshake_kind, s->worker, NULL);
}

/* A connection that is closed before its handshake is whole is counted by whose doing that is. */
void
conn_handshake_leave(struct conn *c)
{
	struct handshake *h = c->handshake;

	if (h == NULL)
		return;
	if (c->server->draining)
		handshake_count(c, "shutdown", "");
	else
		handshake_count(c, h->is_late ? "timeout" : "left", "");
	handshake_part(c, h);
	flow_abort(&h->flow, ERR_CLIENT_GONE, CONN_CLIENT_LEFT);
}

void
conn_tls_late(struct conn *c)
{
	c->handshake->is_late = true;
	conn_close(c);
}

void
conn_tls_half_closed(struct conn *c)
{
	if (c->handshake->waits)
		conn_close(c);
}

/* ---- an open session ---- */

/* Behind the last of the client's messages, or while nothing of it is read any more, what still
 * comes is not even decrypted. */
static bool
is_deaf(const struct conn *c)
{
	return c->eof || c->state == CONN_FLUSH || c->state == CONN_LINGER;
}

/* Many bytes are held back: they wait for a helper, or behind the handshake. (libevent's high-water
 * mark would not do: it calls back again and again while a buffer is full.) */
static void
handshake_received(struct conn *c, size_t length)
{
	struct handshake *h = c->handshake;

	if (h->waits) {
		h->waits = false;
		flow_wake(&h->flow);
	} else if (length >= HANDSHAKE_READ_MAX) {
		bufferevent_disable(c->bev, EV_READ);
	}
}

void
conn_tls_received(struct conn *c)
{
	struct evbuffer *input = bufferevent_get_input(c->bev);

	if (c->handshake != NULL)
		handshake_received(c, evbuffer_get_length(input));
	else if (is_deaf(c))
		evbuffer_drain(input, evbuffer_get_length(input));
	else
		session_received(c);
}

/* Once: that what was sent is all. Not where a body was cut that only the end would show to be. */
void
conn_tls_finish(struct conn *c)
{
	if (c->tls == NULL || c->has_said_end || c->ending == END_RESET)
		return;
	c->has_said_end = true;
	tls_session_end(c->tls);
	conn_send_tls(c, c->tls);
}

const char *
http_tls_version(const struct http_exchange *x)
{
	const struct conn *c = conn_of(x);

	return c->tls == NULL ? NULL : tls_session_version(c->tls);
}
