/* SPDX-License-Identifier: MIT */
/*
 * model: embeddings and streamed chat answers from any OpenAI-compatible server (OpenAI API
 * reference, POST /v1/embeddings and POST /v1/chat/completions).
 *
 * A model belongs to a worker and is used on its thread only. A call is tried again at most
 * conf.retries times, with a back-off, only before the first byte of an answer, and only when the
 * server says so (408, 409, 429, 5xx, none with a long Retry-After) or nothing was sent: anything
 * else might be billed twice. A 429 for a quota that is used up is never tried again.
 *
 * How many streams and embedding calls are under way in the process is bounded, and lent by tenant
 * (loop/share): there is no call without the tenant that it is for. A stream holds its place until
 * its connection is free again, an embedding call until it has ended, other tries included.
 *
 * Failures: ERR_MODEL (502), ERR_MODEL_TIMEOUT (504), ERR_OVERLOADED (503, with retry_after, when
 * no place came free in time, for the server's 429 and 503, and for want of memory), and two that
 * are the client's: ERR_CONTEXT_LENGTH and ERR_CONTENT_FILTER (400). The server's own message is
 * logged and not shown to the caller: it may hold account data or quote the prompt.
 */
#ifndef TENANTGATE_MODEL_H
#define TENANTGATE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/condition.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/wire/web.h"

struct model;

struct model_conf {
	const char	*base_url;		/* "https://api.openai.com/v1", no last slash */
	const char	*api_key;		/* secret; NULL or "" for servers without keys */
	const char	*chat_model;
	const char	*embedding_model;
	unsigned	 dimensions;		/* floats of an embedding; others are refused */
	bool		 send_dimensions;	/* name it in the request (text-embedding-3-*) */
	bool		 strip_new_lines;	/* as LangChain's OpenAIEmbeddings does */
	unsigned	 batch_items_max;	/* texts of a request; OpenAI takes 2048 */
	size_t		 batch_bytes_max;	/* OpenAI takes 300,000 tokens, of >= 1 byte */
	unsigned	 retries;		/* after the first try */
	uint64_t	 connect_timeout_us;
	uint64_t	 first_byte_timeout_us;	/* from the start of a try */
	uint64_t	 idle_timeout_us;	/* between two pieces of an answer */
	size_t		 delta_max;		/* bytes of one server-sent event */
	unsigned	 streams_max;		/* answers being streamed, whole process */
	unsigned	 embeddings_max;	/* embedding calls under way, whole process */
	unsigned	 waiting_max;		/* of a tenant, for either; more fail at once */
	uint64_t	 wait_timeout_us;	/* for a place among either */
};
void	model_conf_init(struct model_conf *);

/* The two budgets, which the models of all workers share: opened before these, closed when they and
 * the workers are closed. */
struct model_shares;
struct model_shares	*model_shares_open(const struct model_conf *);
void			 model_shares_close(struct model_shares *);	/* NULL is fine */

struct model_usage {
	uint64_t	input_tokens;
	uint64_t	output_tokens;
	bool		known;		/* the server's figures; else output_tokens is our own
					 * count of pieces of text, input_tokens 0 */
};

/* conf is copied, its strings are borrowed until model_close(). */
struct model	*model_open(struct worker *, struct web *, struct model_shares *,
		    const struct model_conf *);
/* To be called when the flows that use it have ended, and the worker's flows named model_linger
 * too: these read a finished stream to its last byte, for a second at most, so that libcurl can
 * keep the connection. */
void		 model_close(struct model *);
/* How its servers are, by the last calls of all workers: none is made for it. */
void		 model_condition(const struct model *, struct condition *);
/* Whether its budgets are used up (share_condition()), and their figures. Any thread. */
void		 model_shares_condition(const struct model *, struct condition *);
void		 model_shares_stats(const struct model *, struct share_stats *streams,
		    struct share_stats *embeddings);
unsigned	 model_dimensions(const struct model *);
const char	*model_chat_name(const struct model *);	/* conf.chat_model: borrowed */

/* How many of the first texts fit one embeddings request; at least 1 when n > 0: a text past
 * batch_bytes_max goes alone, for the server to judge. */
size_t		 model_batch(const struct model *, const struct slice *texts, size_t n);
/* Bytes that embedding n texts takes: the vectors, and one batch's request and response (a dozen
 * bytes for a number, as text has, where base64 has five). An estimate: the first batch stands for
 * all. */
size_t		 model_embed_memory(const struct model *, const struct slice *texts, size_t n);
/* One request for n texts (at most a batch; OpenAI refuses empty ones). *out is set to n *
 * dimensions floats in the texts' order, for the caller to free(), or stays NULL; out, the usage
 * and the tenant's id are borrowed until the wait is over, the texts only during the call. An
 * answer with NaN, an infinity or a zero vector is ERR_MODEL. */
enum flow_rc	 model_embed(struct flow *, struct model *, struct slice tenant,
		    const struct slice *texts, size_t n, float **out, struct model_usage *)
		    __attribute__((warn_unused_result));

struct model_message {
	const char	*role;		/* "system", "user", "assistant" */
	struct slice	 content;	/* UTF-8 */
};

struct model_chat {
	const char			*name;		/* NULL: the configured model */
	const struct model_message	*messages;	/* borrowed for model_chat_start() */
	size_t				 message_count;
	double				 temperature;	/* < 0: not sent */
	unsigned			 max_tokens;	/* 0: not sent */
};

struct model_stream;

struct model_delta {
	struct slice		 text;		/* UTF-8, borrowed until the next pull; may be empty
						 * in the last, and beside reasoning */
	struct slice		 reasoning;	/* likewise: what the model says to itself */
	bool			 finished;	/* the last one; only then the fields below count */
	const char		*finish_reason;	/* static: stop, length, content_filter, tool_calls,
						 * other */
	struct model_usage	 usage;
};

/* Sends the request and waits for the response's header fields. *out is NULL until then and the
 * flow's to stop from then on: defer model_chat_stop() before the call, for the flow may be aborted
 * between the wait's end and its own next step. The tenant's id is borrowed until then. */
enum flow_rc	 model_chat_start(struct flow *, struct model *, struct slice tenant,
		    const struct model_chat *, struct model_stream **out)
		    __attribute__((warn_unused_result));
/* The next piece of the answer: the text of all events that have arrived, in one slice, and their
 * reasoning in another. A stream that ends without a finish_reason or [DONE], an error event, or a
 * stall fails the flow, after what came before it was pulled: a cut answer must never look like a
 * finished one. What is not pulled is not read from the socket beyond a small read-ahead, so a slow
 * client slows the model. */
enum flow_rc	 model_chat_pull(struct flow *, struct model_stream *, struct model_delta *)
		    __attribute__((warn_unused_result));
/* The caller will not pull for a while, for its client does not read: what is not needed until then
 * is freed, the text of the last pull too, and nothing more is read of the server. */
void		 model_chat_rest(struct model_stream *);
/* The usage so far: the server's figures, else our own count. For an answer that is left, cut or
 * failed, which has no last delta; to be asked before model_chat_stop(). NULL: none. */
struct model_usage	 model_chat_usage(const struct model_stream *);
/* Ends the stream, and sets the pointer to NULL. If the answer is not over the connection is
 * closed, which makes the server stop generating (and billing). Idempotent; defer it. */
void		 model_chat_stop(struct model_stream **);

#endif
