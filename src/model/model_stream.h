/* SPDX-License-Identifier: MIT */
/*
 * stream: one chat answer on its way. model_chat.c asks for it (and again, when refused);
 * model_stream.c pulls words out of it and lets it go.
 *
 *	chat_start --> [talking] --[DONE], end--> [over] --stop--> freed, or lingering for the
 *	                   |                                       last chunk, then freed
 *	                   +---- stop: the connection is closed, the model stops ----> freed
 */
#ifndef TENANTGATE_MODEL_STREAM_H
#define TENANTGATE_MODEL_STREAM_H

#include "model/delta.h"
#include "model/model_internal.h"
#include "model/sse.h"

#define STREAM_MAGIC	0x4d53544du	/* "MSTM" */
#define STREAM_AHEAD	(64u * 1024)	/* bytes that may have arrived and not been pulled */

enum stream_state {
	STREAM_ACTIVE,
	STREAM_COMPLETE,	/* the answer is whole, the connection may not be at its end */
	STREAM_ENDED,	/* both */
};

struct model_stream {
	struct flow		 flow;		/* of one pull, of lingering at last */
	unsigned		 magic;
	enum stream_state	 state;
	struct call		 call;		/* owned */
	struct web_transfer	*transfer;	/* owned */
	struct web_response	 response;	/* owned */
	struct slice		 piece;		/* borrowed until the next web_pull() */
	struct sse		 sse;		/* owned */
	struct delta		 delta;		/* owned */
	struct model_delta	*out;		/* borrowed: the caller's, of this pull */
};

struct model_stream	*model_stream_new(struct model *);
void			 model_stream_free(struct model_stream *);

#endif
