/* SPDX-License-Identifier: MIT */
/*
 * ingest_settle: what becomes of the catalog's row when POST /ingest ends in the middle of a
 * document; and how far its storing is.
 */
#include "api/ingest_state.h"
#include "api/own.h"

/* The document under way was refused for what it is. */
static bool
document_is_refused(const struct ingest *in, const struct err *err)
{
	return in->state == DOCUMENT_FRESH && err_status(err->code) == 422 && in->work != NULL &&
	    in->req.tenant.state == TENANT_READY;
}

static void
list_as_failed(struct ingest *in, const struct err *err)
{
	documents_failed(in->req.ctx->worker, in->req.ctx->catalog, in->req.tenant_id,
	    &item_of(in)->document, err->detail, own_user(&in->req) != NULL);
}

void
ingest_keep_refusal(struct ingest *in, const struct err *err)
{
	item_of(in)->err = *err;
	if (document_is_refused(in, err))
		list_as_failed(in, err);
}

void
ingest_discard_staged(struct ingest *in)
{
	struct pool_target target = { 0 };
	char key[TENANT_KEY_SIZE];

	if (!in->embed.is_staged && !in->embed.has_words)
		return;
	in->embed.is_staged = in->embed.has_words = false;
	tenant_target(&in->req.tenant, &target, key);
	chunks_discard(in->req.ctx->worker, in->req.ctx->pools, &target, schema_of(in),
	    in->attempt);
}

void
ingest_settle(struct ingest *in, const struct err *err)
{
	if (in->state == DOCUMENT_INTENDED || in->state == DOCUMENT_SENT)
		ingest_discard_staged(in);
	if (err->code == ERR_CONFLICT && in->state != DOCUMENT_SENT)
		request_finish_deletion(&in->req, item_of(in)->document.id);
	else if (in->state == DOCUMENT_SENT || in->state == DOCUMENT_STORED)
		request_reconcile(&in->req, item_of(in)->document.id);
	else if (in->state == DOCUMENT_INTENDED)
		documents_undo(in->req.ctx->worker, in->req.ctx->catalog, in->req.tenant_id,
		    item_of(in)->document.id, in->attempt, err->detail);
	else if (document_is_refused(in, err) && work_of(in)->items.count > 0)
		list_as_failed(in, err);
}

void
ingest_sent(void *arg, size_t chunks)
{
	struct ingest *in = arg;

	ingest_report_sent(&in->report, chunks, work_of(in)->chunks.count);
}
