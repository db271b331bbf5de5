/* SPDX-License-Identifier: MIT */
/*
 * share_rows: see the header.
 */
#include "admin/share_rows.h"

void
share_rows_fill(struct share_row rows[SHARE_ROWS], const struct admin_context *ctx)
{
	const struct api_budgets *budgets = &ctx->api->shared->budgets;
	const struct model *model = ctx->api->model;
	const struct share_row all[SHARE_ROWS] = {
		{ "model_streams", model_share_budget(model, SHARE_OF_STREAMS), { 0 } },
		{ "embedding_calls", model_share_budget(model, SHARE_OF_EMBEDDINGS), { 0 } },
		{ "rerank_calls", model_share_budget(model, SHARE_OF_RERANKS), { 0 } },
		{ "ingests", budgets->ingests, { 0 } },
		{ "document_bytes", budgets->documents, { 0 } },
		{ "vector_bytes", budgets->vectors, { 0 } },
		{ "spool_bytes", budgets->spool, { 0 } },
		{ "extractors", budgets->parsers, { 0 } },
		{ "index_builds", indexing_budget(ctx->api->shared->indexing), { 0 } },
	};

	for (unsigned i = 0; i < SHARE_ROWS; i++) {
		rows[i] = all[i];
		share_stats(rows[i].budget, &rows[i].stats);
	}
}
