/* SPDX-License-Identifier: MIT */
/*
 * model: embeddings and streamed chat answers from any OpenAI-compatible server (OpenAI API
 * reference, POST /v1/embeddings and POST /v1/chat/completions), and rankings from any that has
 * POST /rerank.
 *
 * A model belongs to a worker and is used on its thread only. A call is tried again at most
 * conf.retries times, with a back-off, only before the first byte of an answer, and only when the
 * server says so (408, 409, 429, 5xx, none with a long Retry-After) or has certainly done nothing
 * (web_response.unprocessed): anything else might be billed twice. Embeddings, whose result is the
 * same and cheap, also when the connection broke before the answer began. A 429 for a quota that is
 * used up is never tried again.
 *
 * A server that fails again and again, says Retry-After or has no quota left is not asked for a
 * while, by a breaker for each server and kind of model (model/model_breaker.h): ERR_OVERLOADED at
 * once, with the rest of that while, but for up to 5 s of it, which are waited.
 *
 * A server that refuses (400, 422) what OpenAI takes is asked again at once without it, a few times
 * at most: a refusal was not worked on, and is not billed. What it turned out not to take is left
 * out from then on (model/model_habits.h). A batch that it finds too large goes in smaller ones.
 *
 * How many streams, embedding calls and rankings are under way in the process is bounded, and lent
 * by tenant (loop/share): there is no call without the tenant that it is for. A stream holds its
 * place until its connection is free again, the others until they have ended, other tries included.
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
#include "tenantgate/base/err.h"
#include "tenantgate/base/refs.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/wire/web.h"

struct model;

/* How a field is sent that OpenAI knows and a compatible server may refuse. */
enum field_form {
	FORM_AUTO,	/* in full; plainer once the server has refused it */
	FORM_FULL,	/* always in full */
	FORM_PLAIN,	/* left out, or in its plainer form */
	FORM_DEVELOPER,	/* of system_role only: the role `developer` */
};

/* The field in which a server is told how long an answer may be. */
enum model_length_field {
	MODEL_LENGTH_AUTO,			/* by its host */
	MODEL_LENGTH_MAX_TOKENS,
	MODEL_LENGTH_MAX_COMPLETION_TOKENS,
};

/* One server of models. */
#define MODEL_SERVERS_MAX	16		/* besides the one of base_url */
struct model_server_conf {
	const char	*name;			/* of its section; "default": of model_url */
	const char	*url;			/* base of its routes; a query is kept */
	const char	*api_key;		/* secret; NULL or "" for servers without keys */
	const char	*api_key_header;	/* "Authorization": as Bearer */
	const char	*headers;		/* secret: a JSON object of strings; NULL: none */
	const char	*api_version;		/* Azure's; NULL: none */
	bool		 deployments;		/* Azure's routes by deployment */
	const char	*extra_body;		/* a JSON object, for chats; NULL: none */
	const char	*embedding_extra_body;
	const char	*rerank_extra_body;
	unsigned	 answer_tokens;		/* unless a chat says; 0: not sent */
	enum model_length_field	 length_field;
	bool		 send_user;		/* a pseudonym of tenant and user */
	unsigned	 batch_items_max;	/* texts of a request; OpenAI takes 2048 */
	size_t		 batch_bytes_max;	/* OpenAI takes 300,000 tokens, of >= 1 byte */
	enum field_form	 stream_options;	/* plain: none, and tokens are counted by us */
	enum field_form	 temperature;		/* plain: none */
	enum field_form	 system_role;		/* plain: its text begins the first user turn */
	enum field_form	 base64;		/* of embeddings; plain: floats as text */
	enum field_form	 rerank_form;		/* full: `documents`, plain: `texts` */
	unsigned	 retries;		/* after the first try */
	uint64_t	 connect_timeout_us;
	uint64_t	 first_byte_timeout_us;	/* from the start of a try */
	uint64_t	 idle_timeout_us;	/* between two pieces of an answer */
};

