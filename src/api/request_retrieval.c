/* SPDX-License-Identifier: MIT */
#include "api/request_retrieval.h"

#include "api/own.h"

#include "tenantgate/retrieval/vector_model.h"

/* The one place where a search is narrowed to what the caller may see. */
static const char *
owner_searched(const struct request *req, const struct chat_input *input)
{
	return own_owner(req, input->owner);
}

struct search_request
request_retrieval(const struct request *req, const struct chat_input *input, const float *vector)
{
	return (struct search_request){
		.vector = vector,
		.dimensions = model_dimensions(req->ctx->model),
		.model = vector != NULL ? model_embedding_name(req->ctx->model) : NULL,
		.document_ids = input->document_ids,
		.document_count = input->document_count,
		.mode = input->mode,
		.text = input->question,
		.text_weight = req->conf->search_text_weight,
		.filter = input->filter,
		.owner = owner_searched(req, input),
		.own_only = own_user(req) != NULL,
		.k = input->top_k,
		.min_score = input->min_score,
		.schema_version = req->tenant.schema_version,
	};
}

bool
request_retrieval_can(const struct request *req, const struct chat_input *input, struct err *err)
{
	if ((input->filter == NULL && owner_searched(req, input) == NULL &&
		input->mode != SEARCH_TEXT) ||
	    req->tenant.schema_version >= RETRIEVAL_SCHEMA_TAIL)
		return true;
	err_set(err, ERR_OUTDATED,
	    "The tenant's database is being brought up to date, and cannot be searched by "
	    "filter, ownerId or mode text before. Try again in a moment.");
	err->retry_after = 2;
	return false;
}

void
request_retrieval_note(struct request *req, const struct chat_input *input, unsigned k,
    const struct hits *hits)
{
	if (input->filter == NULL && owner_searched(req, input) == NULL &&
	    input->mode != SEARCH_TEXT && input->min_score <= SCORE_MIN)
		request_note_hits(req, input->document_ids, input->document_count, k, hits);
}

struct vector_model
request_vector_model(const struct request *req)
{
	const struct model *m = req->ctx->model;

	return (struct vector_model){ model_embedding_name(m), model_dimensions(m) };
}

enum flow_rc
request_vectors(struct request *req)
{
	const struct vector_model model = request_vector_model(req);

	return vectors_check(&req->flow, &req->lease, &model, req->tenant.schema_version);
}
