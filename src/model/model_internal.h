/* SPDX-License-Identifier: MIT */
/*
 * model_internal: what the files of model/ share. Private to the folder.
 *
 *	model.c		open and close		request_json.c	writes requests
 *	model_server.c	the servers of models, made once for the process
 *	model_server_conf.c	which of their settings are good	model_url.c	their URLs
 *	model_choice.c	which model of which server is asked
 *	request_job.c	the same of long ones, by a helper
 *	embed.c		an embeddings request	vectors.c	its answer, by json_scan.c
 *	embed_batch.c	how many texts it has
 *	rerank.c	a ranking		rerank_body.c	its request and its answer
 *	model_chat.c	starts a chat answer	model_stream.c	pulls it, by sse.c and delta*.c
 *	model_error.c	what a failure means, by error_text.c
 *	model_condition.c  how the servers are
 *	gen_ai.c	what calls take, for metrics
 *	model_admit.c	whether a server is asked, by model_breaker.c, and which is next
 *	model_learn.c	what a server does not take, by model_refusal.c and model_habits.c
 */
#ifndef TENANTGATE_MODEL_INTERNAL_H
#define TENANTGATE_MODEL_INTERNAL_H

#include "model/model_habits.h"
#include "model/model_server.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/err.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/model.h"

#define ERROR_BODY_MAX	(16u * 1024)	/* bytes of an error response that are read */
#define TRACE_LINE_MAX	80		/* bytes of the line, with its NUL */
#define BODY_KEPT_MAX	(8u * 1024)	/* bytes of a request that a resting stream keeps */

struct embed_batch;
struct log_pace;
struct meter_series;
struct model_refusal;

struct model_shares {
	struct share_budget	*streams;	/* owned, all three */
	struct share_budget	*embeddings;
	struct share_budget	*reranks;
	struct model_servers	*servers;	/* held: of models opened from now on */
	bool			 has_user_key;	/* else no pseudonyms are made */
	uint8_t			 user_key[SHA256_SIZE]; /* secret: wiped at the end */
};

/* Does not change; a reload opens another. */
struct model {
	struct refs		 refs;	/* first: who has opened it, and each call */
	struct model_servers	*servers;	/* held */
	struct worker		*worker;	/* borrowed */
	struct web		*web;		/* borrowed */
	struct model_shares	*shares;	/* borrowed */
	struct model_conf	 conf;		/* its strings borrowed */
	/* The servers' own: the models that chat_model names, in order, and those for vectors and
	 * for rankings; NULL: there is none. */
	const struct model_choice *chat_choices;
	unsigned		 chat_choice_count;
	const struct model_choice *embedding_choice;
	const struct model_choice *rerank_choice;
};

/* A request under way, of any kind. The body is kept for another try, and to see whether an
 * error message quotes it. */
struct model_call {
	struct model		*model;		/* held: model_call_hold() */
	const struct model_choice *choice;	/* borrowed: of the present try */
	const char		*stage;		/* static: "embedding model", "chat model" */
	enum model_kind		 kind;
	struct log_pace		*pace;		/* borrowed: of the lines of its failures; NULL:
						 * each has one */
	unsigned		 dimensions;	/* of vectors */
	struct slice		 tenant;	/* borrowed until the call's wait is over */
	struct share_grant	 grant;		/* the call's place in its budget */
	struct model_trial	 trial;		/* what the request is written without */
	struct buf		 body;		/* owned */
	bool			 body_is_gone;	/* freed: what quotes it is not known */
	unsigned		 tries;		/* begun, this one included */
	unsigned		 waits;		/* for a pause to end */
	bool			 is_probe;	/* the one that an open breaker has let through */
	bool			 may_fall_back;	/* it was the server's fault */
	struct breaker_end	 end;		/* of the last try, not yet told */
	uint64_t		 began_us;	/* monotonic: of the first try; 0: none yet */
	uint64_t		 piece_us;	/* of the last piece of an answer; 0: none yet */
	struct meter_series	*pieces;	/* borrowed: the worker's; NULL: not looked up */
	char			 user[SHA256_HEX_SIZE];	/* the pseudonym; "": none */
	char			 trace_line[TRACE_LINE_MAX]; /* "traceparent: ..."; "": none */
	const char		*tracestate;	/* borrowed, as the tenant: a line; or NULL */
};

