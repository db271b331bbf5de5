/* SPDX-License-Identifier: MIT */
/*
 * rerank: the order of texts for a query, as a small flow of its own beside the caller's.
 *
 *	share --> write --> admit --> send --> response --200--> scores --> done, or failed
 *	            ^         ^                   |                 |
 *	            |         +-------------------+                 |
 *	            |     worth another try: after the back-off     |
 *	            +-----------------------------+                 |
 *	            |     refused: at once, in the other form, or fewer texts
 *	            +-----------------------------------------------+
 *	                  the texts that are left
 *
 * A ranking makes an answer better, and nothing depends on it: whatever goes wrong, the caller goes
 * on without one. So all of it together, the wait for a place and other tries too, has one
 * deadline, and what went wrong is logged once a minute. The deadline is the web request's, so that
 * a server that is too slow counts with its breaker, and is left alone.
 *
 * A score belongs to a text and the query alone, not to the texts beside it: so texts that the
 * server does not take in one request go in several (embed_batch.h).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/embed_batch.h"
#include "model/gen_ai_calls.h"
#include "model/model_internal.h"
#include "model/rerank_body.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/loop/offload.h"

#define TEXTS_BYTES_MAX (256u << 10) /* of a call; a millisecond's work to write */
#define READ_HERE_MAX	(64u << 10)  /* bytes of a response read in a turn of the loop */

/* A response as it is read: memory of its own, for a helper. */
struct scores_job {
	struct buf body;	 /* owned: the response's */
	struct rerank_part part; /* its counts alone */
	float scores[MODEL_RERANK_MAX];
	const char *wrong; /* static; NULL: nothing */
};

struct rerank {
	struct flow flow;
	struct model_call call;
	struct slice query;	  /* borrowed: the caller's */
	struct embed_batch batch; /* its texts are the caller's */
	size_t items_max;	  /* of a request, as far as was known at first */
	unsigned n;		  /* the caller's texts; the batch may have fewer */
	unsigned wanted;
	uint64_t deadline_us; /* monotonic */
	float scores[MODEL_RERANK_MAX];
	struct model_ranking *out;    /* borrowed: the caller's */
	struct web_response response; /* owned */
	void *job;		      /* owned: struct scores_job; NULL while it is read */
	struct timer backoff_timer;
};

static flow_step_fn rerank_wait, rerank_write, rerank_admit, rerank_send, rerank_response,
    rerank_scores;
static flow_end_fn rerank_end;
static flow_release_fn rerank_release;

static const struct flow_step rerank_steps[] = {
	{ "share", rerank_wait },
	{ "write", rerank_write },
	{ "admit", rerank_admit },
	{ "send", rerank_send },
	{ "response", rerank_response },
	{ "scores", rerank_scores },
	{ NULL, NULL },
};

static const struct flow_kind rerank_kind = { "rerank", rerank_steps, rerank_end, rerank_release };

static struct log_pace tries_pace, failures_pace;

static struct rerank *
rerank_of(struct flow *f)
{
	return FLOW_OF(f, struct rerank, &rerank_kind);
}

static void
scores_job_free(void *arg)
{
	struct scores_job *j = arg;

	if (j == NULL)
		return;
	buf_free(&j->body);
	free(j);
}

/* An offload_fn. */
static void
scores_job_run(void *arg)
{
	struct scores_job *j = arg;

	j->wrong = rerank_answer_read(buf_view(&j->body), j->part.n, j->part.wanted, j->scores);
}

static void
rerank_release(struct flow *f)
{
	struct rerank *r = rerank_of(f);

	model_call_settle(&r->call);
	gen_ai_ended(&r->call, f->err.code, NULL);
	web_response_free(&r->response);
	scores_job_free(r->job);
	buf_free(&r->call.body);
	timer_free(&r->backoff_timer);
	model_call_let_go(&r->call);
	free(r);
}

/* Nobody is told of a ranking that nobody waits for. */
static void
rerank_end(struct flow *f, const struct err *err)
{
	struct rerank *r = rerank_of(f);

	if (err->code == ERR_NONE || err->code == ERR_CLIENT_GONE ||
	    !log_pace_admit(&failures_pace, LOG_MINUTE))
		return;
	log_event(LOG_WARNING, "model.unranked", f->request_id,
	    "The reranking model '%s' gave no ranking, so searches are answered in their own "
	    "order; look at rerank_model and its server. %s",
	    r->call.choice->name, err->detail);
}

