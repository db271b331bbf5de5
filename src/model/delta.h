/* SPDX-License-Identifier: MIT */
/*
 * delta: gathers text, reasoning, finish reason and usage from the events of one streamed chat
 * answer (objects of type chat.completion.chunk, then [DONE]), or from a whole chat.completion.
 * Pure: no socket, no clock.
 *
 * Servers differ: choices may be empty (OpenAI's usage event) or absent, content null, absent or an
 * array of parts, the usage in an event of its own, in each, or missing, a `message` in the place
 * of the delta. An error has a dozen forms, and [DONE] may follow it: whatever looks like one is
 * one, for half an answer must never pass for the whole. Only the first choice is read, for we ask
 * for one; a refusal is text like any other.
 */
#ifndef TENANTGATE_MODEL_DELTA_H
#define TENANTGATE_MODEL_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "model/text_seam.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/model.h"

struct delta {
	struct buf		 text;		/* owned; reset by whoever has taken it */
	struct buf		 reasoning;	/* the same of the model's thinking aloud */
	struct buf		 stray;		/* owned: the start of an event that was no chunk,
						 * or of a line that was no event, behind the last
						 * words; empty: none */
	struct text_seam	 text_seam;	/* a character begun at the last piece's end */
	struct text_seam	 reasoning_seam;
	const char		*finish_reason;	/* static; NULL until one has come */
	bool			 done;		/* [DONE] has come: nothing after it counts */
	bool			 has_deltas;	/* so a `message` repeats what they said */
	struct model_usage	 usage;		/* the last one sent; zeros until then */
	uint64_t		 pieces;	/* of text and reasoning: about a token each */
};

enum delta_rc {
	DELTA_FINE,
	DELTA_ERROR,	/* an error event: its data is the error body */
	DELTA_STRAY,	/* [DONE] without a finish_reason, after a stray event: the error body */
	DELTA_BROKEN,	/* not JSON, or not of this shape */
	DELTA_FULL,	/* past the text's ceiling, or no memory for it */
};

/* Bytes: of the text, and as many of reasoning. */
void		delta_init(struct delta *, size_t text_max);
void		delta_free(struct delta *);	/* idempotent */
/* Adds one event's data; without any it is a sign of life. After anything but DELTA_FINE the stream
 * is of no more use, but for the text that came before. */
enum delta_rc	delta_add(struct delta *, struct slice data) __attribute__((warn_unused_result));
/* Something came between two events that is none. */
void		delta_add_stray(struct delta *, struct slice);
/* The answer is over: a character that was begun and not ended becomes U+FFFD. */
void		delta_end(struct delta *);
/* The server's figures, else our own count: an interrupted stream never has the usage event. */
struct model_usage	delta_usage(const struct delta *);

#endif
