/* SPDX-License-Identifier: MIT */
/*
 * answer: an exchange's way out.
 *
 *	[nobody] --response_open--> [none] --http_reply--------------------------> [whole]
 *	                             \--http_stream_begin--> [stream] --_end---> [whole]
 *	                                                        \--_break------> [cut]
 *	http_end(): from any of them to [nobody]; the connection goes on, drains or finishes
 *
 * Once the client is gone the states still move, the bytes are swallowed.
 */
#include "http/conn.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "http/chars.h"

/* What response.c alone decides; a handler that sets it would break the framing (RFC 9112 6.3). */
static const char *const own_fields[] = { "Content-Length", "Transfer-Encoding", "Connection",
	"Keep-Alive", "Trailer", "Upgrade", "Date", "Content-Type" };

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
	x->bytes_out = 0;
	buf_reset(&x->fields);
	c->server->exchanges++;
}

/* Refuses CR and LF with all control characters: a value that holds a client's bytes could end the
 * header and begin an answer of the client's own (response splitting, RFC 9112 11.1). */
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

/* Whether the rest of the request's body is little enough to be waited for. */
static bool
rest_is_small(const struct conn *c)
{
	const struct parse *p = &c->parse;

	if (p->state == PARSE_COMPLETE)
		return true;
	if (p->expects_continue && !c->x.continued) /* nobody knows whether it comes */
		return false;
	return p->state == PARSE_BODY && p->left <= CONN_DRAIN_MAX;
}

/* RFC 9112 9.3, 9.6: neither side may ask for more, or the rest of the request is in the way. */
static bool
response_is_last(const struct conn *c)
{
	return c->x.close || c->server->draining || c->x.framing == FRAMING_TO_CLOSE ||
	    !parse_persists(&c->parse) || !rest_is_small(c);
}

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

/* RFC 9112 6.1, 6.2: one of the two, never both; neither with 204 and 304. To
 * HTTP/1.0 a connection that stays is promised by name (9.3). */
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

/* The status line and all fields, gathered with what else this turn writes. */
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
	conn_write(c, c->x.fields.data, c->x.fields.len);
	response_put(c, "\r\n");
}

/* RFC 9112 6.3: these end with their header, whatever their fields say. */
static bool
has_no_body(const struct http_exchange *x, int status)
{
	return status == 204 || status == 304 || http_is_head(x);
}

static void
response_begin(struct http_exchange *x, int status, enum response_state to,
    enum response_framing framing)
{
	assert(x->response == RESPONSE_NONE && status >= 200 && status <= 599);
	x->response = to;
	x->status = status;
	x->framing = framing;
}

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

/* The way of every streamed token: no printf. */
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

static void
writer_cancelled(void *arg)
{
	struct http_exchange *x = arg;

	x->writer = NULL;
}

enum flow_rc
http_stream_flush(struct flow *f, struct http_exchange *x)
{
	struct conn *c = conn_of(x);

	assert(x->writer == NULL);
	if (c->state != CONN_GONE && conn_queued(c) <= c->server->conf.write_high_water)
		return FLOW_NEXT;
	if (c->state != CONN_GONE)
		conn_flush(c);
	if (c->state == CONN_GONE)
		return flow_fail(f, ERR_CLIENT_GONE, "The client left.");
	if (conn_queued(c) <= c->server->conf.write_high_water)
		return FLOW_NEXT;
	x->writer = f;
	return flow_wait(f, writer_cancelled, x);
}

void
http_stream_end(struct http_exchange *x)
{
	assert(x->response == RESPONSE_STREAM);
	x->response = RESPONSE_WHOLE;
	if (x->framing == FRAMING_CHUNKED)
		conn_write(conn_of(x), "0\r\n\r\n", 5);
}

void
http_stream_break(struct http_exchange *x)
{
	assert(x->response == RESPONSE_STREAM);
	x->response = RESPONSE_CUT;
}

/* Where the connection goes once its exchange is over. */
static void
response_done(struct conn *c, bool cut)
{
	bool read = c->parse.state == PARSE_COMPLETE;

	if (cut)
		conn_finish(c, c->x.framing == FRAMING_TO_CLOSE ? END_RESET : END_TIDY);
	else if (c->x.close)
		conn_finish(c, read ? END_TIDY : END_LINGER);
	else if (read)
		conn_next(c);
	else
		conn_move(c, CONN_DRAIN);
}

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
	c->server->exchanges--;
	if (c->state != CONN_GONE)
		response_done(c, cut);
	conn_call(c);
}