struct model_conf {
	const char	*base_url;		/* "https://api.openai.com/v1" */
	const char	*api_key;		/* secret; NULL or "" for servers without keys */
	const char	*chat_model;		/* MODEL or NAME/MODEL; several, with commas */
	const char	*embedding_model;	/* one, in the same form */
	const char	*rerank_model;		/* one, in the same form; NULL: none */
	const char	*models_allowed;	/* that a chat may name besides; NULL: none */
	unsigned	 answer_tokens;		/* unless a chat says; 0: not sent */
	unsigned	 answer_tokens_max;	/* whatever a chat says; 0: no such limit */
	bool		 send_user;
	const struct model_server_conf *servers; /* borrowed: those with names */
	unsigned	 server_count;
	const uint8_t	*user_key;		/* secret, SHA256_SIZE bytes: what pseudonyms are
						 * made with; NULL: none are sent; copied */
	unsigned	 dimensions;		/* floats of an embedding; others are refused */
	bool		 send_dimensions;	/* name it in the request (text-embedding-3-*) */
	bool		 strip_new_lines;	/* as LangChain's OpenAIEmbeddings does */
	unsigned	 batch_items_max;	/* texts of a request; OpenAI takes 2048 */
	size_t		 batch_bytes_max;	/* OpenAI takes 300,000 tokens, of >= 1 byte */
	enum field_form	 stream_options;	/* plain: none, and tokens are counted by us */
	enum field_form	 temperature;		/* plain: none */
	enum field_form	 system_role;		/* plain: its text begins the first user turn */
	enum field_form	 base64;		/* of embeddings; plain: floats as text */
	enum model_length_field	 length_field;
	unsigned	 retries;		/* after the first try */
	uint64_t	 connect_timeout_us;
	uint64_t	 first_byte_timeout_us;	/* from the start of a try */
	uint64_t	 idle_timeout_us;	/* between two pieces of an answer */
	size_t		 delta_max;		/* bytes of one server-sent event */
	unsigned	 streams_max;		/* answers being streamed, whole process */
	unsigned	 embeddings_max;	/* embedding calls under way, whole process */
	unsigned	 reranks_max;		/* rankings under way, whole process */
	unsigned	 waiting_max;		/* of a tenant, for each; more fail at once */
	uint64_t	 wait_timeout_us;	/* for a place among the first two */
	uint64_t	 rerank_timeout_us;	/* of a ranking in all, its wait included */
};
void	model_conf_init(struct model_conf *);
/* False with what is wrong, and *key (static) the configuration key to change: of one server, and
 * of what names models. */
bool	model_server_conf_valid(const struct model_server_conf *, const char **key, struct err *);
bool	model_conf_valid(const struct model_conf *, const char **key, struct err *);

/* The budgets and the servers, which the models of all workers share: opened before these,
 * closed when they, the workers and the helper threads are closed. */
struct model_shares;
struct model_shares	*model_shares_open(const struct model_conf *);
void			 model_shares_close(struct model_shares *);	/* NULL is fine */
/*
 * Other settings, for the models that are opened from now on. Of a server of models that is as it
 * was before, what is known of it is kept; calls under way end with the servers that they began
 * with. owner: held as long as the conf's strings are in use; NULL: they outlive the shares. One
 * thread at a time, while no other opens a model.
 */
void			 model_shares_configure(struct model_shares *, const struct model_conf *,
			    struct refs *owner);
/* The servers of now, and the names of their models, for whoever holds it. The caller gives it
 * back. */
struct refs		*model_shares_servers(struct model_shares *);

struct model_usage {
	uint64_t	input_tokens;
	uint64_t	output_tokens;
	bool		known;		/* the server's figures; else output_tokens is our own
					 * count of pieces of text, input_tokens 0 */
	uint64_t	calls;		/* for vectors, that were answered */
	uint64_t	text_bytes;	/* of the texts whose vectors came */
};

/* conf is that of the shares; it is copied, its strings are borrowed until model_close() and the
 * end of the last call. */
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
/* Which budgets, of model_share_budget(); borrowed: as long as the process's. */
enum model_share { SHARE_OF_STREAMS, SHARE_OF_EMBEDDINGS, SHARE_OF_RERANKS };
struct share_budget	*model_share_budget(const struct model *, enum model_share);
void		 model_shares_stats(const struct model *, struct share_stats *streams,
		    struct share_stats *embeddings, struct share_stats *reranks);
unsigned	 model_dimensions(const struct model *);
const char	*model_embedding_name(const struct model *);	/* conf.embedding_model: borrowed */
const char	*model_chat_name(const struct model *);	/* the first of conf.chat_model: borrowed */
/* Whether a chat may name this model; NULL is none, and fine. list: those of conf.models_allowed
 * that its tenant may name, in the same form. False with ERR_INVALID_FIELD or ERR_MODEL_FORBIDDEN,
 * which list those that it may. */
bool		 model_chat_allowed(const struct model *, const char *name, const char *list,
		    struct err *);

