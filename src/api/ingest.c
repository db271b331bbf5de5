/* SPDX-License-Identifier: MIT */
/*
 * ingest: POST /ingest. Each document of the body is extracted, chunked, embedded and stored.
 *
 * What always holds:
 *  - The tenant's database is the authority: a document is whole from its commit on, absent before.
 *    The catalog's row only lists it, and is written as an intent first, so that no failure leaves
 *    a stored document that no row speaks of.
 *  - No connection is held while the model is waited for.
 *  - The documents of a request are stored one by one, and each has its result: one that is refused
 *    for what it is does not stop the next. What would stop each of them (a database that is away,
 *    the deadline) ends the request, whose response says what is stored.
 */
#include "api/handlers.h"
#include "api/ingest_arrive.h"
#include "api/ingest_item.h"
#include "api/ingest_memory.h"
#include "api/ingest_report.h"
#include "api/ingest_state.h"
#include "api/ingest_work.h"
#include "api/own.h"
#include "api/request_retrieval.h"
#include "api/respond.h"
#include "tenantgate/base/random.h"

static flow_step_fn ingest_admit, ingest_read, ingest_parse, ingest_begin, ingest_file,
    ingest_equal, ingest_equal_found, ingest_find, ingest_intended, ingest_describe,
    ingest_described, ingest_cut_out, ingest_extract, ingest_chunk, ingest_reserve, ingest_intend,
    ingest_embed, ingest_store, ingest_stored, ingest_list, ingest_next;
static flow_end_fn ingest_end;

static const struct flow_step ingest_steps[] = {
	{ "auth", request_caller },
	{ "tenant", request_tenant },
	{ "limit", request_limit },
	{ "provision", request_database },
	{ "admit", ingest_admit },
	{ "body", ingest_read },
	{ "parse", ingest_parse },
	{ "begin", ingest_begin },
	{ "file", ingest_file },
	{ "equal", ingest_equal },
	{ "equal_found", ingest_equal_found },
	{ "find_wait", request_borrow },
	{ "find", ingest_find },
	{ "describe", ingest_describe },
	{ "described", ingest_described },
	{ "cut_out", ingest_cut_out },
	{ "extract", ingest_extract },
	{ "chunk", ingest_chunk },
	{ "share", ingest_reserve },
	{ "intend", ingest_intend },
	{ "intended", ingest_intended },
	{ "embed", ingest_embed },
	{ "pool_wait", request_borrow },
	{ "store", ingest_store },
	{ "stored", ingest_stored },
	{ "list", ingest_list },
	{ "next", ingest_next },
	{ NULL, NULL },
};

static const struct flow_kind ingest_kind = { "ingest", ingest_steps, ingest_end, request_release };

static struct ingest *
ingest_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct ingest, req.flow, &ingest_kind);
}

/* Before the body is read, so a refused client has sent little. */
static enum flow_rc
ingest_admit(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	return ingest_memory_enter(f, &in->memory, &in->req);
}

static enum flow_rc
ingest_read(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	ingest_body_limit(&in->req, &in->too_large);
	http_refuse_body(in->req.x, &in->too_large);
	return ingest_arrive(f, &in->memory, &in->arrived);
}

static enum flow_rc
ingest_parse(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct err err = { .code = ERR_NONE };

	if (!ingest_query_check(http_query(in->req.x), &err))
		return flow_fail_err(f, &err);
	return ingest_begin_work(f, in);
}

/* From here on a stream of events may be open: later failures go into it. */
static enum flow_rc
ingest_begin(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	if (err_is(&work_of(in)->job.err) || !own_is_known(&in->req, &work_of(in)->job.err))
		return flow_fail_err(f, &work_of(in)->job.err);
	if (!ingest_report_begin(&in->report, &work_of(in)->items, f->arena))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the files' names");
	in->req.streaming = in->report.events;
	return FLOW_NEXT;
}

/* One document begins; it may have been refused when the body was read. */
static enum flow_rc
ingest_file(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	in->state = DOCUMENT_FRESH;
	in->is_same = in->in_doubt = false;
	in->terms.admission = DOCUMENT_ADMITTED;
	in->attempt[0] = '\0';
	ingest_report_file(&in->report);
	return err_is(&item_of(in)->err) ? flow_goto(f, ingest_next) : FLOW_NEXT;
}

