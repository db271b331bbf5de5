/* SPDX-License-Identifier: MIT */
/*
 * parse: a strict, pure HTTP/1.x request parser (RFC 9112). Bytes in, events out: no socket, no
 * clock, and no memory but the two buffers and the table of fields it was given.
 *
 *	[request line] --> [fields] --PARSE_HEAD--> [counted body] ------------------> [done]
 *	                               |   \--> [chunk size] <-> [chunk data] [chunk end]   ^
 *	                               |              \--> [trailers] ----------------------+
 *	                               +----------------------------------------------------+
 *	any of them --> [failed], for good
 *
 * What always holds: the result depends on the bytes, never on how they were cut into pieces; what
 * is not plainly one message of one length is refused, not repaired; every length has a ceiling.
 * One thread at a time.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"

#define PARSE_METHOD_MAX	32	/* bytes; the longest registered method has 17 */
#define PARSE_CHUNK_LINE_MAX	256	/* a chunk's size and extensions, CRLF included */
#define PARSE_TRAILERS_MAX	8192	/* bytes of a trailer section */
/* What a request line has beside its target: method, two spaces, version, CRLF. */
#define PARSE_LINE_EXTRA	(PARSE_METHOD_MAX + 12)

/* Whether a request may come without a Host: for the probes of load balancers. */
typedef bool parse_hostless_fn(struct slice method, struct slice path);

struct parse_limits {
	size_t		head_bytes;	/* request line and fields, line ends included */
	size_t		target;		/* bytes of the request target */
	unsigned	fields;		/* also of trailers */
	parse_hostless_fn *hostless;	/* NULL: none may */
};

/* A run of bytes of the head. An offset, not a pointer, for the buffer moves when it grows. */
struct parse_span {
	uint32_t	at;		/* from the head's first byte */
	uint32_t	len;		/* bytes */
};

struct parse_field {
	struct parse_span	name;
	struct parse_span	value;	/* trimmed */
};

/* In the order of a message: all up to PARSE_FIELDS are its head. */
enum parse_state {
	PARSE_REQUEST_LINE,
	PARSE_FIELDS,
	PARSE_BODY,		/* counted: p->left bytes to come */
	PARSE_CHUNK_SIZE,	/* a line with a chunk's size and extensions */
	PARSE_CHUNK_DATA,	/* p->left bytes of the chunk to come */
	PARSE_CHUNK_END,	/* the CRLF behind its data */
	PARSE_TRAILERS,		/* behind the last chunk, up to an empty line */
	PARSE_COMPLETE,
	PARSE_FAILED,		/* for good: p->err says why */
};

/* How a request's body is delimited (RFC 9112 6.3). */
enum parse_framing { PARSE_NO_BODY, PARSE_COUNTED, PARSE_CHUNKED };

enum parse_event {
	PARSE_MORE,	/* the input is used up */
	PARSE_HEAD,	/* the head is whole: method to framing may be read */
	PARSE_DATA,	/* a piece of the body */
	PARSE_DONE,	/* the message is whole; what is left of the input is the next one's */
	PARSE_ERROR,	/* p->err says why */
};

struct parse {
	enum parse_state	 state;
	struct parse_limits	 limits;
	struct buf		*head;		/* borrowed: the head, kept for the slices */
	struct buf		*line;		/* borrowed: one chunk or trailer line */
	struct parse_field	*fields;	/* borrowed: limits.fields of them */
	unsigned		 field_count;
	size_t			 line_at;	/* where in its buffer the current line begins */
	bool			 cr;		/* the last byte was CR: LF must follow */
	bool			 skipped_blank;	/* the one empty line before a request */
	struct parse_span	 method;
	struct parse_span	 path;		/* without '?'; empty stands for "/" */
	struct parse_span	 query;		/* behind the '?', which is in neither */
	bool			 http11;	/* false: HTTP/1.0 */
	bool			 close;		/* Connection: close */
	bool			 keep_alive;	/* Connection: keep-alive */
	bool			 expects_continue;	/* and HTTP/1.1 */
	unsigned		 hosts;		/* so many Host fields */
	bool			 host_is_empty;
	unsigned		 lengths;	/* Content-Length fields */
	unsigned		 codings;	/* Transfer-Encoding fields */
	enum parse_framing	 framing;	/* final with PARSE_HEAD */
	uint64_t		 length;	/* Content-Length; 0 without one */
	uint64_t		 left;		/* bytes to come of the body, or of this chunk */
	size_t			 trailer_bytes;	/* read so far, line ends included */
	unsigned		 trailer_count;
	struct err		 err;		/* with PARSE_FAILED */
};

/* head->max >= limits->head_bytes, line->max >= PARSE_TRAILERS_MAX. All stay the caller's. */
void		 parse_init(struct parse *, const struct parse_limits *, struct buf *head,
		    struct buf *line, struct parse_field *fields);
/* For the next message of the connection: the slices of the last one are no longer valid. */
void		 parse_next(struct parse *);

/* Takes bytes off the front of `in`. `data` is set with PARSE_DATA only, and is part of `in`.
 * Called again until PARSE_MORE, PARSE_DONE or PARSE_ERROR. */
enum parse_event parse_feed(struct parse *, struct slice *in, struct slice *data)
		    __attribute__((warn_unused_result));

/* Valid from PARSE_HEAD to parse_next(). */
struct slice	 parse_slice(const struct parse *, struct parse_span);
struct slice	 parse_path(const struct parse *);
/* True once any byte of a request has come. */
bool		 parse_began(const struct parse *);
/* Whether the connection may be kept after this message, by its version and Connection field. */
bool		 parse_persists(const struct parse *);

#endif
