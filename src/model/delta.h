/* SPDX-License-Identifier: MIT */
/*
 * delta: gathers text, finish reason and usage from the events of one streamed chat answer (objects
 * of type chat.completion.chunk, then [DONE]). Pure: no socket, no clock.
 *
 * Servers differ: choices may be empty (OpenAI's usage event) or absent, content null or absent,
 * the usage in an event of its own, in each, or missing, an error in the place of choices. Only the
 * first choice is read, for we ask for one; a refusal is text like any other.
 */
#ifndef TENANTGATE_MODEL_DELTA_H
#define TENANTGATE_MODEL_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/model.h"

struct delta {
	struct buf		 text;		/* owned; reset by whoever has taken it */
	const char		*finish_reason;	/* static; NULL until one has come */
	bool			 done;		/* [DONE] has come: nothing after it counts */
	struct model_usage	 usage;		/* the last one sent; zeros until then */
	uint64_t		 pieces;	/* of text, so far: about a token each */
};

enum delta_rc {
	DELTA_FINE,
	DELTA_ERROR,	/* an error event: its data is the error body */
	DELTA_BROKEN,	/* not JSON, or not of this shape */
	DELTA_FULL,	/* past the text's ceiling, or no memory for it */
};

void		delta_init(struct delta *, size_t text_max);
void		delta_free(struct delta *);	/* idempotent */
/* Adds one event's data. After anything but DELTA_FINE the stream is of no more use. */
enum delta_rc	delta_add(struct delta *, struct slice data) __attribute__((warn_unused_result));
/* The server's figures, else our own count: an interrupted stream never has the usage event. */
struct model_usage	delta_usage(const struct delta *);

#endif
