/* SPDX-License-Identifier: MIT */
/*
 * request_count: see the headers. None of it is by tenant: that is what the loudest are for.
 */
#include "api/request_count.h"

#include "api/request_quota.h"
#include "api/respond.h"

const struct meter_family ratelimit_decisions = {
	.name = "tenantgate_ratelimit_decisions_total",
	.help = "Decisions by limit, and who decided: redis, local, or open (let through unasked).",
	.type = METRIC_COUNTER,
	.labels = { "limit", "decision", "mode" },
};

const struct meter_family client_aborts = {
	.name = "tenantgate_client_aborts_total",
	.help = "Requests whose client left before the end of the response, by route.",
	.type = METRIC_COUNTER,
	.labels = { "route" },
};

const struct meter_family usage_tokens = {
	.name = "tenantgate_usage_tokens_total",
	.help = "Tokens counted as tenants' usage: input, output, embedding.",
	.type = METRIC_COUNTER,
	.labels = { "type" },
};

const struct meter_family usage_documents = {
	.name = "tenantgate_usage_documents_total",
	.help = "Documents stored.",
	.type = METRIC_COUNTER,
};

const struct meter_family usage_document_bytes = {
	.name = "tenantgate_usage_document_bytes_total",
	.help = "Bytes of the files of these.",
	.type = METRIC_COUNTER,
};

/* The client's own time too: its body, and what it does not read. */
const char *const request_away_steps[] = { "tenant", "limit", "provision", "body", "embed",
	"pool_wait", "borrow", "search", "rerank", "answer", "stream", "write", "flush", "wait",
	"hold", NULL };

void
request_count_decision(const struct request *req, const char *limit, const char *decision,
    const char *mode)
{
	const struct slice values[] = { slice_str(limit), slice_str(decision), slice_str(mode) };

	meter_add(req->ctx->worker, &ratelimit_decisions, values, 1);
}

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