/* For whom a call is made. The model is told of the user, and of the trace, as the server's conf
 * says. */
struct model_asker {
	struct slice	tenant;		/* its id: borrowed until the call's wait is over */
	struct slice	user;		/* by the caller's own id; for a pseudonym; may be empty */
	struct slice	traceparent;	/* the header's value, well-formed; copied; may be empty */
	const char	*tracestate;	/* the header's line; borrowed, as the tenant; or NULL */
};

/* How many of the first texts fit one embeddings request, by the configuration and by what the
 * server was found to take; at least 1 when n > 0: a text past batch_bytes_max goes alone, for the
 * server to judge. */
size_t		 model_batch(const struct model *, const struct slice *texts, size_t n);
/* Bytes that the vector of one text takes, with the one in the response that it is read from. */
size_t		 model_vector_memory(const struct model *);
/* One request for n texts (at most a batch; OpenAI refuses empty ones), or several when the server
 * wants smaller batches. *out is set to n * dimensions floats in the texts' order, for the caller
 * to free(), or stays NULL; the tokens are added to the usage. All pointers are borrowed until the
 * wait is over. An answer with NaN, an infinity or a zero vector is ERR_MODEL. */
enum flow_rc	 model_embed(struct flow *, struct model *, const struct model_asker *,
		    const struct slice *texts, size_t n, float **out, struct model_usage *)
		    __attribute__((warn_unused_result));
/* The same for a question, by a model that made vectors before and is named as embedding_model was
 * then. Known is one whose section [model NAME] is still there, or that model_url has if it named
 * none; whether the server still has it is seen when it is asked. */
bool		 model_knows_former(struct model *, const char *name);
enum flow_rc	 model_embed_former(struct flow *, struct model *, const struct model_asker *,
		    const struct slice *text, const char *name, unsigned dimensions, float **out,
		    struct model_usage *) __attribute__((warn_unused_result));

/* ---- rankings ---- */
#define MODEL_RERANK_MAX	100	/* texts of one call */

struct model_ranking {
	bool		ranked;		/* else nothing below counts, but why */
	unsigned	count;		/* of the texts */
	unsigned	scored;		/* those of the order that have a score: the wanted, as
					 * far as they were sent, at least */
	unsigned	order[MODEL_RERANK_MAX];	/* their places, the best first */
	float		scores[MODEL_RERANK_MAX];	/* in that order; the model's own scale */
	struct err	why;		/* it was not ranked */
};
bool		 model_reranks(const struct model *);	/* conf.rerank_model names a model */
/* The order of n texts by how well they answer the query, as a model that reads both says; the
 * first `wanted` of it are those that matter. Without a model or a text at once, and unranked. What
 * goes wrong is no failure of the flow: then it is unranked after conf.rerank_timeout_us at most,
 * which is logged once a minute. Of long texts the first 256 KiB are sent; the others come last.
 * All pointers are borrowed until the wait is over. */
enum flow_rc	 model_rerank(struct flow *, struct model *, const struct model_asker *,
		    struct slice query, const struct slice *texts, unsigned n, unsigned wanted,
		    struct model_ranking *) __attribute__((warn_unused_result));

struct model_message {
	const char	*role;		/* "system", "user", "assistant" */
	struct slice	 content;	/* UTF-8 */
	const struct slice *images;	/* data: URLs, that go with it */
	size_t		 image_count;
};

struct model_chat {
	const char			*name;		/* an allowed one; NULL: chat_model */
	const struct model_message	*messages;	/* borrowed, as all of it is */
	size_t				 message_count;
	double				 temperature;	/* < 0: not sent */
	unsigned			 max_tokens;	/* 0: what the server's conf says */
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
 * between the wait's end and its own next step. The tenant's id, the messages and the name are
 * borrowed until then: another try, or another model's request, may be written from them.
 *
 * Without a name, or with that of the first, the models of conf.chat_model are asked in their
 * order, each with its own tries, until one answers: the next after no connection, no first byte in
 * time, a 401, 402, 403, 404, 408, 429 or 5xx, or an open breaker. What is the request's own fault
 * (400, 413, 422) is the answer. */
enum flow_rc	 model_chat_start(struct flow *, struct model *, const struct model_asker *,
		    const struct model_chat *, struct model_stream **out)
		    __attribute__((warn_unused_result));
/* The model that answers, as it is configured. Borrowed, as long as its servers are held. */
const char	*model_stream_name(const struct model_stream *);
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
