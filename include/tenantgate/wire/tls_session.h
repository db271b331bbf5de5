/* SPDX-License-Identifier: MIT */
/*
 * tls_session: the server's side of TLS on one connection, between the bytes on the wire and those
 * of HTTP. It has no socket: bytes are brought and taken, so that whoever has the connection keeps
 * its reading, its queue, its deadlines and its counts as they are without TLS, and a handshake can
 * be computed on another thread.
 *
 *	[handshake] --whole--> [open] --close_notify, or the connection's end--> gone
 *	      \-- the client's fault, or its certificate's --> [failed]: an alert is in `out`
 *
 * One thread at a time, any.
 */
#ifndef TENANTGATE_WIRE_TLS_SESSION_H
#define TENANTGATE_WIRE_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/wire/tls_server.h"

struct evbuffer;
struct tls_session;

enum tls_state {
	TLS_MORE,	/* of the client's bytes are needed */
	TLS_OPEN,	/* the handshake is whole */
	TLS_ENDED,	/* the client has said close_notify: nothing more comes from it */
	TLS_FAILED,
};

/* Holds the server. NULL without memory: a client can cause this. */
struct tls_session	*tls_session_new(struct tls_server *);
void			 tls_session_free(struct tls_session *);	/* NULL is fine */

/* Takes over all bytes that came from the client. False without memory. */
bool			 tls_session_bring(struct tls_session *, struct evbuffer *);
/* Bytes for the client; whoever sends them resets it. */
struct buf		*tls_session_out(struct tls_session *);

/* The handshake, as far as what was brought leads. It computes for up to some milliseconds (a
 * signature). */
void			 tls_session_advance(struct tls_session *);
enum tls_state		 tls_session_state(const struct tls_session *);	/* after it */
bool			 tls_session_is_new(const struct tls_session *); /* nothing was brought */
/* The next step may sign with a key that takes long for it (RSA: 1.4 ms of 3072 bits, 3 of 4096).
 * Any other step takes 0.1 to 0.5 ms. */
bool			 tls_session_signs_slowly(const struct tls_session *);
/* Once it is open: what was brought is decrypted into `plain`. TLS_OPEN: all of it. `out` may have
 * grown, by what TLS itself answers. */
enum tls_state		 tls_session_read(struct tls_session *);
struct evbuffer		*tls_session_plain(struct tls_session *);	/* borrowed */
/* Encrypts into `out`; False when that has failed. TLS_WRITE_MAX bytes at most. */
#define TLS_WRITE_MAX	65536
bool			 tls_session_write(struct tls_session *, const void *, size_t);
/* close_notify into `out`: what was written is all (RFC 8446 6.1). */
void			 tls_session_end(struct tls_session *);

/* "TLSv1.3"; static. */
const char		*tls_session_version(const struct tls_session *);
bool			 tls_session_resumed(const struct tls_session *);
/* After TLS_FAILED: why, for operators; borrowed. */
const char		*tls_session_reason(const struct tls_session *);
/* Whether the bytes, the first of a connection, are no TLS but look like a request of HTTP. */
bool			 tls_looks_like_http(struct evbuffer *);

#endif