/* For a call's beginning and its end, after which nothing of it is used. */
static inline void
model_call_hold(struct model_call *call, struct model *m)
{
	refs_take(&m->refs);
	call->model = m;
}

static inline void
model_call_let_go(struct model_call *call)
{
	if (call->model != NULL)
		refs_give(&call->model->refs);
	call->model = NULL;
}

/*
 * model_admit.c. Before each try: whether the server may be asked. False with *wait_us, after which
 * to ask again, or 0 and the caller's sentence.
 */
bool	model_call_admitted(struct model_call *, uint64_t *wait_us, struct err *);
/* What became of a try. quota: its failure is that what was paid for is used up. A failure counts
 * when the call has no more tries: then, and when it is freed, it is settled. Idempotent. */
void	model_call_succeeded(struct model_call *);
void	model_call_failed(struct model_call *, const struct web_response *, bool quota);
/* The failure is the client's to mend: it says nothing of the server, nor does one before it. */
void	model_call_excused(struct model_call *);
void	model_call_settle(struct model_call *);
/* After the last try of a chat: true when the next model in order is to be asked, for which the
 * request is to be written anew. err: why, for the log. */
bool	model_call_falls_back(struct model_call *, const struct model_chat *, const struct err *err,
	    const char *request_id);

/*
 * model_learn.c. Before a request is first written: what it may have, from the configuration and
 * what is known of the model. model_call_leaves() says which of it is left out, or plainer.
 */
void	model_learn_embeddings(struct model_call *);
void	model_learn_chat(struct model_call *, const struct model_chat *);
void	model_learn_rerank(struct model_call *);
bool	model_call_leaves(const struct model_call *, enum model_field);
/* After a refusal: true when the request is to be written anew and sent again at once. */
bool	model_learn_refusal(struct model_call *, int status, const struct model_refusal *,
	    const char *request_id);
/* The same of a request of several texts, which may also be too many: then the batch is smaller. */
bool	model_learn_mends(struct model_call *, const struct web_response *, struct slice body,
	    struct embed_batch *, const char *request_id);
/* The request was answered: what was left out is remembered, and logged when it is new. */
void	model_learn_success(const struct model_call *, const char *request_id);
/* So many texts, and bytes of them, were embedded in one request. */
void	model_learn_batch(const struct model_call *, size_t items, size_t bytes);
/* All texts of a batch that was refused as a whole were, in requests of at most so many texts and
 * bytes; 0: that was not the reason. */
void	model_learn_limit(const struct model_call *, size_t items, size_t bytes,
	    const char *request_id);

/* request_json.c. The first two write call->body anew; false when there is no memory for it. The
 * third fills the web request, which borrows the body, and the choice's URL and header lines. */
bool	request_json_embeddings(struct model_call *, const struct slice *texts, size_t n);
bool	request_json_chat(struct model_call *, const struct model_chat *);
/* How long the answer may be, as the request says; 0: it does not. */
unsigned	model_answer_tokens(const struct model_call *, const struct model_chat *);
void	model_call_request(struct model_call *, struct web_request *);
/* For whom the call is made, into it: the tenant, the pseudonym of its user, the trace. */
void	model_call_ask(struct model_call *, const struct model_asker *);

/*
 * model_error.c. What a failed try means: err is set to the caller's sentence, the server's own
 * words go to the log. Returns the microseconds to wait before another try, or 0 for none.
 */
uint64_t	model_error_classify(struct model_call *, const struct web_response *,
		    struct slice body, const char *request_id, struct err *);
/* The same for an error event in the middle of a stream; there is no other try after text. */
void		model_error_event(const struct model_call *, struct slice data,
		    const char *request_id, struct err *);
/* The same for a 200 whose body is not what was asked for. The first is false for what is neither
 * an error object nor HTML or gzip. */
bool		model_error_in_place(const struct model_call *, struct slice body,
		    const char *request_id, struct err *);
void		model_error_answer(const struct model_call *, struct slice body,
		    const char *request_id, struct err *);

#endif
