/* SPDX-License-Identifier: MIT */
/*
 * body: http_read_body(). The request's body goes from the parser to the reader's buffer, up to its
 * ceiling, all at once or a piece at a time. Until a handler reads, nothing is parsed of it and no
 * 100 is sent: a caller who is not let in costs no body.
 *
 *	[no reader] --http_read_body--> [reader waits] --complete--> woken, reader detached
 *	                                    \-- error, time-out, client left --> woken with it
 *
 * After an error in the middle of a body its rest would be taken for the next request, so the
 * connection must end with the response (RFC 9112 9.3): x.close is set.
 */
#include "http/conn_state.h"

#include <assert.h>

#include <event2/buffer.h>

#include "http/chars.h"
#include "tenantgate/base/clock.h"

#define BODY_TOO_LARGE	"The body is larger than %zu bytes; send a smaller one."

/* Why the reader's buffer did not take a piece: the client's doing, or ours. */
static void
body_error(const struct http_exchange *x, const struct buf *body, struct err *why)
{
	if (body->no_memory)
		err_set(why, ERR_OVERLOADED, ERR_NO_MEMORY, "the body");
	else if (x->too_large != NULL)
		*why = *x->too_large;
	else
		err_set(why, ERR_TOO_LARGE, BODY_TOO_LARGE, body->max);
}

/* How long the next piece may take: body_timeout_us, but not past the time that the body as a whole
 * may have taken by now at the least pace. So a client that drips does not take as long as it
 * likes. */
static uint64_t
body_patience_us(const struct conn *c)
{
	const struct http_conf *conf = &c->server->conf;
	uint64_t now = clock_mono_us(), due;

	if (conf->body_rate_min == 0)
		return conf->body_timeout_us;
	due = c->x.body_began_us + conf->body_timeout_us +
	    (c->x.body_taken + c->x.body->len) * 1000000ull / conf->body_rate_min;
	if (due <= now)
		return 1;
	return due - now < conf->body_timeout_us ? due - now : conf->body_timeout_us;
}

/* Parses what has come into x.body. True when the reading is over: the body or its piece is
 * complete, or `why` says what failed. More of the body puts the deadline off; other input (chunk
 * sizes without data) does not, or a client could hold the connection with it. */
static bool
body_advance(struct conn *c, struct err *why)
{
	size_t had = c->x.body->len, cap = c->x.body->cap;
	enum parse_event event = conn_feed(c, c->x.body);

	if (c->x.body->cap > cap && c->x.watch != NULL &&
	    !c->x.watch(c->x.watch_arg, c->x.body->cap, why))
		return true;
	if (event == PARSE_DATA)
		body_error(&c->x, c->x.body, why);
	else if (event == PARSE_ERROR)
		*why = c->parse.err;
	else if (event == PARSE_DONE || c->x.body->len >= c->x.body_enough)
		return true;
	else if (c->x.body->len > had || c->deadline == 0)
		conn_deadline(c, body_patience_us(c));
	return err_is(why);
}

/* The buffer is the reader's again; who takes long with it is no slow client. */
static void
body_piece_end(struct conn *c)
{
	c->x.body_taken += c->x.body->len;
	c->x.body_left_us = clock_mono_us();
	c->x.body = NULL;
	conn_deadline(c, 0);
}

/* Forgets the reader, its buffer and its deadline; returns it, to be woken. */
static struct flow *
body_reader_detach(struct conn *c)
{
	struct flow *reader = c->x.reader;

	c->x.reader = NULL;
	body_piece_end(c);
	return reader;
}

/* The reader's flow was aborted: its buffer is about to be freed. */
static void
body_reader_cancel(void *arg)
{
	body_reader_detach(arg);
}

void
body_received(struct conn *c)
{
	struct err why = { .code = ERR_NONE };

	if (c->x.reader == NULL || !body_advance(c, &why))
		return;
	c->x.close |= err_is(&why);
	if (err_is(&why))
		flow_wake_err(body_reader_detach(c), &why);
	else
		flow_wake(body_reader_detach(c));
}

/* It stalled, or has fallen behind the least pace: a client that drips steadily must hear of it. */
void
body_timed_out(struct conn *c)
{
	unsigned rate = c->server->conf.body_rate_min;

	if (c->x.reader == NULL)
		return;
	c->x.close = true;
	if (rate == 0)
		flow_wake_fail(body_reader_detach(c), ERR_REQUEST_TIMEOUT,
		    "The body did not arrive in time; send it again without long pauses.");
	else
		flow_wake_fail(body_reader_detach(c), ERR_REQUEST_TIMEOUT,
		    "The body did not arrive in time; send it again without long pauses, and not "
		    "below %u bytes a second.",
		    rate);
}

