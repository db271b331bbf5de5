/* SPDX-License-Identifier: MIT */
/*
 * request_meters: the families of request_count.c, and the one count that also a request without a
 * tenant has.
 */
#include "api/request_count.h"

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

static const char *const token_types[] = { "input", "output", "embedding", NULL };

const struct meter_family usage_tokens = {
	.name = "tenantgate_usage_tokens_total",
	.help = "Tokens counted as tenants' usage: input, output, embedding.",
	.type = METRIC_COUNTER,
	.labels = { "type" },
	.values = token_types,
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

/* The client's own time too: its body, and what it does not read. A step is the one that has
 * started what is waited for. */
const char *const request_away_steps[] = { "auth", "tenant", "limit", "hold", "provision", "body",
	/* models */
	"embed", "rerank", "answer", "stream",
	/* a connection, and what is asked by it */
	"expire", "find_wait", "pool_wait", "search", "find", "describe", "store", "stored",
	"chunks", "erase",
	/* the catalog */
	"equal", "intend", "list", "look", "looked", "mark", "marked", "drop", "claim", "claimed",
	"save", "read",
	/* memory that others hold; the client */
	"share", "write", "flush", "wait", NULL };

void
request_count_decision(const struct request *req, const char *limit, const char *decision,
    const char *mode)
{
	const struct slice values[] = { slice_str(limit), slice_str(decision), slice_str(mode) };

	meter_add(req->ctx->worker, &ratelimit_decisions, values, 1);
}