/* The document is refused for what it is. That is the response, where it is the only one. */
static enum flow_rc
ingest_refuse(struct flow *f, const struct err *err)
{
	struct ingest *in = ingest_of(f);

	if (in->report.count == 1)
		return flow_fail_err(f, err);
	ingest_keep_refusal(in, err);
	err_clear(&work_of(in)->job.err);
	return flow_goto(f, ingest_next);
}

/* The tenant's quota, or ifNew, refuses it. */
static enum flow_rc
ingest_refuse_terms(struct flow *f)
{
	struct err err = { .code = ERR_NONE };

	ingest_terms_refuse(ingest_of(f), &err);
	return ingest_refuse(f, &err);
}

/* With ifNew: are these bytes stored already, under whatever id? */
static enum flow_rc
ingest_equal(struct flow *f)
{
	return ingest_find_equal(f, ingest_of(f));
}

/* Under another id they are the result. Under its own, the request may say something anew. What was
 * found by ingest_intended(), and is gone again, is for another request. */
static enum flow_rc
ingest_equal_found(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct document *d = &item_of(in)->document;

	if (in->is_found && strcmp(in->found.id, d->id) != 0) {
		*d = in->found;
		return flow_goto(f, ingest_next);
	}
	if (in->terms.admission != DOCUMENT_IS_STORED)
		return FLOW_NEXT;
	in->terms.admission = DOCUMENT_BEING_STORED;
	return ingest_refuse_terms(f);
}

/* Is one stored under its id, and of which bytes? */
static enum flow_rc
ingest_find(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	return store_find(f, &in->req.lease, schema_of(in), item_of(in)->document.id, &in->found,
	    &in->is_found);
}

static enum flow_rc
ingest_describe(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	if (ingest_gives_way(in))
		return ingest_refuse_terms(f);
	return ingest_describe_found(f, in);
}

/* A document that went, or changed, while it was described is stored as if it had not been
 * found. */
static enum flow_rc
ingest_described(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	pool_return(&in->req.lease, POOL_CLEAN);
	return in->is_same && in->is_found ? flow_goto(f, ingest_list) : FLOW_NEXT;
}

/* Of a form on the disk, for its reader. */
static enum flow_rc
ingest_cut_out(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	ingest_report_progress(&in->report, "extract", 0, 1);
	if (!ingest_work_is_cut_out(work_of(in)))
		return FLOW_NEXT;
	return ingest_run_work(f, in, item_of(in)->bytes.len, ingest_work_cut_out);
}

static enum flow_rc
ingest_extract(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct ingest_work *w = in->work;
	struct extract_in document = ingest_work_document(w, item_of(in));

	if (err_is(&w->job.err))
		return flow_fail_err(f, &w->job.err);
	return extract_run(f, &in->req.conf->extract, in->req.ctx->shared->budgets.parsers,
	    slice_str(in->req.tenant_id), &document, &w->extracted, &w->job.err);
}

static enum flow_rc
ingest_chunk(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct ingest_work *w = in->work;
	struct err err = w->job.err;

	if (err_is(&err) ||
	    !ingest_memory_text(&in->memory, w->extracted.text.cap + item_of(in)->text_bytes,
		&w->grants, &err))
		return ingest_refuse(f, &err);
	return ingest_run_work(f, in, ingest_work_cut_bytes(w), ingest_work_cut);
}

/* Its share of memory before the vectors are made; no database, catalog or extractor is held
 * meanwhile. */
static enum flow_rc
ingest_reserve(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct ingest_work *w = in->work;
	struct err err = w->job.err;

	if (err_is(&err))
		return ingest_refuse(f, &err);
	return ingest_memory_vectors(f, &in->memory, ingest_embed_memory(in), &w->grants);
}

/* The last step that can refuse the document for what it is; then the intent is written. The state
 * moves before the wait: from the moment the statement is sent, its row may be there. */
