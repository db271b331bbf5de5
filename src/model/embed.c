/* SPDX-License-Identifier: MIT */
/*
 * embed: vectors of a batch of texts, as a small flow of its own under the caller's.
 *
 *	share --> write --> admit --> send --> response --200--> vectors --> done, or failed
 *	            ^         ^                   |                 |
 *	            |         +-------------------+                 |
 *	            |     worth another try: after the back-off     |
 *	            +-----------------------------+                 |
 *	            |     refused: at once, without a field, or fewer texts
 *	            +-----------------------------------------------+
 *	                  the texts that are left
 *
 * The whole batch is one request unless the server refuses it: then it goes in smaller ones
 * (embed_batch.h). That the size was the reason is only known when all of the texts have their
 * vectors: a batch that was refused for one text of it teaches nothing.
 *
 * A large response (8 KB a vector at best) is decoded by a helper, into memory that becomes the
 * caller's: no float is copied.
 *
 * The flow's struct is its own allocation, freed by embed_release() however the flow ends.
 */
#define _GNU_SOURCE /* reallocarray */
#include <stdlib.h>
#include <string.h>

#include "model/embed_batch.h"
#include "model/gen_ai_calls.h"
#include "model/model_choice.h"
#include "model/model_internal.h"
#include "model/vectors.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/loop/offload.h"

/* What bounds the response: nobody gets to send us more than n vectors can take. */
#define FLOAT_TEXT_MAX 26  /* bytes of one number, in a response that is not base64 */
#define ITEM_EXTRA_MAX 256 /* bytes of an item besides its vector */

#define DECODE_HERE_MAX (64u << 10) /* bytes of a response decoded in a turn of the loop */

/* A response as it is decoded: memory of its own, for a helper. */
struct vectors_job {
	struct buf body; /* owned: the response's; afterwards kept if short and wrong */
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
	struct model_choice former;   /* owned: the call's, unless it is the configured one's */
	struct embed_batch batch;     /* its texts are the caller's */
	float *vectors;		      /* owned; NULL at first, and while a job has it */
	float **out;		      /* borrowed: the caller's */
	struct model_usage *usage;    /* borrowed: the caller's */
	struct web_response response; /* owned */
	void *job;		      /* owned: struct vectors_job; NULL while it is decoded */
	struct timer backoff_timer;
};

static flow_step_fn embed_wait, embed_write, embed_admit, embed_send, embed_response, embed_vectors;
static flow_release_fn embed_release;

static const struct flow_step embed_steps[] = {
	{ "share", embed_wait },
	{ "write", embed_write },
	{ "admit", embed_admit },
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
	if (j->wrong == NULL || j->body.len > ERROR_BODY_MAX)
		buf_free(&j->body);
}

static void
embed_release(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);

	model_call_settle(&e->call);
	gen_ai_ended(&e->call, f->err.code, NULL);
	web_response_free(&e->response);
	vectors_job_free(e->job);
	free(e->vectors);
	buf_free(&e->call.body);
	model_choice_close(&e->former);
	timer_free(&e->backoff_timer);
	model_call_let_go(&e->call);
	free(e);
}

/* The place is kept over all tries: a call that the server put off is still one under way. */
static enum flow_rc
embed_wait(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);

	flow_defer(f, share_give_later, &e->call.grant);
	return share_take(f, e->call.model->shares->embeddings,
	    mutated_slice(MUTATION_SHARE_EMBEDDINGS, e->call.tenant), 1, 1, &e->call.grant);
}

/* The next request: of as many texts as may be in one. */
static enum flow_rc
embed_write(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);
	struct embed_batch *b = &e->batch;

	embed_batch_cut(b);
	e->call.tries = 0;
	if (!request_json_embeddings(&e->call, b->texts + b->at, b->size))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the texts to embed");
	return FLOW_NEXT;
}

/* Also the step of another try. */
static enum flow_rc
embed_admit(struct flow *f)
{
	struct embed *e = FLOW_OF(f, struct embed, &embed_kind);
	struct err err = { .code = ERR_NONE };
	uint64_t wait_us;

	if (model_call_admitted(&e->call, &wait_us, &err))
		return FLOW_NEXT;
	if (wait_us == 0)
		return flow_fail_err(f, &err);
	flow_goto(f, embed_admit);
	return flow_sleep(f, &e->backoff_timer, wait_us);
}

/* What the last try left is freed first. */
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
	r.response_max =
	    e->batch.size * ((size_t)e->call.dimensions * FLOAT_TEXT_MAX + ITEM_EXTRA_MAX) +
	    ERROR_BODY_MAX;
	return web_fetch(f, m->web, &r, &e->response);
}

