/* SPDX-License-Identifier: MIT */
/*
 * reembed_job: makes the vectors of a tenant's documents anew, by the model that is configured:
 *
 *	[catalog] --> [tenant] --> [borrow] --> [begin] --> [take] --> [texts] --none--> [switch]
 *	                                                      ^           |                 |
 *	                                                      |           v        a chunk has come
 *	                                                      |    +-> [embed] --> [borrow]  |
 *	                                                      |    |                  |      v
 *	                                                      |    +--more-- [stored] <-- [put]
 *	                                                      +-------none------+
 *
 * No connection is held while the model is waited for. What is embedded is kept batch by batch: a
 * command that was killed goes on where it was when it is run again.
 */
#include "reembed_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tenantgate/base/clock.h"

#define CATALOG_US   (30 * 1000000ull)
#define PROGRESS_US  1000000ull /* between two lines of progress */
#define BUSY_S	     5		/* waited for a model that does not say how long */
#define TEXT_CUT_MIN 16		/* bytes of a text that is cut */
#define BUSY_MAX     60		/* such waits in a row */

static flow_step_fn reembed_job_catalog, reembed_job_tenant, reembed_job_borrow, reembed_job_begin,
    reembed_job_take, reembed_job_texts, reembed_job_embed, reembed_job_embedded, reembed_job_put,
    reembed_job_stored, reembed_job_switch, reembed_job_switched;
static flow_step_fn reembed_call_run;
static flow_end_fn reembed_job_end;

static const struct flow_step reembed_job_steps[] = {
	{ "catalog", reembed_job_catalog },
	{ "tenant", reembed_job_tenant },
	{ "borrow", reembed_job_borrow },
	{ "begin", reembed_job_begin },
	{ "take", reembed_job_take },
	{ "texts", reembed_job_texts },
	{ "embed", reembed_job_embed },
	{ "embedded", reembed_job_embedded },
	{ "borrow_again", reembed_job_borrow },
	{ "put", reembed_job_put },
	{ "stored", reembed_job_stored },
	{ "switch", reembed_job_switch },
	{ "switched", reembed_job_switched },
	{ NULL, NULL },
};

const struct flow_kind reembed_job_kind = { "reembed", reembed_job_steps, reembed_job_end, NULL };

static const struct flow_step reembed_call_steps[] = {
	{ "call", reembed_call_run },
	{ NULL, NULL },
};

static const struct flow_kind reembed_call_kind = { "reembed_call", reembed_call_steps, NULL,
	NULL };

static struct reembed_job *
reembed_job_of(struct flow *f)
{
	return FLOW_OF(f, struct reembed_job, &reembed_job_kind);
}

static enum flow_rc
reembed_job_catalog(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);
	const struct process *process = j->ctx->process;

	flow_deadline(f, CATALOG_US);
	return tenants_check_catalog(f, process->catalog, process->conf->tenants.environment);
}

static enum flow_rc
reembed_job_tenant(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);

	return tenant_lookup(f, j->ctx->tenants, j->id, &j->tenant);
}

/* From here on it takes as long as it takes. */
static enum flow_rc
reembed_job_borrow(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);

	flow_deadline(f, 0);
	if (j->tenant.state != TENANT_READY)
		return flow_fail(f, ERR_NOT_FOUND,
		    "There is no such tenant, or it has no database yet. Look at its id.");
	tenant_target(&j->tenant, &j->target, j->key);
	return pool_borrow(f, j->ctx->process->pools, &j->target, &j->lease);
}

static enum flow_rc
reembed_job_begin(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);
	const struct vector_model model = { model_embedding_name(j->ctx->model),
		model_dimensions(j->ctx->model) };

	reembed_init(&j->reembed, &j->lease, &model);
	return reembed_begin(f, &j->reembed);
}

static void
reembed_job_tell(struct reembed_job *j, bool at_once)
{
	uint64_t all = j->reembed.chunks, now = clock_mono_us();

	if (!at_once && now < j->told_us + PROGRESS_US)
		return;
	j->told_us = now;
	fprintf(stderr,
	    "%stenantgate: %" PRIu64 " of %" PRIu64 " chunks have new vectors (%u %%)%s",
	    isatty(STDERR_FILENO) ? "\r" : "", j->done, all,
	    all == 0 ? 100 : (unsigned)(100 * j->done / all), isatty(STDERR_FILENO) ? "" : "\n");
	fflush(stderr);
}

static enum flow_rc
reembed_job_take(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);

	if (j->reembed.is_done)
		return FLOW_DONE;
	if (j->told_us == 0) {
		j->done = j->reembed.chunks - j->reembed.left;
		reembed_job_tell(j, true);
	}
	return reembed_next(f, &j->reembed, j->last_id, &j->taken);
}