/* Sends 100 Continue to a client that waits for it. One that has begun to send its body does not
 * need it, and it may be left out then (RFC 9110 10.1.1). Never after the head of the final
 * response: the client would take it for a part of the body. */
static void
body_send_continue(struct conn *c)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!c->parse.expects_continue || c->x.continued || c->x.response != RESPONSE_NONE ||
	    evbuffer_get_length(conn_input(c)) > 0)
		return;
	c->x.continued = true;
	conn_write(c, text, sizeof(text) - 1);
}

/* What was read ahead is taken first, so a small body that came with its header is done at once.
 * The write of the 100 may fail and close the connection, hence the second look at the state. */
static enum flow_rc
body_read_begin(struct flow *f, struct conn *c, struct buf *out)
{
	struct err why = { .code = ERR_NONE };

	c->x.body = out;
	c->x.body_began_us = c->x.body_began_us == 0
	    ? clock_mono_us()
	    : c->x.body_began_us + clock_mono_us() - c->x.body_left_us;
	if (body_advance(c, &why)) {
		body_piece_end(c);
		c->x.close |= err_is(&why);
		return err_is(&why) ? flow_fail_err(f, &why) : FLOW_NEXT;
	}
	body_send_continue(c);
	if (c->state == CONN_CLOSED)
		return flow_fail(f, ERR_CLIENT_GONE, CONN_CLIENT_LEFT);
	c->x.reader = f;
	conn_resume(c);
	return flow_wait(f, body_reader_cancel, c);
}

/* RFC 9110 8.4: gzip and its like. They are not undone here, for a few bytes of them may become
 * gigabytes; and what is compressed is no document or JSON. "identity" is none (8.4.1). */
static bool
body_is_coded(const struct parse *p)
{
	for (unsigned i = 0; i < p->field_count; i++) {
		struct slice rest = parse_slice(p, p->fields[i].value), item;

		if (!slice_is_nocase(parse_slice(p, p->fields[i].name), "Content-Encoding"))
			continue;
		while (slice_list_next(&rest, &item))
			if (item.len > 0 && !slice_is_nocase(item, "identity"))
				return true;
	}
	return false;
}

/* RFC 9110 12.5.3: Accept-Encoding says which would do. */
static enum flow_rc
body_refuse_coding(struct flow *f, struct http_exchange *x)
{
	http_set(x, "Accept-Encoding", "identity");
	return flow_fail(f, ERR_MEDIA_TYPE,
	    "The body has a Content-Encoding; send it as it is, without one.");
}

void
http_watch_body(struct http_exchange *x, http_body_fn *watch, void *arg)
{
	x->watch = watch;
	x->watch_arg = arg;
}

void
http_refuse_body(struct http_exchange *x, const struct err *err)
{
	x->too_large = err;
}

enum flow_rc
http_read_body(struct flow *f, struct http_exchange *x, struct buf *out)
{
	return http_read_body_piece(f, x, out, SIZE_MAX);
}

bool
http_body_is_complete(const struct http_exchange *x)
{
	return conn_of(x)->parse.state == PARSE_COMPLETE;
}

enum flow_rc
http_read_body_piece(struct flow *f, struct http_exchange *x, struct buf *out, size_t enough)
{
	struct err why = { .code = ERR_NONE };
	struct conn *c = conn_of(x);

	assert(x->response != RESPONSE_NO_EXCHANGE && x->reader == NULL);
	if (c->state == CONN_CLOSED)
		return flow_fail(f, ERR_CLIENT_GONE, CONN_CLIENT_LEFT);
	if (c->parse.state == PARSE_COMPLETE)
		return FLOW_NEXT;
	/* Before 100 is sent, so that the client need not send it at all. */
	if (body_is_coded(&c->parse))
		return body_refuse_coding(f, x);
	if (x->body_began_us == 0 && c->parse.framing == PARSE_COUNTED &&
	    c->parse.length > out->max) {
		body_error(x, out, &why);
		return flow_fail_err(f, &why);
	}
	x->body_enough = enough;
	return body_read_begin(f, c, out);
}
