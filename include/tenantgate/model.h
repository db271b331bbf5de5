/* SPDX-License-Identifier: MIT */
/*
 * model: which model. Embeddings and streamed chat from any OpenAI-compatible server.
 *
 * A model belongs to a worker. Calls are retried at most conf.retries times, only before the
 * first byte of an answer, only when the server says try again (408, 409, 429 with a short
 * Retry-After, 5xx) or nothing was sent; insufficient_quota never. Failures: ERR_MODEL (502),
 * ERR_MODEL_TIMEOUT (504), ERR_OVERLOADED (503, with retry_after, for its 429 and 503). The
 * server's own message is logged, not shown: it may hold account data.
 * Facts: OpenAI API reference, /v1/embeddings and /v1/chat/completions.
 */
#ifndef TENANTGATE_MODEL_H
#define TENANTGATE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/web.h"

struct model;

struct model_conf {
	const char	*base_url;		/* "https://api.openai.com/v1", no last slash */
	const char	*api_key;		/* may be NULL (local servers) */
	const char	*chat_model;
	const char	*embedding_model;
	unsigned	 dimensions;		/* of an embedding; other sizes are refused */
	bool		 send_dimensions;	/* ask for them (3-* models) */
	bool		 strip_new_lines;	/* as LangChain's OpenAIEmbeddings does */
	unsigned	 batch_items_max;	/* 2048 at OpenAI */
	size_t		 batch_bytes_max;	/* 300,000: tokens never exceed bytes */
	unsigned	 retries;
	uint64_t	 connect_timeout_us;
	uint64_t	 first_byte_timeout_us;
	uint64_t	 idle_timeout_us;
	size_t		 delta_max;		/* one server-sent event, bytes */
};
void	model_conf_init(struct model_conf *);

struct model_usage {
	uint64_t	input_tokens;
	uint64_t	output_tokens;
	bool		known;		/* the server told; else our own count of deltas */
};

/* conf is copied, its strings are borrowed. NULL: no memory. */
struct model	*model_open(struct worker *, struct web *, const struct model_conf *);
/* The flows that asked it have ended; so have the worker's flows named model_linger (a finished
 * stream is read to its last byte, a second at most, so that its connection can be kept). */
void		 model_close(struct model *);
unsigned	 model_dimensions(const struct model *);
const char	*model_chat_name(const struct model *);

/* How many of the first texts fit one embeddings request; at least 1 when n > 0. */
size_t		 model_batch(const struct model *, const struct slice *texts, size_t n);
/* One request for n texts (at most a batch; none empty). out: n * dimensions floats, in order; it
 * and the usage are borrowed until the wait is over, the texts only during the call. Refuses NaN,
 * infinities and zero vectors. */
enum flow_rc	 model_embed(struct flow *, struct model *, const struct slice *texts, size_t n,
		    float *out, struct model_usage *) __attribute__((warn_unused_result));

struct model_message {
	const char	*role;		/* "system", "user", "assistant" */
	struct slice	 content;	/* UTF-8 */
};

struct model_chat {
	const char			*name;		/* NULL: the configured model */
	const struct model_message	*messages;
	size_t				 message_count;
	double				 temperature;	/* < 0: not sent */
	unsigned			 max_tokens;	/* 0: not sent */
};

struct model_stream;

struct model_delta {
	struct slice		 text;		/* UTF-8, borrowed until the next pull; or none */
	bool			 finished;	/* the last one (it may have text too); then: */
	const char		*finish_reason;	/* static: stop, length, content_filter, other */
	struct model_usage	 usage;
};

/* Waits for the answer's header; nothing was streamed yet, so failures are the flow's. *out is NULL
 * until it has come: defer model_chat_stop() before asking, for an abort may come right after. */
enum flow_rc	 model_chat_start(struct flow *, struct model *, const struct model_chat *,
		    struct model_stream **out) __attribute__((warn_unused_result));
/* The next words: everything that has arrived, joined. A stream that ends without finish_reason
 * or [DONE], an error event, a stall: the flow fails. */
enum flow_rc	 model_chat_pull(struct flow *, struct model_stream *, struct model_delta *)
		    __attribute__((warn_unused_result));
/* Closes the connection to the model, if the answer is not over. Idempotent; defer it. */
void		 model_chat_stop(struct model_stream **);

#endif
