/* SPDX-License-Identifier: MIT */
#include "api/request_retrieval.h"

#include "tenantgate/retrieval/vector_model.h"

struct search_request
request_retrieval(const struct request *req, const struct chat_input *input, const float *vector)
{
	return (struct search_request){
		.vector = vector,
		.dimensions = model_dimensions(req->ctx->model),
		.model = model_embedding_name(req->ctx->model),
		.document_ids = input->document_ids,
		.document_count = input->document_count,
		.k = input->top_k,
		.min_score = -1,
		.schema_version = req->tenant.schema_version,
	};
}

enum flow_rc
request_vectors(struct request *req)
{
	const struct vector_model model = { model_embedding_name(req->ctx->model),
		model_dimensions(req->ctx->model) };

	return vectors_check(&req->flow, &req->lease, &model, req->tenant.schema_version);
}
