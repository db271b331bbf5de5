/* SPDX-License-Identifier: MIT */
/*
 * embed: vectors of a batch of texts, as a small flow of its own under the caller's.
 *
 *	share --> write --> send --> response --200--> vectors --> done, or failed
 *	            ^         ^         |                 |
 *	            |         +---------+                 |
 *	            |     worth another try: after the back-off
 *	            +-------------------+                 |
 *	            |     refused: at once, without a field, or fewer texts
 *	            +-------------------------------------+
 *	                  the texts that are left
 *
 * The whole batch is one request unless the server refuses it. Then it is cut to the number of
 * texts that the server names, or halved, as often as need be, and stays so for the rest of it:
 * sizes only sink, so this ends. That the size was the reason is only known when all of the texts
 * have their vectors: a batch that was refused for one text of it teaches nothing.
 *
 * A large response (8 KB a vector at best) is decoded by a helper, into memory that becomes the
 * caller's: no float is copied.
 *
 * The flow's struct is its own allocation, freed by embed_release() however the flow ends.
 */
#define _GNU_SOURCE /* reallocarray */
#include <stdlib.h>
#include <string.h>

#include "model/model_internal.h"
#include "model/model_refusal.h"
#include "model/vectors.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/offload.h"

/* What bounds the response: nobody gets to send us more than n vectors can take. */
#define FLOAT_TEXT_MAX 26  /* bytes of one number, in a response that is not base64 */
#define ITEM_EXTRA_MAX 256 /* bytes of an item besides its vector */

#define GUESS_MIN 8 /* texts: smaller batches are learned only from a server that names them */

#define DECODE_HERE_MAX (64u << 10) /* bytes of a response decoded in a turn of the loop */

/* A response as it is decoded: memory of its own, for a helper. */
struct vectors_job {
	struct buf body; /* owned: the response's */
	size_t n;	 /* vectors of the response */
	size_t at;	 /* those before it, in out */
	size_t all;	 /* in the end */
	unsigned dimensions;
	float *out; /* owned; afterwards NULL: no memory */
	struct model_usage usage;
	const char *wrong; /* static; NULL: nothing */
};

struct embed {
	struct flow flow;
	struct model_call call;
	const struct slice *texts;    /* borrowed: the caller's */
	size_t n;		      /* texts in all */
	size_t at;		      /* those that have their vectors */
	size_t size;		      /* those of the request under way */
	size_t items_max;	      /* of a request: n, and less once it was refused */
	size_t bytes_max;	      /* of its texts; 0: no limit */
	bool is_guessed;	      /* items_max is: the server has not said what it refuses */
	float *vectors;		      /* owned; NULL at first, and while a job has it */
	float **out;		      /* borrowed: the caller's */
	struct model_usage *usage;    /* borrowed: the caller's */
	struct web_response response; /* owned */
	void *job;		      /* owned: struct vectors_job; NULL while it is decoded */
	struct timer backoff_timer;
};

static flow_step_fn embed_wait, embed_write, embed_send, embed_response, embed_vectors;
static flow_release_fn embed_release;

static const struct flow_step embed_steps[] = {
	{ "share", embed_wait },
	{ "write", embed_write },
	{ "send", embed_send },
	{ "response", embed_response },
	{ "vectors", embed_vectors },
	{ NULL, NULL },
};

static const struct flow_kind embed_kind = {
	.name = "embed",
	.steps = embed_steps,
	.release = embed_release,
};

static void
vectors_job_free(void *arg)
{
	struct vectors_job *j = arg;

	if (j == NULL)
		return;
	buf_free(&j->body);
	free(j->out);
	free(j);
}

/* An offload_fn. */
static void
vectors_job_run(void *arg)
{
	struct vectors_job *j = arg;

	if (j->out == NULL)
		j->out = reallocarray(NULL, j->all * sizeof(*j->out), j->dimensions);
	if (j->out != NULL)
		j->wrong = vectors_read(buf_view(&j->body), j->n, j->dimensions,
		    j->out + j->at * j->dimensions, &j->usage);
	buf_free(&j->body);
}

static void
embed_release(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);

	web_response_free(&e->response);
	vectors_job_free(e->job);
	free(e->vectors);
	buf_free(&e->call.body);
	timer_free(&e->backoff_timer);
	free(e);
}

/* The place is kept over all tries: a call that the server put off is still one under way. */
static enum flow_rc
embed_wait(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);

	flow_defer(f, share_give_later, &e->call.grant);
	return share_take(f, e->call.model->shares->embeddings, e->call.tenant, 1, 1,
	    &e->call.grant);
}

static size_t
texts_bytes(const struct slice *texts, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += texts[i].len;
	return bytes;
}

/* The next request: of as many texts as may be in one. */
static enum flow_rc
embed_write(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);
	const struct slice *texts = e->texts + e->at;
	size_t bytes = texts[0].len;

	for (e->size = 1; e->size < e->items_max && e->at + e->size < e->n; e->size++) {
		bytes += texts[e->size].len;
		if (e->bytes_max != 0 && bytes > e->bytes_max)
			break;
	}
	e->call.tries = 0;
	if (!request_json_embeddings(&e->call, texts, e->size))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the texts to embed");
	return FLOW_NEXT;
}

/* Also the step of another try: what the last one left is freed first. */
static enum flow_rc
embed_send(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);
	struct model *m = e->call.model;
	struct web_request r;

	e->call.tries++;
	web_response_free(&e->response);
	memset(&e->response, 0, sizeof(e->response));
	model_call_request(&e->call, &r);
	r.response_max = e->size * ((size_t)m->conf.dimensions * FLOAT_TEXT_MAX + ITEM_EXTRA_MAX) +
	    ERROR_BODY_MAX;
	return web_fetch(f, m->web, &r, &e->response);
}

