/* SPDX-License-Identifier: MIT */
/*
 * request_quota: see the header.
 *
 * The check comes before the body is read, so that a refusal is a status: what is reserved then is
 * an estimate by the body's length, the passages that will be found, and quota_answer_tokens. Just
 * before a model is asked the prompt and max_tokens are known, and the reservation is made to fit.
 */
#include "api/request_quota.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/handlers.h"
#include "api/quota_seeding.h"
#include "api/route.h"
#include "tenantgate/base/mutation.h"

#define BYTES_PER_TOKEN 4
/* A document's bytes may be pictures, and one upload must not hold up a tenant's questions. */
#define DOCUMENT_PART 4 /* of a quota */

/* ---- what is reserved ---- */

/* 0 where a client does not say: then the rest of the estimate has to do. */
static uint64_t
body_length(const struct request *req)
{
	struct slice s = http_header(req->x, "Content-Length");
	uint64_t n = 0;

	for (size_t i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9' && n < 1u << 30; i++)
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	return n;
}

static uint64_t
chat_estimate(const struct request *req)
{
	const struct plan *limits = req->tenant.limits;
	const struct api_conf *conf = req->conf;
	uint64_t passages = (uint64_t)limits->top_k * limits->chunk_size;
	uint64_t prompt = (body_length(req) + passages) / BYTES_PER_TOKEN;

	if (conf->chat_context_tokens > 0 && prompt > conf->chat_context_tokens)
		prompt = conf->chat_context_tokens;
	return prompt + conf->quota_answer_tokens;
}

static uint64_t
at_most_part(uint64_t tokens, uint64_t quota)
{
	uint64_t part = quota / DOCUMENT_PART;

	return quota > 0 && tokens > part ? part : tokens;
}

static uint64_t
documents_estimate(const struct request *req)
{
	const struct plan *limits = req->tenant.limits;
	uint64_t tokens = body_length(req) / BYTES_PER_TOKEN;

	tokens = at_most_part(tokens, limits->tokens_per_minute);
	return at_most_part(tokens, limits->tokens_per_month);
}

/* False where the request spends nothing that has a quota. */
static bool
quota_request_fill(const struct request *req, struct quota_request *ask)
{
	const struct plan *limits = req->tenant.limits;
	bool is_chat = req->route->start == chat_start;
	bool is_ingest = req->route->start == ingest_start;

	if (!is_chat && !is_ingest && req->route->start != search_start)
		return false;
	ask->quota = (struct quota){ .tokens_per_minute = limits->tokens_per_minute,
		.tokens_per_month = limits->tokens_per_month,
		.streams = is_chat ? limits->concurrent_streams : 0 };
	ask->is_stream = is_chat;
	if (is_chat)
		ask->tokens = chat_estimate(req);
	else
		ask->tokens =
		    is_ingest ? documents_estimate(req) : body_length(req) / BYTES_PER_TOKEN;
	return ask->quota.tokens_per_minute + ask->quota.tokens_per_month + ask->quota.streams > 0;
}

/* ---- the check ---- */

static bool
has_quota(const struct plan *limits)
{
	return (limits->tokens_per_minute | limits->tokens_per_month |
		   limits->concurrent_streams) != 0;
}

enum flow_rc
request_check(struct flow *f, struct request *req)
{
	struct quota_request ask = { 0 };
	struct request_quota *q;

	if (!has_quota(req->tenant.limits) || !quota_request_fill(req, &ask))
		return limit_check(f, req->ctx->limiter, req->rules, LIMIT_POLICIES, &req->verdict);
	q = arena_alloc(f->arena, sizeof(*q));
	if (q == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the request");
	q->ask = ask;
	q->ask.state_key = request_limit_key(req, q->keys[0], "quota",
	    mutated(MUTATION_QUOTA, req->tenant_id), "");
	q->ask.leases_key = request_limit_key(req, q->keys[1], "leases",
	    mutated(MUTATION_LEASES, req->tenant_id), "");
	req->quota = q;
	return quota_check(f, req->ctx->limiter, req->rules, LIMIT_POLICIES, &q->ask, &req->verdict,
	    &q->verdict, &q->hold);
}

/* ---- the refusal ---- */

static enum flow_rc
quota_refuse(struct flow *f, const struct request *req)
{
	static const enum plan_value values[] = {
		[QUOTA_MINUTE] = PLAN_TOKENS_PER_MINUTE,
		[QUOTA_MONTH] = PLAN_TOKENS_PER_MONTH,
		[QUOTA_STREAMS] = PLAN_MAX_CONCURRENT_STREAMS,
	};
	const struct quota_verdict *v = &req->quota->verdict;
	const struct quota *quota = &req->quota->ask.quota;
	char key[PLAN_KEY_SIZE];
	struct err err = { 0 };

	if (v->refused == QUOTA_MINUTE)
		err_set(&err, ERR_TOKEN_QUOTA,
		    "This tenant has spent its %llu tokens a minute, or would; try again in %u s.",
		    (unsigned long long)quota->tokens_per_minute, v->retry_after_s);
	else if (v->refused == QUOTA_MONTH)
		err_set(&err, ERR_TOKEN_QUOTA,
		    "This tenant has spent its %llu tokens of this month, or would; wait for the "
		    "next one, or ask for a larger plan.",
		    (unsigned long long)quota->tokens_per_month);
	else
		err_set(&err, ERR_TOO_MANY_STREAMS,
		    "This tenant has %u answers under way, as many as it may; try again when one "
		    "has ended.",
		    quota->streams);
	err.retry_after = (int)v->retry_after_s;
	err.policy = quota_policy_name(v->refused);
	err_cause(&err, "%s", plan_key(req->tenant.limits, values[v->refused], key));
	return flow_fail_err(f, &err);
}

enum flow_rc
request_quota_passes(struct flow *f, struct request *req)
{
	const struct request_quota *q = req->quota;

	if (q == NULL)
		return FLOW_NEXT;
	if (q->verdict.is_new && q->ask.quota.tokens_per_month > 0)
		quota_seeding_begin(req->ctx, req->tenant_id, &q->ask);
	if (q->verdict.refused == QUOTA_NONE)
		return FLOW_NEXT;
	req->verdict.allowed = false; /* for the log, and for what it has used */
	return quota_refuse(f, req);
}

void
request_quota_adjust(struct request *req, uint64_t tokens)
{
	if (req->quota != NULL)
		quota_adjust(req->quota->hold, tokens);
}

void
request_quota_settle(struct request *req, uint64_t tokens)
{
	if (req->quota != NULL)
		quota_settle(&req->quota->hold, tokens);
}
