/* SPDX-License-Identifier: MIT */
/*
 * response: writes the response of an exchange and ends the exchange.
 *
 *	[no exchange] --response_open--> [none] --http_reply--------------------> [whole]
 *	                                  \--http_stream_begin--> [stream] --_end--> [whole]
 *	                                                             \--_break----> [cut]
 *	http_end(): from any of them to [no exchange]; the connection goes on, drains or finishes
 *
 * The handler's calls move x->response. Once the client has left the states still move and the
 * bytes are dropped, so a handler need not look whether it is there. What is out of order is a bug
 * of the handler's and aborts.
 */
#include "http/conn_state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "http/chars.h"

/* Fields that response.c alone writes. A second one from a handler would give the client two
 * lengths or two framings to choose from (RFC 9112 6.3). */
static const char *const own_fields[] = { "Content-Length", "Transfer-Encoding", "Connection",
	"Keep-Alive", "Trailer", "Upgrade", "Date", "Content-Type", "X-Content-Type-Options" };

/* Counted as open until http_end(): a drain waits for it. */
void
response_open(struct conn *c)
{
	struct http_exchange *x = &c->x;

	assert(x->response == RESPONSE_NO_EXCHANGE && x->reader == NULL && x->writer == NULL);
	x->response = RESPONSE_NONE;
	x->framing = FRAMING_EMPTY;
	x->status = 0;
	x->close = false;
	x->continued = false;
	x->flow = NULL;
	x->timed = NULL;
	x->watch = NULL;
	x->too_large = NULL;
	x->body_taken = x->body_began_us = 0;
	x->bytes_out = 0;
	buf_reset(&x->fields);
	c->server->exchanges++;
}

/* Refuses CR and LF with all control characters: a value that holds a client's bytes could end the
 * header and begin a response of the client's own (response splitting, RFC 9112 11.1). All of the
 * field is kept or none of it. */
bool
http_set(struct http_exchange *x, const char *name, const char *value)
{
	size_t before = x->fields.len;

	if (x->response != RESPONSE_NONE || !slice_is_token(slice_str(name)) ||
	    !slice_is_field_value(slice_str(value)))
		return false;
	for (size_t i = 0; i < sizeof(own_fields) / sizeof(own_fields[0]); i++) {
		if (slice_is_nocase(slice_str(name), own_fields[i]))
			return false;
	}
	if (buf_puts(&x->fields, name) && buf_puts(&x->fields, ": ") &&
	    buf_puts(&x->fields, value) && buf_puts(&x->fields, "\r\n"))
		return true;
	x->fields.failed = false;
	x->fields.len = before;
	return false;
}

/* Whether the rest of the request's body is so small that reading it costs less than a new
 * connection. Of a chunked body the size is not known, so its connection ends. */
static bool
unread_body_is_small(const struct conn *c)
{
	const struct parse *p = &c->parse;

	if (p->state == PARSE_COMPLETE)
		return true;
	if (p->expects_continue && !c->x.continued) /* the client may send the body or not */
		return false;
	return p->state == PARSE_BODY && p->left <= CONN_DRAIN_MAX;
}

/* Whether the connection ends with this response (RFC 9112 9.3, 9.6): either side wants that, the
 * body ends by it, or the rest of the request stands before the next one. */
static bool
response_is_last(const struct conn *c)
{
	return c->x.close || c->server->says_close || c->x.framing == FRAMING_TO_CLOSE ||
	    !parse_persists(&c->parse) || !unread_body_is_small(c);
}

/* Into c->out; nothing happens when the connection closed on the way. */
static void
response_put(struct conn *c, const char *text)
{
	conn_write(c, text, strlen(text));
}

static void
response_put_field(struct conn *c, const char *name, const char *value)
{
	if (value == NULL)
		return;
	response_put(c, name);
	response_put(c, ": ");
	response_put(c, value);
	response_put(c, "\r\n");
}