static enum flow_rc
ingest_intend(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct ingest_work *w = in->work;
	struct document *d = &item_of(in)->document;

	ingest_report_progress(&in->report, "extract", 1, 1);
	d->pages = w->extracted.pages_in_all;
	d->chunks = (unsigned)w->chunks.count;
	d->warnings = w->extracted.warnings;
	ingest_report_progress(&in->report, "chunk", d->chunks, d->chunks);
	in->state = DOCUMENT_INTENDED;
	id_random(in->attempt, DOCUMENT_ATTEMPT_LEN);
	ingest_set_terms(in);
	return documents_begin(f, in->req.ctx->catalog, in->req.tenant_id, d, in->attempt,
	    &in->terms);
}

/* What is not admitted has cost no call of the model. */
static enum flow_rc
ingest_intended(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	if (in->terms.admission == DOCUMENT_ADMITTED)
		return FLOW_NEXT;
	in->state = DOCUMENT_FRESH;
	return in->terms.admission == DOCUMENT_IS_STORED ? flow_goto(f, ingest_equal)
							 : ingest_refuse_terms(f);
}

/* What is staged meanwhile is no document yet: the state stays. */
static enum flow_rc
ingest_embed(struct flow *f)
{
	return ingest_embed_run(f, ingest_of(f));
}

/* The state moves before the wait, as in ingest_intend(): a lost connection may have committed. */
static enum flow_rc
ingest_store(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct ingest_work *w = in->work;
	struct store_chunks chunks = ingest_chunks(in);

	if (!in->embed.is_staged) {
		if (!ingest_work_rows(w))
			return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's chunks");
		in->rows = (struct chunk_rows){ .rows = w->rows,
			.count = w->chunks.count,
			.dimensions = model_dimensions(in->req.ctx->model) };
		chunks.rows = &in->rows;
		ingest_report_progress(&in->report, "store", 0, w->chunks.count);
	}
	in->state = DOCUMENT_SENT;
	return store_document(f, &in->req.lease, &item_of(in)->document, &chunks, ingest_sent, in);
}

static enum flow_rc
ingest_stored(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	size_t chunks = work_of(in)->chunks.count;

	pool_return(&in->req.lease, POOL_CLEAN);
	in->state = DOCUMENT_STORED;
	ingest_discard_staged(in);
	in->req.has_changed_chunks = true;
	request_note_document(&in->req, &item_of(in)->document);
	ingest_report_progress(&in->report, "store", chunks, chunks);
	return FLOW_NEXT;
}

static enum flow_rc
ingest_list(struct flow *f)
{
	struct ingest *in = ingest_of(f);

	return documents_ready(f, in->req.ctx->catalog, in->req.tenant_id, &item_of(in)->document,
	    in->attempt, &in->in_doubt);
}

/* One document is done: the next, or the response. */
static enum flow_rc
ingest_next(struct flow *f)
{
	struct ingest *in = ingest_of(f);
	struct ingest_work *w = in->work;

	ingest_report_item(&in->report, item_of(in), in->state == DOCUMENT_STORED);
	in->state = DOCUMENT_LISTED;
	request_expiry_changed(&in->req, item_of(in)->document.expires_at);
	if (in->in_doubt)
		request_reconcile(&in->req, item_of(in)->document.id);
	if (w->at + 1 < w->items.count) {
		w->at++;
		flow_goto(f, ingest_file);
		return ingest_run_work(f, in,
		    ingest_work_clear_bytes(in->work, model_dimensions(in->req.ctx->model)),
		    ingest_work_clear);
	}
	in->req.streaming = false;
	if (!ingest_report_finish(&in->report))
		return flow_fail(f, ERR_INTERNAL,
		    "The documents are stored, but are too many to list; send fewer at a time.");
	return FLOW_DONE;
}

static void
ingest_end(struct flow *f, const struct err *err)
{
	struct ingest *in = ingest_of(f);

	ingest_settle(in, err);
	if (err_is(err) && in->req.streaming)
		ingest_report_error(&in->report, err);
	else if (err_is(err) && http_status(in->req.x) == 0 && err->code != ERR_CLIENT_GONE)
		ingest_report_rest(&in->report, err);
	ingest_end_work(in);
	ingest_report_free(&in->report);
	request_end(&in->req, err);
}

void
ingest_start(struct http_exchange *x, const struct api_context *ctx,
    const struct api_route_match *match)
{
	struct request *req = request_start(x, ctx, match, sizeof(struct ingest), &ingest_kind);
	struct ingest *in = ingest_of(&req->flow);

	ingest_report_init(&in->report, x, req->request_id);
}
