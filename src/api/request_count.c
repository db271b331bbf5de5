/* SPDX-License-Identifier: MIT */
/*
 * request_count: see the headers. None of it is by tenant: that is what the loudest are for.
 */
#include "api/request_count.h"

#include "api/request_quota.h"
#include "api/respond.h"

/* The quotas are asked only of who is within the rates, and the first that refuses is told. */
static void
count_quotas(const struct request *req)
{
	const struct quota *quota = &req->quota->ask.quota;
	const uint64_t limits[] = {
		[QUOTA_MINUTE] = quota->tokens_per_minute,
		[QUOTA_MONTH] = quota->tokens_per_month,
		[QUOTA_STREAMS] = quota->streams,
	};
	enum quota_kind refused = req->quota->verdict.refused;

	if (refused != QUOTA_NONE) {
		request_count_decision(req, quota_policy_name(refused), "refused",
		    req->verdict.mode);
		return;
	}
	for (enum quota_kind k = QUOTA_MINUTE; k <= QUOTA_STREAMS; k++)
		if (limits[k] > 0)
			request_count_decision(req, quota_policy_name(k), "allowed",
			    req->verdict.mode);
}

void
request_count_decisions(const struct request *req)
{
	const struct limit_verdict *v = &req->verdict;

	if (!v->allowed) {
		request_count_decision(req, limit_policy_name(v->which), "refused", v->mode);
		return;
	}
	for (unsigned i = 0; i < LIMIT_POLICIES; i++)
		if (req->rules[i].count > 0)
			request_count_decision(req, limit_policy_name(i), "allowed", v->mode);
	if (req->quota != NULL)
		count_quotas(req);
}

void
request_count_end(const struct request *req, const struct err *err)
{
	const struct slice route = slice_str(req->flow.kind->name);

	if (err->code == ERR_CLIENT_GONE)
		meter_add(req->ctx->worker, &client_aborts, &route, 1);
}

static void
count_tokens(const struct request *req, const char *type, uint64_t n)
{
	const struct slice value = slice_str(type);

	if (n > 0)
		meter_add(req->ctx->worker, &usage_tokens, &value, (double)n);
}

void
request_count_tokens(const struct request *req, uint64_t embedding_tokens)
{
	count_tokens(req, "input", req->usage.input_tokens);
	count_tokens(req, "output", req->usage.output_tokens);
	count_tokens(req, "embedding", embedding_tokens);
	if (req->spent.documents == 0)
		return;
	meter_add(req->ctx->worker, &usage_documents, NULL, req->spent.documents);
	meter_add(req->ctx->worker, &usage_document_bytes, NULL, (double)req->spent.document_bytes);
}