/* The body moves to the job. */
static enum flow_rc
embed_decode(struct embed *e)
{
	struct vectors_job *j = xcalloc(1, sizeof(*j));

	j->n = e->size;
	j->at = e->at;
	j->all = e->n;
	j->out = e->vectors;
	e->vectors = NULL;
	j->dimensions = e->call.model->conf.dimensions;
	j->body = e->response.body;
	buf_init(&e->response.body, 0);
	e->job = j;
	if (j->body.len > DECODE_HERE_MAX)
		return offload_run(&e->flow, e->call.tenant, vectors_job_run, vectors_job_free, j,
		    &e->job);
	vectors_job_run(j);
	return FLOW_NEXT;
}

/* What is refused has two texts at least, and fewer are tried. */
static void
batch_shrink(struct embed *e, const struct model_refusal *refusal)
{
	if (refusal->in_bytes)
		e->bytes_max = texts_bytes(e->texts + e->at, e->size) / 2;
	else if (refusal->limit != 0 && e->items_max == e->n)
		e->items_max = refusal->limit;
	else
		e->items_max = e->size / 2;
	if (!refusal->is_batch)
		e->is_guessed = true;
}

/* True when the request is worth being written anew. A batch is blamed last when the server does
 * not say so, and not when it says something else. */
static bool
request_is_mended(struct embed *e, struct slice body)
{
	int status = e->response.status;
	struct model_refusal refusal;

	if (e->response.failure != WEB_FINE)
		return false;
	model_refusal_read(status, body, buf_view(&e->call.body), e->size, &refusal);
	if (!refusal.is_batch &&
	    model_learn_refusal(&e->call, status, &refusal, e->flow.request_id))
		return true;
	if (e->size < 2 || (refusal.is_other && !refusal.is_batch))
		return false;
	trial_unguess(&e->call.trial);
	batch_shrink(e, &refusal);
	return true;
}

static enum flow_rc
embed_response(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);
	struct err err = { .code = ERR_NONE };
	struct slice body = buf_view(&e->response.body);
	uint64_t wait_us;

	if (e->response.failure == WEB_FINE && e->response.status == 200) {
		model_call_succeeded(&e->call);
		return embed_decode(e);
	}
	if (body.len > ERROR_BODY_MAX)
		body.len = ERROR_BODY_MAX;
	if (request_is_mended(e, body))
		return flow_goto(f, embed_write);
	wait_us = model_error_classify(&e->call, &e->response, body, f->request_id, &err);
	if (wait_us == 0)
		return flow_fail_err(f, &err);
	flow_goto(f, embed_send);
	return flow_sleep(f, &e->backoff_timer, wait_us);
}

/* All texts have their vectors. A guess may have sunk for texts that are long beyond others', which
 * a server refuses together and takes alone: it teaches no very small batches. */
static void
batch_learn(struct embed *e, const char *request_id)
{
	size_t items = e->items_max;

	if (e->is_guessed && items < GUESS_MIN)
		items = GUESS_MIN;
	model_learn_limit(&e->call, items < e->n ? items : 0, e->bytes_max, request_id);
}

/* Some of the texts, or the last of them, have their vectors. */
static enum flow_rc
embed_next(struct flow *f, struct embed *e)
{
	struct vectors_job *j = e->job;

	e->vectors = j->out;
	j->out = NULL;
	e->usage->known = j->usage.known;
	e->usage->input_tokens += j->usage.input_tokens;
	vectors_job_free(j);
	e->job = NULL;
	model_learn_success(&e->call, f->request_id);
	model_learn_batch(&e->call, e->size, texts_bytes(e->texts + e->at, e->size));
	e->at += e->size;
	if (e->at < e->n)
		return flow_goto(f, embed_write);
	batch_learn(e, f->request_id);
	*e->out = e->vectors;
	e->vectors = NULL;
	return FLOW_DONE;
}

/* A 200 whose vectors are wrong is not tried again: the model or its settings are, and a zero or
 * misplaced vector that was stored would spoil every later search without a word. */
static enum flow_rc
embed_vectors(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);
	struct vectors_job *j = e->job;

	if (j->out == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the vectors");
	if (j->wrong == NULL)
		return embed_next(f, e);
	log_event(LOG_WARNING, "model.answer", f->request_id,
	    "The %s's answer cannot be used; check model_url, embedding_model and "
	    "embedding_dimensions. %s",
	    e->call.stage, j->wrong);
	return flow_fail(f, ERR_MODEL,
	    "The %s's answer cannot be used; try again or ask the operator. %s", e->call.stage,
	    j->wrong);
}

/* OpenAI answers 400 to a whole batch for one empty text; callers must leave such texts out. */
static bool
texts_valid(const struct slice *texts, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (texts[i].len == 0)
			return false;
	return n > 0;
}

enum flow_rc
model_embed(struct flow *f, struct model *m, struct slice tenant, const struct slice *texts,
    size_t n, float **out, struct model_usage *usage)
{
	struct embed *e;

	*out = NULL;
	if (!texts_valid(texts, n))
		return flow_fail(f, ERR_INTERNAL,
		    "There is no text to embed, or an empty one. Report this fault of tenantgate.");
	e = xcalloc(1, sizeof(*e));
	e->call.model = m;
	e->call.choice = m->embedding_choice;
	e->call.stage = "embedding model";
	e->call.tenant = tenant;
	e->call.name = e->call.choice->model;
	model_learn_embeddings(&e->call);
	e->texts = texts;
	e->n = e->items_max = n;
	e->out = out;
	e->usage = usage;
	return flow_call(f, &e->flow, &embed_kind);
}
