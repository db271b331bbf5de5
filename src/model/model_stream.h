/* SPDX-License-Identifier: MIT */
/*
 * model_stream: one streamed chat answer. model_chat.c starts it; model_stream.c pulls text out of
 * it, moves its state and frees it.
 *
 *	model_chat_start --> [active] --[DONE]--> [complete] --stop--> read to the last byte, freed
 *	                      |    |
 *	                      |    +--body's end, after a finish_reason--> [ended] --stop--> freed
 *	                      |    +--body's end, of a whole chat.completion--> [ended]
 *	                      +--stop: the connection is closed, the server stops--> freed
 */
#ifndef TENANTGATE_MODEL_STREAM_H
#define TENANTGATE_MODEL_STREAM_H

#include "model/delta.h"
#include "model/error_text.h"
#include "model/model_internal.h"
#include "model/sse.h"

#define STREAM_MAGIC	0x4d53544du	/* "MSTM" */
#define STREAM_AHEAD	(16u * 1024)	/* bytes that may have arrived and not been pulled */

enum stream_state {
	STREAM_ACTIVE,		/* more may come; also after a failure, until it is stopped */
	STREAM_COMPLETE,	/* [DONE] has come; the body's end (the last chunk) perhaps not */
	STREAM_ENDED,		/* the answer is complete, the body at its end */
};

struct model_stream {
	struct flow		 flow;		/* of one pull at a time, at last of lingering */
	unsigned		 magic;		/* STREAM_MAGIC */
	enum stream_state	 state;
	struct model_call	 call;		/* owned */
	struct web_transfer	*transfer;	/* owned; NULL before the header has come */
	struct web_response	 response;	/* owned; its failure is valid at the body's end */
	struct slice		 piece;		/* borrowed until the next web_pull() */
	struct sse		 sse;		/* owned */
	struct delta		 delta;		/* owned; its bufs are reset by each pull */
	struct model_delta	*out;		/* borrowed: the caller's, during a pull */
	struct err		 failure;	/* found behind text, which is pulled first */
	enum body_form		 form;		/* of the body, once its first byte has come */
	struct buf		 whole;		/* owned: a body that is JSON and no stream */
	uint64_t		 finished_us;	/* monotonic: of its finish_reason; 0: none yet */
	struct model_delta	 first;		/* of a pull ahead of the caller's, .. */
	bool			 has_first;	/* .. which the next one brings */
};

struct model_stream	*model_stream_new(struct model *);
void			 model_stream_free(struct model_stream *);
/* A pull ahead, for a 200 that does not say that it is a stream: fails when it is no answer. */
enum flow_rc		 model_stream_look(struct flow *, struct model_stream *)
			    __attribute__((warn_unused_result));

#endif
