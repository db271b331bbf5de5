/* SPDX-License-Identifier: MIT */
/*
 * question: see the header. Two tries, each a flow of its own:
 *
 *	[try]:    search ------------------------------------> [tried] --> done, or failed
 *	   ^                                                      |  another model's, which is known
 *	   +------------------------------------------------------+
 *	[try]:    embed --> borrow --> search
 *
 * No lease is held while a model is asked.
 */
#include "api/question.h"

#include <stdlib.h>

#include "api/request_retrieval.h"
#include "tenantgate/base/log.h"

struct question_try {
	struct flow flow;
	struct question_asked *question; /* borrowed */
};

struct question_asked {
	struct flow flow;
	struct request *req; /* borrowed, as all of these */
	const struct chat_input *input;
	float **vector;
	unsigned k;
	struct hits *hits;
	struct question_try attempt;
	struct vector_stored stored; /* whose the tenant's vectors are, when they are another's */
	bool is_former;		     /* the second try */
	bool is_embedding;	     /* which it has not got beyond */
	struct pool_target target;
	char key[TENANT_KEY_SIZE];
	struct err first, why;
};

static flow_step_fn question_begin, question_tried, question_embed, question_borrow, question_find;

static const struct flow_step question_steps[] = {
	{ "question_try", question_begin },
	{ "question_tried", question_tried },
	{ NULL, NULL },
};

static const struct flow_step question_try_steps[] = {
	{ "question_embed", question_embed },
	{ "question_borrow", question_borrow },
	{ "question_search", question_find },
	{ NULL, NULL },
};

static const struct flow_kind question_kind = { .name = "question", .steps = question_steps };
static const struct flow_kind question_try_kind = { .name = "question_try",
	.steps = question_try_steps };

static struct question_asked *
question_of_try(struct flow *f)
{
	return FLOW_OF(f, struct question_try, &question_try_kind)->question;
}

static enum flow_rc
question_embed(struct flow *f)
{
	struct question_asked *q = question_of_try(f);
	struct model_asker asker = request_asker(q->req);

	if (!q->is_former)
		return flow_goto(f, question_find);
	free(*q->vector);
	q->is_embedding = true;
	q->req->spent.former_name = q->stored.model;
	return model_embed_former(f, q->req->ctx->model, &asker, &q->input->question,
	    q->stored.model, q->stored.dimensions, q->vector, &q->req->spent.former);
}

static enum flow_rc
question_borrow(struct flow *f)
{
	struct question_asked *q = question_of_try(f);

	q->is_embedding = false;
	tenant_target(&q->req->tenant, &q->target, q->key);
	return pool_borrow(f, q->req->ctx->pools, &q->target, &q->req->lease);
}

static enum flow_rc
question_find(struct flow *f)
{
	struct question_asked *q = question_of_try(f);
	struct search_request request = request_retrieval(q->req, q->input, *q->vector);

	request.k = q->k;
	request.stored = &q->stored;
	if (q->is_former) {
		request.model = q->stored.model;
		request.dimensions = q->stored.dimensions;
		request.stored = NULL;
	}
	return search_chunks(f, &q->req->lease, &request, q->hits);
}

static enum flow_rc
question_begin(struct flow *f)
{
	struct question_asked *q = FLOW_OF(f, struct question_asked, &question_kind);

	return flow_try(f, &q->attempt.flow, &question_try_kind, &q->why);
}

/* What is told of a model of before that does not answer is that it is not the configured one. */
static enum flow_rc
question_tried(struct flow *f)
{
	struct question_asked *q = FLOW_OF(f, struct question_asked, &question_kind);
	static struct log_pace pace;

	if (!err_is(&q->why))
		return FLOW_DONE;
	if (q->is_former)
		return flow_fail_err(f, q->is_embedding ? &q->first : &q->why);
	if (q->why.code != ERR_VECTORS || !model_knows_former(q->req->ctx->model, q->stored.model))
		return flow_fail_err(f, &q->why);
	if (log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "search.former", q->req->request_id,
		    "The vectors of tenant %s are of '%s', which is asked for its questions as "
		    "long as it can be. Run `tenantgate reembed %s`.",
		    q->req->tenant_id, q->stored.model, q->req->tenant_id);
	q->first = q->why;
	q->is_former = true;
	pool_return(&q->req->lease, POOL_CLEAN);
	return flow_goto(f, question_begin);
}

enum flow_rc
question_search(struct request *req, const struct chat_input *input, float **vector, unsigned k,
    struct hits *hits)
{
	struct question_asked *q = arena_alloc(req->flow.arena, sizeof(*q));

	if (q == NULL)
		return flow_fail(&req->flow, ERR_OVERLOADED, ERR_NO_MEMORY, "the search");
	q->req = req;
	q->input = input;
	q->vector = vector;
	q->k = k;
	q->hits = hits;
	q->attempt.question = q;
	return flow_call(&req->flow, &q->flow, &question_kind);
}