/* Texts are those of the result, until the next one is taken. */
static enum flow_rc
reembed_job_texts(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);
	enum flow_rc rc = pg_check(f, &j->taken, ERR_NONE, "read the chunks");

	if (rc != FLOW_NEXT)
		return rc;
	j->at = 0;
	j->count = pg_rows(&j->taken) < REEMBED_TEXTS_MAX ? pg_rows(&j->taken) : REEMBED_TEXTS_MAX;
	if (j->count == 0)
		return flow_goto(f, reembed_job_switch);
	pool_return(&j->lease, POOL_CLEAN);
	for (size_t i = 0; i < j->count; i++)
		j->texts[i] = pg_value(&j->taken, (unsigned)i, 1);
	return FLOW_NEXT;
}

static enum flow_rc
reembed_call_run(struct flow *f)
{
	struct reembed_job *j = FLOW_OF(f, struct reembed_call, &reembed_call_kind)->job;
	const struct model_asker asker = { .tenant = slice_str(j->id) };

	free(j->vectors);
	j->batch =
	    j->singles > 0 ? 1 : model_batch(j->ctx->model, j->texts + j->at, j->count - j->at);
	return model_embed(f, j->ctx->model, &asker, j->texts + j->at, j->batch, &j->vectors,
	    &j->usage);
}

static enum flow_rc
reembed_job_embed(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);

	j->call.job = j;
	return flow_try(f, &j->call.flow, &reembed_call_kind, &j->busy);
}

/* A text that the model does not take whole has a vector of its beginning: it was stored for
 * another model, and to be found by that is better than that its tenant stays with the former.
 * False: it is not for its length. */
static bool
reembed_job_shorten(struct reembed_job *j)
{
	struct slice *text = &j->texts[j->at];

	if (j->batch > 1) {
		j->singles = j->batch;
		return true;
	}
	if (text->len < TEXT_CUT_MIN)
		return false;
	text->len /= 2;
	while (((unsigned char)text->p[text->len] & 0xC0) == 0x80)
		text->len--;
	fprintf(stderr,
	    "%stenantgate: Chunk %s is too long for the model; its vector is of its first %zu "
	    "bytes.\n",
	    isatty(STDERR_FILENO) ? "\n" : "", pg_text(&j->taken, (unsigned)j->at, 0), text->len);
	return true;
}

/* A whole tenant's texts at once are more than many providers allow in a minute: they say so, and
 * are waited for. */
static enum flow_rc
reembed_job_embedded(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);
	int seconds = j->busy.retry_after > 0 ? j->busy.retry_after : BUSY_S;

	if (!err_is(&j->busy)) {
		j->waits = 0;
		return FLOW_NEXT;
	}
	if (j->busy.code == ERR_CONTEXT_LENGTH && reembed_job_shorten(j))
		return flow_goto(f, reembed_job_embed);
	if ((j->busy.code != ERR_OVERLOADED && j->busy.code != ERR_MODEL_TIMEOUT) ||
	    j->waits++ == BUSY_MAX)
		return flow_fail_err(f, &j->busy);
	fprintf(stderr, "%stenantgate: The model is busy; this goes on in %d s.\n",
	    isatty(STDERR_FILENO) ? "\n" : "", seconds);
	flow_goto(f, reembed_job_embed);
	return flow_sleep(f, &j->timer, (uint64_t)seconds * 1000000);
}

static enum flow_rc
reembed_job_put(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);
	const struct vector_model *model = &j->reembed.model;
	const float *first = j->vectors;

	for (size_t i = 0; i < j->batch; i++) {
		chunk_hash(model->name, j->texts[j->at + i], j->hashes[i]);
		j->rows[i] = (struct reembed_row){
			.id = strtoll(pg_text(&j->taken, (unsigned)(j->at + i), 0), NULL, 10),
			.hash = j->hashes[i],
			.vector = j->vectors + i * model->dimensions,
		};
	}
	j->has_embedded = true;
	j->is_normalized = vectors_are_normalized(&first, 1, model->dimensions);
	return reembed_put(f, &j->reembed, j->rows, j->batch);
}

static enum flow_rc
reembed_job_stored(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);

	j->last_id = j->rows[j->batch - 1].id;
	j->at += j->batch;
	j->done += j->batch;
	j->singles -= j->singles > 0;
	reembed_job_tell(j, false);
	if (j->at == j->count)
		return flow_goto(f, reembed_job_take);
	pool_return(&j->lease, POOL_CLEAN);
	return flow_goto(f, reembed_job_embed);
}

static enum flow_rc
reembed_job_switch(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);

	reembed_job_tell(j, true);
	return reembed_switch(f, &j->reembed, j->has_embedded ? &j->is_normalized : NULL,
	    &j->is_switched);
}

/* A chunk that has come meanwhile may have any id: from the first on once more. */
static enum flow_rc
reembed_job_switched(struct flow *f)
{
	struct reembed_job *j = reembed_job_of(f);

	if (j->is_switched)
		return FLOW_DONE;
	j->last_id = 0;
	j->reembed.chunks++;
	return flow_goto(f, reembed_job_take);
}

static void
reembed_job_end(struct flow *f, const struct err *err)
{
	struct reembed_job *j = reembed_job_of(f);

	pool_return(&j->lease, err_is(err) ? POOL_DIRTY : POOL_CLEAN);
	pg_clear(&j->taken);
	timer_free(&j->timer);
	free(j->vectors);
	j->err = *err;
	j->has_ended = true;
}
