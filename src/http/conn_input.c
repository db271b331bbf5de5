/* SPDX-License-Identifier: MIT */
/*
 * conn_input: the bytes libevent has read, and their way through the parser.
 */
#include "http/conn_state.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "tenantgate/wire/tls_session.h"

struct evbuffer *
conn_input(struct conn *c)
{
	return c->tls != NULL ? tls_session_plain(c->tls) : bufferevent_get_input(c->bev);
}

/*
 * Block by block of libevent's buffer, without a copy: a parser that takes any split does not need
 * the input in one piece (evbuffer_pullup() of the first block only moves nothing). Bytes are
 * drained as they are parsed, so what a full sink did not take of the body stays counted as read:
 * the reading has failed then. An empty input is fed too: the state may be PARSE_DONE already.
 */
enum parse_event
conn_feed(struct conn *c, struct buf *sink)
{
	struct evbuffer *input = conn_input(c);

	for (;;) {
		size_t n = evbuffer_get_contiguous_space(input);
		struct slice in = slice_of((char *)evbuffer_pullup(input, (ev_ssize_t)n), n);
		struct slice data;
		enum parse_event event = parse_feed(&c->parse, &in, &data);
		bool fits = event != PARSE_DATA || sink == NULL || buf_slice(sink, data);

		evbuffer_drain(input, n - in.len);
		c->x.bytes_in += n - in.len;
		if (!fits)
			return PARSE_DATA;
		if (event != PARSE_DATA && (event != PARSE_MORE || n == 0))
			return event;
	}
}