/* RFC 9112 6.1, 6.2: a length or a coding, never both; neither with 204 and 304. An HTTP/1.0 client
 * must be told that the connection stays (9.3). */
static void
response_put_framing(struct conn *c, size_t length)
{
	char number[32];

	snprintf(number, sizeof(number), "%zu", length);
	if (c->x.framing == FRAMING_COUNTED)
		response_put_field(c, "Content-Length", number);
	else if (c->x.framing == FRAMING_CHUNKED)
		response_put_field(c, "Transfer-Encoding", "chunked");
	if (c->x.close)
		response_put_field(c, "Connection", "close");
	else if (!c->parse.http11)
		response_put_field(c, "Connection", "keep-alive");
}

/* The status line and all fields, gathered with what else this turn writes. Date is required of an
 * origin server with a clock (RFC 9110 6.6.1). The version is always 1.1, also to an HTTP/1.0
 * client: it is the server's own (RFC 9110 6.2). nosniff (the Fetch Standard, 3.6): an answer may
 * hold a tenant's text, which no browser shall take for a page or a script. */
static void
response_head(struct conn *c, const char *content_type, size_t length)
{
	char line[64];

	c->x.close = response_is_last(c);
	snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", c->x.status, status_reason(c->x.status));
	response_put(c, line);
	response_put_field(c, "Date", server_date(c->server));
	response_put_field(c, "Server", c->server->conf.server_name);
	response_put_field(c, "Content-Type", content_type);
	response_put_framing(c, length);
	response_put(c, "X-Content-Type-Options: nosniff\r\n");
	conn_write(c, c->x.fields.data, c->x.fields.len);
	cors_put(c);
	server_timing_put(c);
	response_put(c, "\r\n");
}

/* RFC 9112 6.3: these end with their header section, whatever their fields say. A response to HEAD
 * has the Content-Length that GET would have (RFC 9110 8.6). */
static bool
has_no_body(const struct http_exchange *x, int status)
{
	return status == 204 || status == 304 || http_is_head(x);
}

/* Once an exchange: interim responses (1xx) are body.c's. */
static void
response_begin(struct http_exchange *x, int status, enum response_state to,
    enum response_framing framing)
{
	assert(x->response == RESPONSE_NONE && status >= 200 && status <= 599);
	x->response = to;
	x->status = status;
	x->framing = framing;
}

/* Without a body there is no Content-Type, but a Content-Length of 0 where one is allowed: without
 * it the client would wait for the connection to end. */
void
http_reply(struct http_exchange *x, int status, const char *content_type, struct slice body)
{
	bool counted = status != 204 && status != 304;

	response_begin(x, status, RESPONSE_WHOLE, counted ? FRAMING_COUNTED : FRAMING_EMPTY);
	if (http_client_gone(x))
		return;
	response_head(conn_of(x), body.len > 0 ? content_type : NULL, body.len);
	if (!has_no_body(x, status))
		conn_write(conn_of(x), body.p, body.len);
}

/* HTTP/1.0 has no chunked coding (RFC 9112 6.1): its stream ends with the connection. */
void
http_stream_begin(struct http_exchange *x, int status, const char *content_type)
{
	enum response_framing framing =
	    conn_of(x)->parse.http11 ? FRAMING_CHUNKED : FRAMING_TO_CLOSE;

	response_begin(x, status, RESPONSE_STREAM,
	    has_no_body(x, status) ? FRAMING_EMPTY : framing);
	if (!http_client_gone(x))
		response_head(conn_of(x), content_type, 0);
}

/* RFC 9112 7.1: size in hexadecimal, CRLF, data, CRLF. Called for every streamed token, so the
 * digits are made without printf(3). Not for empty data: a size of 0 would end the body. */
