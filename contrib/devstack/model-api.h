/* SPDX-License-Identifier: MIT */
/*
 * model-api: a stand-in for a model's server, on the project's own modules. It speaks OpenAI's API
 * well enough that the production code runs unchanged against it, is fast enough to be a
 * benchmark's upstream, and can be made to misbehave. One thread; no model: the answer quotes the
 * passages of the prompt, and says so.
 *
 *	model-api.c		options, routes, counters
 *	model-api-request.c	what every request begins and ends with
 *	model-api-knobs.c	how to misbehave: by POST /_knobs, X-Knobs, or the model's name
 *	model-api-words.c	text to weighed words
 *	model-api-vectors.c	POST /v1/embeddings
 *	model-api-rerank.c	POST /v1/rerank
 *	model-api-quote.c	the sentence of the passages that answers the question
 *	model-api-chat.c	POST /v1/chat/completions: request, refusals, an answer in one piece
 *	model-api-completion.c	the same, streamed
 */
#ifndef DEVSTACK_MODEL_API_H
#define DEVSTACK_MODEL_API_H

#include <assert.h>
#include <stddef.h>

#include <jansson.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/http.h"
#include "tenantgate/loop/flow.h"

#define STALL_MS	(24u * 3600 * 1000)	/* "never": longer than any test */
#define BODY_MAX	(16u << 20)		/* bytes of a request */
#define TEXT_MAX	(4u << 20)		/* bytes of an answer, or of a prompt's part */

/* How to misbehave. All 0: not at all. */
struct knobs {
	unsigned	token_delay_ms;		/* before each word but the first */
	unsigned	first_delay_ms;		/* before the header of the response */
	unsigned	tokens;			/* exactly so many words */
	unsigned	fail;			/* HTTP status, of any route */
	unsigned	fail_chat;		/* of one */
	unsigned	fail_embeddings;
	unsigned	fail_times;		/* failures left, for all clients; 0: for ever */
	unsigned	retry_after;		/* seconds, with a 429 or 503 */
	unsigned	quota;			/* 1: the 429 is insufficient_quota */
	unsigned	stall_header;		/* 1: no response, ever */
	unsigned	stall_after;		/* words, then silence */
	unsigned	cut_after;		/* words, then the connection is cut */
	unsigned	error_after;		/* words, then an error event */
	unsigned	huge_event;		/* bytes of the first word */
	unsigned	echo;			/* 1: the prompt is the answer */
	unsigned	embed_delay_ms;		/* before the vectors */
	unsigned	stall_embeddings;	/* 1: no response, ever */
	unsigned	bad_vectors;		/* 1 zero, 2 NaN, 3 one is missing, 4 too short */
	unsigned	fail_rerank;		/* as fail_chat */
	unsigned	rerank_delay_ms;	/* before the order */
	unsigned	stall_rerank;		/* 1: no response, ever */
	unsigned	bad_rerank;		/* 1 no such index, 2 twice, 3 one alone, 4 NaN */
};

/* What GET /_stats counts since the start. */
struct stats {
	unsigned long	embeddings;		/* requests */
	unsigned long	texts;			/* embedded */
	unsigned long	chats;
	unsigned long	reranks;
	unsigned long	models;
	unsigned long	refused;		/* error responses */
	unsigned long	aborted;		/* the client left in the middle of a stream */
	unsigned long	streams;		/* active now */
	unsigned long	tokens;			/* words sent */
};

struct model_api {
	struct worker		*worker;
	struct http_server	*http;
	const char		*api_key;	/* borrowed from argv; NULL: any will do */
	unsigned		 dimensions;	/* unless the request names them */
	struct knobs		 knobs;		/* of all requests, unless they bring their own */
	struct stats		 stats;
};

#define MODEL_REQUEST_MAGIC 0x4d524551u /* "MREQ" */

/* What every handler's struct begins with, as struct request does in src/api. */
struct model_request {
	struct flow		 flow;
	unsigned		 magic;
	struct model_api	*api;		/* borrowed */
	struct http_exchange	*x;		/* borrowed until the end */
	struct knobs		 knobs;		/* this request's, from model_request_open() on */
	struct buf		 body;		/* owned */
	json_t			*root;		/* owned */
	struct timer		 timer;
};

