/* SPDX-License-Identifier: MIT */
/*
 * sse: a parser of server-sent events (WHATWG HTML standard, 9.2.6). Pure: no socket, no clock; the
 * events are the same however the bytes were split.
 *
 *	bytes --> line (ended by \n, \r\n or \r) --> field --> at an empty line: event
 *
 *	place:  [start] --line's end--> [line] <--> [after cr]      [refused] from any, for good
 *
 * sse_next() moves the place. A line and an event's data have a ceiling each, so that a server
 * cannot fill our memory with one event. What follows the last empty line of a stream is not an
 * event, as the standard says. The fields id and retry are ignored: we never reconnect. Beyond the
 * standard a line `error: TEXT` is an event named error with that data, and one of that name needs
 * no data. A line that is no field is ignored too, as the standard says, but kept for whoever wants
 * to know: a proxy whose server has failed may write what it likes.
 */
#ifndef TENANTGATE_MODEL_SSE_H
#define TENANTGATE_MODEL_SSE_H

#include <stdbool.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"

#define SSE_NAME_MAX	32	/* bytes; a longer name is taken as none */
#define SSE_STRAY_MAX	256	/* bytes kept of a line that is no field */

enum sse_place {
	SSE_START,	/* in the first line: a byte order mark may begin it */
	SSE_LINE,
	SSE_AFTER_CR,	/* a \n next belongs to the line before */
	SSE_REFUSED,	/* past a ceiling, or no memory */
};

struct sse {
	enum sse_place	 place;
	struct buf	 line;		/* owned: the beginning of a line that came in pieces */
	struct buf	 data;		/* owned: of the event under way, or the one handed out */
	unsigned	 data_lines;	/* so far in this event; 0: no event yet */
	char		 name[SSE_NAME_MAX]; /* of this event's `event:` line */
	size_t		 name_len;	/* bytes */
	char		 stray[SSE_STRAY_MAX]; /* the last line that was no field */
	size_t		 stray_len;	/* bytes; 0: none since the event handed out last */
	bool		 stray_is_late;	/* it stood behind data of the event */
};

struct sse_event {
	struct slice	name;	/* borrowed until the next call; empty: none was given */
	struct slice	data;	/* borrowed likewise; its lines, joined by \n */
	struct slice	stray;	/* borrowed likewise: the last line since the event before it that
				 * is no field; empty: none */
	bool		stray_is_late;	/* it is behind the event's data, not before */
};

enum sse_rc {
	SSE_MORE,	/* all bytes taken, no event yet */
	SSE_EVENT,	/* one event; call again with what is left */
	SSE_TOO_LARGE,	/* past the ceiling, or no memory: for good */
};

void		sse_init(struct sse *, size_t max);	/* bytes: of a line, of an event's data */
/* Frees the buffers that hold nothing of an event under way. Events handed out are gone. */
void		sse_rest(struct sse *);
void		sse_free(struct sse *);		/* idempotent */
/* Takes bytes off the front of *in, up to the first event's end. */
enum sse_rc	sse_next(struct sse *, struct slice *in, struct sse_event *)
		    __attribute__((warn_unused_result));

#endif