static void
write_chunk(struct conn *c, struct slice s)
{
	char size[sizeof(s.len) * 2 + 2];
	size_t at = sizeof(size);

	size[--at] = '\n';
	size[--at] = '\r';
	for (size_t n = s.len; n > 0; n >>= 4)
		size[--at] = "0123456789abcdef"[n & 15];
	conn_write(c, size + at, sizeof(size) - at);
	conn_write(c, s.p, s.len);
	conn_write(c, "\r\n", 2);
}

/* HEAD and statuses without a body: the stream is dropped. */
void
http_stream_add(struct http_exchange *x, struct slice s)
{
	if (http_client_gone(x) || s.len == 0 || x->framing == FRAMING_EMPTY)
		return;
	assert(x->response == RESPONSE_STREAM);
	if (x->framing == FRAMING_CHUNKED)
		write_chunk(conn_of(x), s);
	else
		conn_write(conn_of(x), s.p, s.len);
}

size_t
http_stream_queued(const struct http_exchange *x)
{
	return http_client_gone(x) ? 0 : conn_queued(conn_of(x));
}

static void
writer_cancelled(void *arg)
{
	struct http_exchange *x = arg;

	x->writer = NULL;
}

/* Above the mark everything is sent at once; only for what the kernel does not take the flow waits,
 * until bev_written() finds the queue down to the mark. So the producer is no faster than the
 * client. */
enum flow_rc
http_stream_flush(struct flow *f, struct http_exchange *x)
{
	struct conn *c = conn_of(x);

	assert(x->writer == NULL);
	if (c->state != CONN_CLOSED && conn_queued(c) <= c->server->conf.write_high_water)
		return FLOW_NEXT;
	if (c->state != CONN_CLOSED)
		conn_flush(c);
	if (c->state == CONN_CLOSED)
		return flow_fail(f, ERR_CLIENT_GONE, CONN_CLIENT_LEFT);
	if (conn_queued(c) <= c->server->conf.write_high_water)
		return FLOW_NEXT;
	x->writer = f;
	return flow_wait(f, writer_cancelled, x);
}

/* The last chunk, and an empty trailer section (RFC 9112 7.1). */
void
http_stream_end(struct http_exchange *x)
{
	assert(x->response == RESPONSE_STREAM);
	x->response = RESPONSE_WHOLE;
	if (x->framing == FRAMING_CHUNKED)
		conn_write(conn_of(x), "0\r\n\r\n", 5);
}

/* Without the last chunk the client sees that the body is incomplete (RFC 9112 8). The status line
 * has left, so there is no other way to report the failure. */
void
http_stream_break(struct http_exchange *x)
{
	assert(x->response == RESPONSE_STREAM);
	x->response = RESPONSE_CUT;
}

/* Where the connection goes once its exchange is over. It lingers where the client may still be
 * sending a body, which a plain close would answer with a reset. */
static void
response_done(struct conn *c, bool cut)
{
	bool read = c->parse.state == PARSE_COMPLETE;

	if (cut)
		conn_finish(c, c->x.framing == FRAMING_TO_CLOSE ? END_RESET : END_CLOSE);
	else if (c->x.close)
		conn_finish(c, read ? END_CLOSE : END_LINGER);
	else if (read)
		conn_next(c);
	else
		conn_move(c, CONN_DRAIN);
}

/* The flow that ends may be the last that kept a closed connection: conn_schedule() then has it
 * freed, after this call has returned. */
void
http_end(struct http_exchange *x)
{
	struct conn *c = conn_of(x);
	bool cut;

	assert(x->response != RESPONSE_NO_EXCHANGE && x->reader == NULL && x->writer == NULL);
	if (x->response == RESPONSE_NONE)
		http_reply(x, 500, NULL, slice_of(NULL, 0));
	cut = x->response == RESPONSE_CUT || x->response == RESPONSE_STREAM;
	x->response = RESPONSE_NO_EXCHANGE;
	x->flow = NULL;
	conn_request_leave(c);
	c->server->exchanges--;
	if (c->state != CONN_CLOSED)
		response_done(c, cut);
	conn_schedule(c);
}
