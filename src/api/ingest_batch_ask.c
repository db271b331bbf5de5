/* SPDX-License-Identifier: MIT */
/*
 * ingest_batch_ask: the call of the model that a batch is, a flow of its own.
 */
#include <stdio.h>
#include <string.h>

#include "api/ingest_batch.h"

static flow_step_fn batch_embed;
static flow_end_fn batch_end;
static flow_release_fn batch_release;

static const struct flow_step batch_steps[] = {
	{ "embed_batch", batch_embed },
	{ NULL, NULL },
};

static const struct flow_kind batch_kind = { "ingest_batch", batch_steps, batch_end,
	batch_release };

static struct ingest_batch *
batch_of(struct flow *f)
{
	return FLOW_OF(f, struct ingest_batch, &batch_kind);
}

static enum flow_rc
batch_embed(struct flow *f)
{
	struct ingest_batch *b = batch_of(f);
	const struct model_asker asker = { .tenant = slice_str(b->tenant),
		.user = slice_str(b->user),
		.traceparent = slice_str(b->traceparent) };

	return model_embed(f, b->model, &asker, b->texts, b->asked, &b->embedded, &b->usage);
}

/* In the order of the texts that were asked for. */
static void
vectors_fill(struct ingest_batch *b)
{
	unsigned dimensions = model_dimensions(b->model);
	const float *next = b->embedded;

	for (size_t i = 0; i < b->count; i++) {
		if (b->vectors[i] != NULL)
			continue;
		b->vectors[i] = next;
		next += dimensions;
	}
	for (size_t i = 0; i < b->row_count; i++)
		b->rows[i].vector = b->vectors[b->sources[i]];
}

static void
batch_end(struct flow *f, const struct err *err)
{
	struct ingest_batch *b = batch_of(f);

	b->err = *err;
	if (!err_is(err))
		vectors_fill(b);
}

/* The state moves last: until here the flow needs the memory. */
static void
batch_release(struct flow *f)
{
	struct ingest_batch *b = batch_of(f);

	b->state = BATCH_READY;
	if (b->is_waiting == NULL) {
		ingest_batch_free(b);
		return;
	}
	if (*b->is_waiting) {
		*b->is_waiting = false;
		flow_wake(b->waiter);
	}
}

static void
batch_copy_asker(struct ingest_batch *b, struct request *req)
{
	struct slice trace = request_asker(req).traceparent;

	snprintf(b->tenant, sizeof(b->tenant), "%s", req->tenant_id);
	snprintf(b->user, sizeof(b->user), "%s", req->user_id);
	snprintf(b->request_id, sizeof(b->request_id), "%s", req->request_id);
	if (trace.len >= sizeof(b->traceparent))
		trace.len = sizeof(b->traceparent) - 1; /* what matters of one is shorter */
	if (trace.len > 0)
		memcpy(b->traceparent, trace.p, trace.len);
}

void
ingest_batch_ask(struct ingest_batch *b, struct request *req, struct flow *waiter, bool *is_waiting)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->vectors[i] == NULL)
			b->texts[b->asked++] = b->texts[i];
	if (b->asked == 0) {
		vectors_fill(b);
		b->state = BATCH_READY;
		return;
	}
	batch_copy_asker(b, req);
	b->state = BATCH_ASKED;
	b->waiter = waiter;
	b->is_waiting = is_waiting;
	flow_start(&b->flow, &batch_kind, waiter->worker, NULL);
	b->flow.request_id = b->request_id;
}

void
ingest_batch_drop(struct ingest_batch *b)
{
	if (b->state != BATCH_ASKED) {
		ingest_batch_free(b);
		return;
	}
	b->waiter = NULL;
	b->is_waiting = NULL;
	flow_abort(&b->flow, ERR_CLIENT_GONE, "The document is not wanted any more.");
}