static struct rerank_part
rerank_part_of(const struct rerank *r)
{
	const struct embed_batch *b = &r->batch;

	return (struct rerank_part){
		.texts = b->texts + b->at,
		.n = b->size,
		.wanted = r->wanted < b->size ? r->wanted : b->size,
	};
}

static enum flow_rc
rerank_is_late(struct flow *f)
{
	return flow_fail(f, ERR_MODEL_TIMEOUT,
	    "The reranking model did not answer in time (rerank_timeout). Try again.");
}

/* ---- steps ---- */

static enum flow_rc
rerank_wait(struct flow *f)
{
	struct rerank *r = rerank_of(f);

	flow_defer(f, share_give_later, &r->call.grant);
	return share_take(f, r->call.model->shares->reranks,
	    mutated_slice(MUTATION_SHARE_RANKINGS, r->call.tenant), 1, 1, &r->call.grant);
}

/* The next request: of as many texts as may be in one. */
static enum flow_rc
rerank_write(struct flow *f)
{
	struct rerank *r = rerank_of(f);
	struct rerank_part part;

	embed_batch_cut(&r->batch);
	r->call.tries = 0;
	part = rerank_part_of(r);
	if (!rerank_body_write(&r->call, r->query, &part))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the texts to rank");
	return FLOW_NEXT;
}

/* Before another attempt; a wait past the deadline is none. */
static enum flow_rc
rerank_sleep(struct rerank *r, uint64_t wait_us, const struct err *err)
{
	if (clock_mono_us() + wait_us >= r->deadline_us)
		return flow_fail_err(&r->flow, err);
	flow_goto(&r->flow, rerank_admit);
	return flow_sleep(&r->flow, &r->backoff_timer, wait_us);
}

/* Also the step of another try. */
static enum flow_rc
rerank_admit(struct flow *f)
{
	struct rerank *r = rerank_of(f);
	struct err err = { .code = ERR_NONE }, paused = { .code = ERR_NONE };
	uint64_t wait_us;

	if (model_call_admitted(&r->call, &wait_us, &err))
		return FLOW_NEXT;
	if (wait_us == 0)
		return flow_fail_err(f, &err);
	err_set(&paused, ERR_OVERLOADED,
	    "The reranking model asked for a pause that is longer than rerank_timeout. Try again "
	    "later.");
	return rerank_sleep(r, wait_us, &paused);
}

/* What the last try left is freed first. */
static enum flow_rc
rerank_send(struct flow *f)
{
	struct rerank *r = rerank_of(f);
	struct rerank_part part = rerank_part_of(r);
	uint64_t now = clock_mono_us();
	struct web_request request;

	if (now >= r->deadline_us)
		return rerank_is_late(f);
	r->call.tries++;
	web_response_free(&r->response);
	memset(&r->response, 0, sizeof(r->response));
	model_call_request(&r->call, &request);
	request.response_max = rerank_answer_max(&part);
	request.total_timeout_us = r->deadline_us - now;
	return web_fetch(f, r->call.model->web, &request, &r->response);
}

/* The body moves to the job. */
static enum flow_rc
rerank_read(struct rerank *r)
{
	struct scores_job *j = xcalloc(1, sizeof(*j));

	j->body = r->response.body;
	buf_init(&r->response.body, 0);
	j->part = rerank_part_of(r);
	r->job = j;
	if (j->body.len > READ_HERE_MAX)
		return offload_run(&r->flow, r->call.tenant, scores_job_run, scores_job_free, j,
		    &r->job);
	scores_job_run(j);
	return FLOW_NEXT;
}

static enum flow_rc
rerank_response(struct flow *f)
{
	struct rerank *r = rerank_of(f);
	struct err err = { .code = ERR_NONE };
	struct slice body = buf_view(&r->response.body);
	uint64_t wait_us;

	if (r->response.failure == WEB_FINE && r->response.status == 200) {
		model_call_succeeded(&r->call);
		return rerank_read(r);
	}
	if (body.len > ERROR_BODY_MAX)
		body.len = ERROR_BODY_MAX;
	if (model_learn_mends(&r->call, &r->response, body, &r->batch, f->request_id))
		return flow_goto(f, rerank_write);
	wait_us = model_error_classify(&r->call, &r->response, body, f->request_id, &err);
	return wait_us == 0 ? flow_fail_err(f, &err) : rerank_sleep(r, wait_us, &err);
}

