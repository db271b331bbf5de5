/* SPDX-License-Identifier: MIT */
/*
 * ingest_embed: see the header. One connection at a time finds what is there already for one batch
 * and takes in the vectors of another; meanwhile the model has the others.
 *
 *	[batch] --> [borrow] --> [find] --> [ask] --> [stage] --> [staged] --+
 *	  ^  \                                                              |
 *	  |   \--- none to find, none to stage ---> [words] or [wait]        |
 *	  +------------------------------------------/------------------------+
 *
 * Words come when there is nothing else, when they are behind the vectors, and at the end: a
 * segment at a time, and the connection is given back in between. [wait] is without one.
 */
#include "api/ingest_embed.h"

#include "api/ingest_state.h"
#include "api/own.h"
#include "api/request_retrieval.h"

static flow_step_fn embed_next_batch, embed_borrow, embed_find, embed_ask, embed_stage,
    embed_staged, embed_borrow_for_words, embed_words, embed_worded, embed_await;
static flow_end_fn embed_end;

static const struct flow_step ingest_embed_steps[] = {
	{ "batch", embed_next_batch },
	{ "pool_wait", embed_borrow },
	{ "find", embed_find },
	{ "ask", embed_ask },
	{ "stage", embed_stage },
	{ "staged", embed_staged },
	{ "words_wait", embed_borrow_for_words },
	{ "words", embed_words },
	{ "worded", embed_worded },
	{ "await", embed_await },
	{ NULL, NULL },
};

static const struct flow_kind ingest_embed_kind = { "ingest_embed", ingest_embed_steps, embed_end,
	NULL };

static struct ingest_embed *
embed_of(struct flow *f)
{
	return FLOW_OF(f, struct ingest_embed, &ingest_embed_kind);
}

static struct ingest_batches *
batches_of(struct ingest_embed *e)
{
	return &work_of(e->in)->batches;
}

/* A batch has its vectors: the client is told once. */
static void
batch_count(struct ingest_embed *e, struct ingest_batch *b)
{
	b->is_counted = true;
	if (b->asked > 0)
		request_note_vectors(&e->in->req, &b->usage);
	if (!e->is_staged)
		e->under_way--;
	e->embedded += b->row_count;
	ingest_report_progress(&e->in->report, "embed", e->embedded, work_of(e->in)->chunks.count);
}

/* What has come meanwhile. NULL, or why there are no vectors for one of them. */
static const struct err *
batches_collect(struct ingest_embed *e)
{
	struct ingest_batch *b;

	e->staging = NULL;
	TAILQ_FOREACH(b, batches_of(e), link) {
		if (b->state != BATCH_READY)
			continue;
		if (err_is(&b->err))
			return &b->err;
		if (!b->is_counted)
			batch_count(e, b);
		if (e->is_staged && e->staging == NULL)
			e->staging = b;
	}
	return NULL;
}

/* One more, where there is room for it. False without memory. */
static bool
batch_begin(struct ingest_embed *e)
{
	struct ingest_work *w = work_of(e->in);
	size_t max = e->batch_max;

	e->finding = NULL;
	if (e->next == w->chunks.count || e->under_way >= e->in->req.conf->embedding_calls)
		return true;
	if (max > w->chunks.count - e->next)
		max = w->chunks.count - e->next;
	e->finding = ingest_batch_new(e->in->req.ctx->model, &w->chunks, w->keys, &e->next, max);
	if (e->finding == NULL)
		return false;
	TAILQ_INSERT_TAIL(batches_of(e), e->finding, link);
	e->under_way++;
	return true;
}

static enum flow_rc
embed_next_batch(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);
	const struct err *err = batches_collect(e);

	if (err != NULL)
		return flow_fail_err(f, err);
	if (!batch_begin(e))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's chunks");
	if (e->finding == NULL && e->staging == NULL)
		return flow_goto(f, embed_borrow_for_words);
	return e->finds ? FLOW_NEXT : flow_goto(f, embed_ask);
}

static enum flow_rc
embed_borrow(struct flow *f)
{
	struct request *req = &embed_of(f)->in->req;

	return req->lease.conn != NULL ? FLOW_NEXT : request_borrow_for(f, req);
}

/* Of no text it finds out whether the connection lives, before a COPY that could not be sent
 * again. */
static enum flow_rc
embed_find(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);
	struct ingest_batch *b = e->finding;
	float *none;

	if (b == NULL)
		return chunks_find(f, &e->in->req.lease, NULL, 0, 1, NULL, NULL, &none);
	return chunks_find(f, &e->in->req.lease, b->hashes, b->count, model_dimensions(b->model),
	    own_user(&e->in->req), b->vectors, &b->found);
}

static enum flow_rc
embed_ask(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);

	if (e->finding != NULL)
		ingest_batch_ask(e->finding, &e->in->req, f, &e->is_waiting);
	return FLOW_NEXT;
}

/* A store_progress_fn. */
static void
embed_sent(void *arg, size_t chunks)
{
	struct ingest_embed *e = arg;

	ingest_sent(e->in, e->staged + chunks);
}

/* With the first rows of either kind what dead attempts have left goes. */
static struct chunk_attempt
embed_attempt(struct ingest_embed *e)
{
	const struct api_conf *conf = e->in->req.conf;
	bool looks = !e->has_looked;

	e->has_looked = true;
	return (struct chunk_attempt){ .name = e->in->attempt,
		.schema_version = e->in->req.tenant.schema_version,
		.stale_us = looks ? 2 * conf->ingest_timeout_us : 0 };
}