/* ---- model-api-request.c ---- */
/* Allocates `size` zeroed bytes, which begin with a struct model_request, and starts the flow in
 * them. model_request_release() frees them. */
struct model_request	*model_request_start(struct model_api *, struct http_exchange *,
		    size_t size, const struct flow_kind *);
enum flow_rc	 model_request_read(struct flow *);	/* a step: reads the body */
/* Checks the API key, parses the body, reads the knobs. False when the request was refused. */
bool		 model_request_open(struct model_request *);
/* True when the knobs make this request fail, and it was refused: with `status`, the route's own,
 * or with the knob `fail`. Statuses other than 4xx and 5xx do nothing. */
bool		 model_request_fails(struct model_request *, unsigned status);
/* What a step returns to wait; with `stall` until the client leaves. */
enum flow_rc	 model_request_wait(struct model_request *, unsigned ms, bool stall);
void		 model_request_refuse(struct model_request *, int status, const char *type,
		    const char *code, const char *message);
void		 model_request_reply(struct model_request *, const struct buf *json);
void		 model_request_end(struct flow *, const struct err *);	/* calls http_end() */
void		 model_request_release(struct flow *);

/* The checked downcast of steps that several handlers share. */
static inline struct model_request *
model_request_of(struct flow *f)
{
	struct model_request *req = (struct model_request *)(void *)f;

	_Static_assert(offsetof(struct model_request, flow) == 0, "a flow comes first");
	assert(f->magic == FLOW_MAGIC && req->magic == MODEL_REQUEST_MAGIC);
	return req;
}

/* ---- model-api-knobs.c ---- */
/* False when a name is unknown or a value is no whole number; *knobs may be changed in part then.
 * Knobs that are not named stay. */
bool		 knobs_json(struct knobs *, const json_t *);
/* The same from "name=value,name=value"; a name alone is 1. */
bool		 knobs_text(struct knobs *, struct slice);
void		 knobs_put(const struct knobs *, struct buf *);	/* as JSON */

/* ---- model-api-words.c ---- */
struct word {
	uint64_t	hash;	/* of the stem in lower case; never 0 */
	float		weight;	/* small for what is in every text */
	struct slice	text;	/* borrowed: as it stands */
};
void		 words_init(void);	/* once, before the first word_next() */
/* The next word of the text (letters, digits and all beyond ASCII), which is cut off its front;
 * false at the end. */
bool		 word_next(struct slice *text, struct word *);

/* ---- the handlers ---- */
void		 embeddings_start(struct model_api *, struct http_exchange *);
void		 rerank_start(struct model_api *, struct http_exchange *);
void		 chat_completion_start(struct model_api *, struct http_exchange *);

/* ---- model-api-quote.c ---- */
/* Appends the stand-in's answer. passages: the system prompt. */
void		 quote_answer(struct slice passages, struct slice question, struct buf *out);

/* ---- model-api-completion.c ---- */
#define COMPLETION_MAGIC 0x434f4d50u /* "COMP" */

struct completion {
	struct model_request	req;
	unsigned	magic;
	struct buf	text;		/* owned: the whole answer */
	struct slice	rest;		/* of text: what is not yet sent */
	struct buf	out;		/* owned: bytes to be written */
	const char	*model;		/* borrowed from root */
	char		id[32];
	bool		streamed;
	bool		include_usage;
	unsigned	words_sent;
	unsigned	prompt_tokens;
};
/* Steps of a streamed completion; completion_delay() goes back to completion_next(). */
enum flow_rc	 completion_begin(struct flow *);
enum flow_rc	 completion_next(struct flow *);
enum flow_rc	 completion_flush(struct flow *);
enum flow_rc	 completion_delay(struct flow *);
static inline struct completion *
completion_of(struct flow *f)
{
	struct completion *c = (struct completion *)(void *)model_request_of(f);

	_Static_assert(offsetof(struct completion, req) == 0, "a request comes first");
	assert(c->magic == COMPLETION_MAGIC);
	return c;
}
/* The next word of the answer with the space before it, counted as sent; false at the end. */
bool		 completion_word(struct completion *, struct slice *);

#endif
