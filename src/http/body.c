/* SPDX-License-Identifier: MIT */
/*
 * body: http_read_body(). The request's body goes from the parser to the reader's buffer, up to
 * its ceiling; nobody reads, nothing is taken, and no 100 is sent.
 */
#include "http/conn.h"

#include <assert.h>

#include <event2/buffer.h>

static void
body_refuse(const struct buf *body, struct err *why)
{
	if (body->no_memory)
		err_set(why, ERR_OVERLOADED, ERR_NO_MEMORY, "the body");
	else
		err_set(why, ERR_TOO_LARGE, "The body is larger than %zu bytes.", body->max);
}

/* True when the wait is over, with `why` empty for a whole body. */
static bool
body_take(struct conn *c, struct err *why)
{
	size_t had = c->x.body->len;
	enum parse_event event = conn_feed(c, c->x.body);

	if (event == PARSE_DONE)
		return true;
	if (event == PARSE_DATA)
		body_refuse(c->x.body, why);
	else if (event == PARSE_ERROR)
		*why = c->parse.err;
	else if (c->x.body->len > had || c->deadline == 0)
		conn_deadline(c, c->server->conf.body_timeout_us);
	return err_is(why);
}

static struct flow *
reader_leaves(struct conn *c)
{
	struct flow *reader = c->x.reader;

	c->x.reader = NULL;
	c->x.body = NULL;
	conn_deadline(c, 0);
	return reader;
}

static void
reader_cancelled(void *arg)
{
	reader_leaves(arg);
}

void
body_received(struct conn *c)
{
	struct err why = { .code = ERR_NONE };

	if (c->x.reader == NULL || !body_take(c, &why))
		return;
	c->x.close |= err_is(&why);
	if (err_is(&why))
		flow_wake_err(reader_leaves(c), &why);
	else
		flow_wake(reader_leaves(c));
}

void
body_timed_out(struct conn *c)
{
	if (c->x.reader == NULL)
		return;
	c->x.close = true;
	flow_wake_fail(reader_leaves(c), ERR_REQUEST_TIMEOUT, "The body did not come in time.");
}

/* A client that has begun to send needs no invitation, and 100 may be left out then (RFC 9110
 * 10.1.1). Never behind the final answer, of which it would be taken for a part. */
static void
body_invite(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!c->parse.expects_continue || c->x.continued || c->x.response != RESPONSE_NONE ||
	    evbuffer_get_length(conn_input(c)) > 0)
		return;
	c->x.continued = true;
	conn_write(c, text, sizeof(text) - 1);
}

static enum flow_rc
body_read_begin(struct flow *f, struct conn *c, struct buf *out)
{
	struct err why = { .code = ERR_NONE };

	c->x.body = out;
	if (body_take(c, &why)) {
		c->x.body = NULL;
		c->x.close |= err_is(&why);
		conn_deadline(c, 0);
		return err_is(&why) ? flow_fail_err(f, &why) : FLOW_NEXT;
	}
	body_invite(c);
	if (c->state == CONN_GONE)
		return flow_fail(f, ERR_CLIENT_GONE, "The client left.");
	c->x.reader = f;
	conn_resume(c);
	return flow_wait(f, reader_cancelled, c);
}

enum flow_rc
http_read_body(struct flow *f, struct http_exchange *x, struct buf *out)
{
	struct conn *c = conn_of(x);

	assert(x->response != RESPONSE_NO_EXCHANGE && x->reader == NULL);
	if (c->state == CONN_GONE)
		return flow_fail(f, ERR_CLIENT_GONE, "The client left.");
	if (c->parse.state == PARSE_COMPLETE)
		return FLOW_NEXT;
	if (c->parse.framing == PARSE_COUNTED && c->parse.length > out->max)
		return flow_fail(f, ERR_TOO_LARGE, "The body is larger than %zu bytes.", out->max);
	return body_read_begin(f, c, out);
}