/* The body moves to the job. */
static enum flow_rc
embed_decode(struct embed *e)
{
	struct vectors_job *j = xcalloc(1, sizeof(*j));

	j->n = e->batch.size;
	j->at = e->batch.at;
	j->all = e->batch.n;
	j->out = e->vectors;
	e->vectors = NULL;
	j->dimensions = e->call.dimensions;
	j->body = e->response.body;
	buf_init(&e->response.body, 0);
	e->job = j;
	if (j->body.len > DECODE_HERE_MAX)
		return offload_run(&e->flow, e->call.tenant, vectors_job_run, vectors_job_free, j,
		    &e->job);
	vectors_job_run(j);
	return FLOW_NEXT;
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
	if (model_learn_mends(&e->call, &e->response, body, &e->batch, f->request_id))
		return flow_goto(f, embed_write);
	wait_us = model_error_classify(&e->call, &e->response, body, f->request_id, &err);
	if (wait_us == 0)
		return flow_fail_err(f, &err);
	flow_goto(f, embed_admit);
	return flow_sleep(f, &e->backoff_timer, wait_us);
}

/* Some of the texts, or the last of them, have their vectors. */
static enum flow_rc
embed_next(struct flow *f, struct embed *e)
{
	struct vectors_job *j = e->job;
	size_t items, bytes;

	e->vectors = j->out;
	j->out = NULL;
	e->usage->known = j->usage.known && (e->batch.at == 0 || e->usage->known);
	e->usage->input_tokens += j->usage.input_tokens;
	e->usage->calls++;
	e->usage->text_bytes += embed_batch_bytes(&e->batch);
	gen_ai_ended(&e->call, ERR_NONE, &j->usage);
	vectors_job_free(j);
	e->job = NULL;
	model_learn_success(&e->call, f->request_id);
	model_learn_batch(&e->call, e->batch.size, embed_batch_bytes(&e->batch));
	if (embed_batch_taken(&e->batch))
		return flow_goto(f, embed_write);
	embed_batch_limits(&e->batch, &items, &bytes);
	model_learn_limit(&e->call, items, bytes, f->request_id);
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
	struct err err = { .code = ERR_NONE };

	if (j->out == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the vectors");
	if (j->wrong == NULL)
		return embed_next(f, e);
	if (model_error_in_place(&e->call, buf_view(&j->body), f->request_id, &err))
		return flow_fail_err(f, &err);
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

static struct embed *
embed_new(struct model *m, const struct slice *texts, size_t n, float **out,
    struct model_usage *usage)
{
	struct embed *e = xcalloc(1, sizeof(*e));

	model_call_hold(&e->call, m);
	e->call.stage = "embedding model";
	embed_batch_begin(&e->batch, texts, n);
	e->out = out;
	e->usage = usage;
	return e;
}

static enum flow_rc
embed_begin(struct flow *f, struct embed *e, const struct model_asker *asker,
    const struct model_choice *choice, unsigned dimensions)
{
	e->call.choice = choice;
	e->call.kind = choice == &e->former ? MODEL_FORMER : MODEL_EMBEDDINGS;
	e->call.dimensions = dimensions;
	model_call_ask(&e->call, asker);
	model_learn_embeddings(&e->call);
	return flow_call(f, &e->flow, &embed_kind);
}

enum flow_rc
model_embed(struct flow *f, struct model *m, const struct model_asker *asker,
    const struct slice *texts, size_t n, float **out, struct model_usage *usage)
{
	*out = NULL;
	if (!texts_valid(texts, n))
		return flow_fail(f, ERR_INTERNAL,
		    "There is no text to embed, or an empty one. Report this fault of tenantgate.");
	return embed_begin(f, embed_new(m, texts, n, out, usage), asker, m->embedding_choice,
	    m->conf.dimensions);
}

enum flow_rc
model_embed_former(struct flow *f, struct model *m, const struct model_asker *asker,
    const struct slice *text, const char *name, unsigned dimensions, float **out,
    struct model_usage *usage)
{
	struct model_choice former;
	struct embed *e;

	*out = NULL;
	if (!texts_valid(text, 1) || !model_choice_open_former(m->servers, &m->conf, name, &former))
		return flow_fail(f, ERR_MODEL,
		    "The model of these vectors is not configured any more. Ask the operator.");
	e = embed_new(m, text, 1, out, usage);
	e->former = former;
	return embed_begin(f, e, asker, &e->former, dimensions);
}

bool
model_knows_former(struct model *m, const char *name)
{
	struct model_choice former;

	if (!model_choice_open_former(m->servers, &m->conf, name, &former))
		return false;
	model_choice_close(&former);
	return true;
}