/* Some of the texts, or the last of them, have their scores. */
static enum flow_rc
rerank_next(struct flow *f, struct rerank *r)
{
	struct scores_job *j = r->job;
	size_t items, bytes;

	memcpy(r->scores + r->batch.at, j->scores, r->batch.size * sizeof(r->scores[0]));
	gen_ai_ended(&r->call, ERR_NONE, NULL);
	scores_job_free(j);
	r->job = NULL;
	model_learn_success(&r->call, f->request_id);
	model_learn_batch(&r->call, r->batch.size, embed_batch_bytes(&r->batch));
	if (embed_batch_taken(&r->batch))
		return flow_goto(f, rerank_write);
	embed_batch_limits(&r->batch, &items, &bytes);
	model_learn_limit(&r->call, items < r->items_max ? items : 0, bytes, f->request_id);
	r->out->count = r->n;
	r->out->scored = rerank_order(r->scores, r->n, r->out->order);
	for (unsigned i = 0; i < r->n; i++)
		r->out->scores[i] = r->scores[r->out->order[i]];
	r->out->ranked = true;
	return FLOW_DONE;
}

/* A 200 that is wrong is not tried again: the model or its settings are, and half a ranking would
 * push down what it does not name. */
static enum flow_rc
rerank_scores(struct flow *f)
{
	struct rerank *r = rerank_of(f);
	struct scores_job *j = r->job;
	struct err err = { .code = ERR_NONE };

	if (j->wrong == NULL)
		return rerank_next(f, r);
	if (model_error_in_place(&r->call, buf_view(&j->body), f->request_id, &err))
		return flow_fail_err(f, &err);
	return flow_fail(f, ERR_MODEL,
	    "The reranking model's answer cannot be used; ask the operator to look at it. %s",
	    j->wrong);
}

/* ---- beginning ---- */

/* As many of the texts as may be sent: one at least. */
static size_t
texts_that_fit(const struct slice *texts, unsigned n)
{
	size_t bytes = texts[0].len, fit = 1;

	while (fit < n && texts[fit].len <= TEXTS_BYTES_MAX - bytes)
		bytes += texts[fit++].len;
	return fit;
}

/* What is known of the size of a request, from the configuration and from its refusals. */
static void
rerank_batch_begin(struct rerank *r, const struct slice *texts, size_t n)
{
	const struct model_choice *choice = r->call.choice;
	size_t items = choice->server->conf.batch_items_max;
	struct model_habit habit;

	model_habits_of(&choice->server->habits, choice->model, &habit);
	if (habit.items != 0 && habit.items < items)
		items = habit.items;
	embed_batch_begin(&r->batch, texts, n);
	r->items_max = items < n ? items : n;
	r->batch.items_max = r->batch.sure_max = r->items_max;
	r->batch.bytes_max = choice->server->conf.batch_bytes_max;
	if (habit.bytes != 0 && habit.bytes < r->batch.bytes_max)
		r->batch.bytes_max = habit.bytes;
}

bool
model_reranks(const struct model *m)
{
	return m->rerank_choice != NULL;
}

enum flow_rc
model_rerank(struct flow *f, struct model *m, const struct model_asker *asker, struct slice query,
    const struct slice *texts, unsigned n, unsigned wanted, struct model_ranking *out)
{
	struct rerank *r;

	memset(out, 0, sizeof(*out));
	if (m->rerank_choice == NULL || n == 0 || query.len == 0)
		return FLOW_NEXT;
	r = xcalloc(1, sizeof(*r));
	model_call_hold(&r->call, m);
	r->call.choice = m->rerank_choice;
	r->call.stage = "reranking model";
	r->call.kind = MODEL_RERANK;
	r->call.pace = &tries_pace;
	r->n = n < MODEL_RERANK_MAX ? n : MODEL_RERANK_MAX;
	r->wanted = wanted > 0 ? wanted : 1;
	r->query = query;
	r->out = out;
	r->deadline_us = clock_mono_us() + m->conf.rerank_timeout_us;
	for (unsigned i = 0; i < r->n; i++)
		r->scores[i] = NAN;
	model_call_ask(&r->call, asker);
	model_learn_rerank(&r->call);
	rerank_batch_begin(r, texts, texts_that_fit(texts, r->n));
	return flow_try(f, &r->flow, &rerank_kind, &out->why);
}
