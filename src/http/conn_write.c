/* SPDX-License-Identifier: MIT */
/*
 * conn_write: bytes out. They are gathered in c->out during a turn and sent straight to the socket
 * at its end; only what the kernel does not take goes through libevent's output buffer.
 *
 * What always holds: while libevent's buffer holds anything, everything new goes behind it, so
 * bytes never overtake each other.
 */
#include "http/conn_state.h"

#include <sys/socket.h>

#include <errno.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "tenantgate/wire/tls_session.h"

#define STAGE_MAX	16384	/* bytes of c->out; more in one turn is sent before its end */
#define QUEUE_PIECE	4000	/* bytes; with libevent's own of a chain they fill 4 KiB */

size_t
conn_queued(const struct conn *c)
{
	return c->out.len + evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* In pieces that fill a chain of libevent's each: it rounds a chain up to a power of two. */
static bool
conn_queue(struct conn *c, const char *p, size_t n)
{
	while (n > 0) {
		size_t piece = n < QUEUE_PIECE ? n : QUEUE_PIECE;

		if (bufferevent_write(c->bev, p, piece) != 0)
			return false;
		p += piece;
		n -= piece;
	}
	return true;
}

/* To the kernel as far as it takes it, the rest to libevent. MSG_NOSIGNAL: a client that left is an
 * error of this connection, not a SIGPIPE. */
static void
conn_send_wire(struct conn *c, const char *p, size_t n)
{
	ssize_t sent = 0;

	if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
		sent = send(bufferevent_getfd(c->bev), p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
		conn_close(c);
		return;
	}
	if (sent < 0)
		sent = 0;
	c->sent_total += n;
	if ((size_t)sent == n)
		return;
	if (!conn_queue(c, p + sent, n - (size_t)sent))
		conn_close(c);
	else
		conn_sending(c);
}

/* Never after the connection was closed: TLS' own words are dropped then. */
void
conn_send_tls(struct conn *c, struct tls_session *tls)
{
	struct buf *out = tls_session_out(tls);

	if (c->state != CONN_CLOSED && out->len > 0)
		conn_send_wire(c, out->data, out->len);
	if (out->cap > CONN_SPARE_MAX)
		buf_free(out);
	else
		buf_reset(out);
}

/* Encrypted piece by piece: what the client does not take is held once. */
static void
conn_send(struct conn *c, const char *p, size_t n)
{
	if (c->tls == NULL) {
		conn_send_wire(c, p, n);
		return;
	}
	while (n > 0 && c->state != CONN_CLOSED) {
		size_t piece = n < TLS_WRITE_MAX ? n : TLS_WRITE_MAX;

		if (!tls_session_write(c->tls, p, piece)) {
			conn_close(c);
			return;
		}
		conn_send_tls(c, c->tls);
		p += piece;
		n -= piece;
	}
}

/* What a connection's buffer may keep: little while it is idle, or its client is slower than we. */
static size_t
stage_kept(const struct conn *c)
{
	bool rests = c->state == CONN_IDLE || c->state == CONN_CLOSED ||
	    evbuffer_get_length(bufferevent_get_output(c->bev)) > 0;

	return rests ? CONN_SPARE_MAX : STAGE_MAX;
}

/* The gathered bytes leave; a buffer that grew is not kept. */
void
conn_flush(struct conn *c)
{
	size_t n = c->out.len;

	if (n == 0)
		return;
	conn_send(c, c->out.data, n);
	if (c->out.cap > stage_kept(c))
		buf_free(&c->out);
	else
		buf_reset(&c->out);
}

/* A large piece is not copied into c->out; what was gathered before it is sent first. */
void
conn_write(struct conn *c, const void *p, size_t n)
{
	if (c->state == CONN_CLOSED || n == 0)
		return;
	c->x.bytes_out += n;
	if (c->out.len + n > STAGE_MAX)
		conn_flush(c);
	if (c->state == CONN_CLOSED)
		return;
	if (n > STAGE_MAX)
		conn_send(c, p, n);
	else if (!buf_add(&c->out, p, n))
		conn_close(c);
	else
		conn_schedule(c);
}
