/* SPDX-License-Identifier: MIT */
/*
 * sse: server-sent events out of bytes, as the WHATWG HTML standard says (9.2.6). Pure: no socket,
 * no clock; the events are the same however the bytes were split.
 *
 *	bytes --> line (ended by \n, \r\n or \r) --> field --> at an empty line: event
 *
 * A line and an event's data have a ceiling each; past it the stream is refused for good. What
 * follows the last empty line of a stream is no event.
 */
#ifndef TENANTGATE_MODEL_SSE_H
#define TENANTGATE_MODEL_SSE_H

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define SSE_NAME_MAX	32	/* bytes; a longer name counts as none */

enum sse_place {
	SSE_START,	/* a byte order mark may come */
	SSE_LINE,
	SSE_AFTER_CR,	/* a \n right now belongs to the line before */
	SSE_REFUSED,
};

struct sse {
	enum sse_place	 place;
	struct buf	 line;		/* owned: the beginning of a line that came in pieces */
	struct buf	 data;		/* owned: of the event under way, or the one handed out */
	unsigned	 data_lines;	/* so far in this event */
	char		 name[SSE_NAME_MAX];
	size_t		 name_len;
};

struct sse_event {
	struct slice	name;	/* of its `event:` line; may be empty */
	struct slice	data;	/* lines joined by \n */
};			/* both borrowed until the next call */

enum sse_rc {
	SSE_MORE,	/* all bytes taken, no event yet */
	SSE_EVENT,	/* one event; call again with what is left */
	SSE_TOO_LARGE,	/* past the ceiling, or no memory: for good */
};

void		sse_init(struct sse *, size_t max);
void		sse_free(struct sse *);		/* idempotent */
/* Takes bytes off the front of *in. */
enum sse_rc	sse_next(struct sse *, struct slice *in, struct sse_event *)
		    __attribute__((warn_unused_result));

#endif