static enum flow_rc
embed_stage(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);
	struct chunk_attempt attempt;

	if (e->staging == NULL)
		return flow_goto(f, embed_next_batch);
	e->rows = (struct chunk_rows){ .rows = e->staging->rows,
		.count = e->staging->row_count,
		.dimensions = model_dimensions(e->staging->model) };
	if (e->staged == 0) {
		ingest_report_progress(&e->in->report, "store", 0, work_of(e->in)->chunks.count);
		e->is_normalized =
		    vectors_are_normalized(&e->rows.rows[0].vector, 1, e->rows.dimensions);
	}
	attempt = embed_attempt(e);
	return chunks_stage(f, &e->in->req.lease, &attempt, &e->rows, embed_sent, e);
}

/* Words are not left behind vectors: a model that is faster than the database would leave all of
 * them to the end. */
static enum flow_rc
embed_go_on(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);

	return flow_goto(f,
	    e->has_words && e->worded < e->staged ? embed_borrow_for_words : embed_next_batch);
}

static enum flow_rc
embed_staged(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);

	e->staged += e->staging->row_count;
	TAILQ_REMOVE(batches_of(e), e->staging, link);
	ingest_batch_free(e->staging);
	e->staging = NULL;
	e->under_way--;
	return embed_go_on(f);
}

/* What is held is first given to whoever waits for one. */
static enum flow_rc
embed_borrow_for_words(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);

	pool_return(&e->in->req.lease, POOL_CLEAN);
	if (!e->has_words || e->worded == work_of(e->in)->chunks.count)
		return flow_goto(f, embed_await);
	return request_borrow_for(f, &e->in->req);
}

static enum flow_rc
embed_words(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);
	struct chunk_attempt attempt = embed_attempt(e);

	return chunks_stage_words(f, &e->in->req.lease, &attempt, ingest_language(e->in),
	    &work_of(e->in)->chunks, &e->worded);
}

static enum flow_rc
embed_worded(struct flow *f)
{
	return embed_go_on(f);
}

static void
await_cancelled(void *arg)
{
	((struct ingest_embed *)arg)->is_waiting = false;
}

static bool
has_news(struct ingest_embed *e)
{
	struct ingest_batch *b;

	TAILQ_FOREACH(b, batches_of(e), link)
		if (b->state == BATCH_READY && (e->is_staged || !b->is_counted))
			return true;
	return false;
}

static enum flow_rc
embed_await(struct flow *f)
{
	struct ingest_embed *e = embed_of(f);

	if (e->under_way == 0)
		return FLOW_DONE;
	flow_goto(f, embed_next_batch);
	if (has_news(e))
		return FLOW_NEXT;
	e->is_waiting = true;
	return flow_wait(f, await_cancelled, e);
}

/* What the model still has is of no use any more. The others go with the work. What they took is
 * counted all the same: of one that is on its way, as much as has come. */
static void
embed_end(struct flow *f, const struct err *err)
{
	struct ingest_embed *e = embed_of(f);
	struct ingest_batches *batches = batches_of(e);
	struct ingest_batch *b, *next;

	(void)err;
	for (b = TAILQ_FIRST(batches); b != NULL; b = next) {
		next = TAILQ_NEXT(b, link);
		if (!b->is_counted)
			request_note_vectors(&e->in->req, &b->usage);
		b->is_counted = true;
		if (b->state != BATCH_ASKED)
			continue;
		TAILQ_REMOVE(batches, b, link);
		ingest_batch_drop(b);
	}
}

/* Texts whose vectors may be in memory at a time; one for each call at least. One document's are a
 * small part of all documents', or large ones would wait long for their share. */
static size_t
window_texts(const struct ingest *in)
{
	const struct api_conf *conf = in->req.conf;
	size_t most = conf->ingest_memory_max / 8;
	size_t bytes = conf->embedding_window < most ? conf->embedding_window : most;
	size_t texts = bytes / model_vector_memory(in->req.ctx->model);

	return texts > conf->embedding_calls ? texts : conf->embedding_calls;
}

static bool
finds_hashes(const struct ingest *in)
{
	return in->req.tenant.schema_version >= RETRIEVAL_SCHEMA_TAIL;
}

size_t
ingest_embed_memory(struct ingest *in)
{
	size_t texts = work_of(in)->distinct, window = window_texts(in);
	size_t bytes = model_vector_memory(in->req.ctx->model);

	if (texts <= window)
		return texts * bytes;
	if (finds_hashes(in))
		return window * bytes;
	return window * bytes + texts * model_dimensions(in->req.ctx->model) * sizeof(float);
}

enum language
ingest_language(struct ingest *in)
{
	return item_of(in)->has_language ? item_of(in)->language
					 : (enum language)in->req.tenant.limits->text_language;
}

struct store_chunks
ingest_chunks(struct ingest *in)
{
	return (struct store_chunks){ .attempt = in->attempt,
		.language = ingest_language(in),
		.has_words = in->embed.has_words,
		.in_place_of = own_user(&in->req),
		.schema_version = in->req.tenant.schema_version,
		.model = request_vector_model(&in->req),
		.is_normalized = &in->embed.is_normalized };
}

enum flow_rc
ingest_embed_run(struct flow *f, struct ingest *in)
{
	struct ingest_embed *e = &in->embed;
	size_t window = window_texts(in), texts = work_of(in)->distinct;

	*e = (struct ingest_embed){ .in = in, .finds = finds_hashes(in) };
	e->is_staged = e->finds && texts > window;
	e->has_words =
	    chunk_words_are_staged(in->req.tenant.schema_version, work_of(in)->chunks.count);
	e->batch_max = texts <= window ? texts : window / in->req.conf->embedding_calls;
	if (e->batch_max > CHUNK_FIND_MAX)
		e->batch_max = CHUNK_FIND_MAX;
	return flow_call(f, &e->flow, &ingest_embed_kind);
}
