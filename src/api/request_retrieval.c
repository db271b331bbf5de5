/* SPDX-License-Identifier: MIT */
#include "api/request_retrieval.h"

struct search_request
request_retrieval(const struct request *req, const struct chat_input *input, const float *vector)
{
	return (struct search_request){
		.vector = vector,
		.dimensions = model_dimensions(req->ctx->model),
		.document_ids = input->document_ids,
		.document_count = input->document_count,
		.k = input->top_k,
		.min_score = -1,
		.schema_version = req->tenant.schema_version,
	};
}
