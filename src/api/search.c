/* SPDX-License-Identifier: MIT */
/*
 * search: POST /search. The chunks nearest to a query, as JSON, nearest first.
 *
 * What POST /chat does up to its search, without the model's answer: the query is embedded, the
 * tenant's chunks are searched, and perhaps put in order by another model. The lease is returned
 * before that.
 */
#include <math.h>
#include <stdlib.h>

#include "api/body_job.h"
#include "api/handlers.h"
#include "api/question.h"
#include "api/ranking.h"
#include "api/request_retrieval.h"
#include "api/respond.h"
#include "api/search_body.h"
#include "tenantgate/base/json.h"

#define RESULTS_MAX (8u << 20) /* bytes of one response */

/* The body as it is read, on a helper when it is large. */
struct search_job {
	struct body_job job;	 /* first */
	unsigned top_k;		 /* unless the body says */
	struct chat_input input; /* the question and what chat_body_scope() reads; arena */
};

struct search {
	struct request req;	 /* first */
	void *job;		 /* owned: struct search_job; NULL while it is read */
	struct chat_input input; /* strings in the job's arena */
	float *vector;		 /* owned: the query's */
	struct hits hits;	 /* strings in the flow's arena */
	struct ranking ranking;
};

static flow_step_fn search_parse, search_embed, search_run, search_rerank, search_respond;
static flow_end_fn search_end;

static const struct flow_step search_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "provision", request_database },
	{ "body", request_body },
	{ "parse", search_parse },
	{ "embed", search_embed },
	{ "expire", request_expire },
	{ "pool_wait", request_borrow },
	{ "search", search_run },
	{ "rerank", search_rerank },
	{ "respond", search_respond },
	{ NULL, NULL },
};

static const struct flow_kind search_kind = { "search", search_steps, search_end, request_release };

static struct search *
search_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct search, req.flow, &search_kind);
}

/* An offload_fn. */
static void
search_job_read(void *arg)
{
	struct search_job *j = arg;
	json_t *root = body_job_json(&j->job, CHAT_NODES_MAX);

	if (root != NULL)
		(void)search_body_read(root, j->top_k, j->job.arena, &j->input, &j->job.err);
	json_decref(root);
}

static enum flow_rc
search_parse(struct flow *f)
{
	struct search *s = search_of(f);
	struct search_job *j = body_job_new(&s->req, sizeof(*j));

	j->top_k = s->req.tenant.limits->top_k;
	s->job = j;
	return body_job_run(f, j->job.body.len, search_job_read, body_job_free, &s->job);
}

static enum flow_rc
search_embed(struct flow *f)
{
	struct search *s = search_of(f);
	const struct search_job *j = s->job;
	struct model *model = s->req.ctx->model;
	struct model_asker asker = request_asker(&s->req);
	struct err err = j->job.err;

	if (err_is(&err) ||
	    !request_question_fits(&s->req, chat_characters(j->input.question), &err) ||
	    !request_retrieval_can(&s->req, &j->input, &err))
		return flow_fail_err(f, &err);
	s->input = j->input;
	if (s->input.no_documents)
		return flow_goto(f, search_respond);
	if (s->input.mode == SEARCH_TEXT)
		return FLOW_NEXT;
	return model_embed(f, model, &asker, &s->input.question, 1, &s->vector,
	    &s->req.spent.embedding);
}

static enum flow_rc
search_run(struct flow *f)
{
	struct search *s = search_of(f);
	return question_search(&s->req, &s->input, &s->vector,
	    ranking_candidates(&s->req, &s->input, &s->ranking), &s->hits);
}

static enum flow_rc
search_rerank(struct flow *f)
{
	struct search *s = search_of(f);

	return ranking_find(&s->req, &s->ranking, &s->input, &s->hits);
}

static void
put_hit_text(struct buf *b, const char *name, const char *text)
{
	buf_puts(b, name);
	json_put_string(b, slice_str(text));
}

/* Score: the search's. A format without pages has "page":null. */
static void
put_hit(struct buf *b, const struct hit *h, double rerank_score)
{
	buf_puts(b, "{\"documentId\":");
	json_put_string(b, slice_str(h->document_id));
	put_hit_text(b, ",\"title\":", h->title);
	put_hit_text(b, ",\"fileName\":", h->file_name);
	put_hit_text(b, ",\"mimeType\":", h->mime_type);
	buf_printf(b, ",\"chunk\":%u,\"page\":", h->index);
	if (h->page > 0)
		buf_printf(b, "%u", h->page);
	else
		buf_puts(b, "null");
	buf_puts(b, ",\"content\":");
	json_put_string(b, h->content);
	buf_puts(b, ",\"metadata\":");
	buf_puts(b, h->metadata); /* JSON already, as the database has written it */
	buf_printf(b, ",\"score\":%.6f", h->score);
	if (!isnan(rerank_score))
		buf_printf(b, ",\"rerankScore\":%.6g", rerank_score);
	buf_putc(b, '}');
}

/* Frees the results. Too large and no memory differ: the first is the caller's to change. */
static enum flow_rc
results_send(struct flow *f, struct buf *results)
{
	bool sent = !results->failed, no_memory = results->no_memory;

	if (sent)
		respond_json(search_of(f)->req.x, 200, results);
	buf_free(results);
	if (no_memory)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the results");
	if (!sent)
		return flow_fail(f, ERR_INTERNAL,
		    "The results are too large to send; ask for fewer with topK.");
	return FLOW_DONE;
}

static enum flow_rc
search_respond(struct flow *f)
{
	struct search *s = search_of(f);
	struct buf b;

	ranking_apply(&s->ranking, s->input.top_k, &s->hits);
	buf_init(&b, RESULTS_MAX);
	buf_puts(&b, "{\"results\":[");
	for (unsigned i = 0; i < s->hits.count; i++) {
		if (i > 0)
			buf_putc(&b, ',');
		put_hit(&b, &s->hits.items[i], ranking_score(&s->ranking, i));
	}
	buf_puts(&b, "]");
	if (s->ranking.is_wanted || s->input.rerank)
		buf_printf(&b, ",\"reranked\":%s", s->ranking.found.ranked ? "true" : "false");
	buf_puts(&b, "}");
	return results_send(f, &b);
}

static void
search_end(struct flow *f, const struct err *err)
{
	struct search *s = search_of(f);

	free(s->vector);
	body_job_end(&s->req, body_job_free, s->job, 0);
	request_end(&s->req, err);
}

void
search_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	request_start(x, ctx, match, sizeof(struct search), &search_kind);
}
