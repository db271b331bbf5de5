/* SPDX-License-Identifier: MIT */
/*
 * request_usage: what a request has taken of models and storage, gathered while it runs, and added
 * to its tenant's usage at its end.
 *
 * A server that names no tokens leaves us to estimate them: four bytes of a text are a token, as
 * OpenAI's tokenizers make of English; of an answer each piece of text is one.
 */
#include "api/request_count.h"
#include "api/request_quota.h"

#define BYTES_PER_TOKEN 4

static uint64_t
tokens_estimated(uint64_t bytes)
{
	return (bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN;
}

void
request_note_prompt(struct request *req, const struct model_chat *chat)
{
	size_t bytes = 0;

	for (size_t i = 0; i < chat->message_count; i++)
		bytes += chat->messages[i].content.len;
	req->spent.prompt_bytes = bytes;
	request_quota_adjust(req,
	    tokens_estimated(bytes) +
		(chat->max_tokens > 0 ? chat->max_tokens : req->conf->quota_answer_tokens));
}

/* A stream that was cut before its figures came has had its prompt all the same. */
void
request_note_answer(struct request *req, const struct model_stream *answer)
{
	uint64_t prompt = tokens_estimated(req->spent.prompt_bytes);

	if (answer == NULL)
		return;
	req->usage = model_chat_usage(answer);
	if (!req->usage.known && req->usage.input_tokens < prompt)
		req->usage.input_tokens = prompt;
}

void
request_note_document(struct request *req, const struct document *d)
{
	req->spent.documents++;
	req->spent.document_bytes += d->bytes;
}

void
request_note_vectors(struct request *req, const struct model_usage *more)
{
	struct model_usage *all = &req->spent.embedding;

	if (more->calls == 0)
		return;
	all->known = more->known && (all->calls == 0 || all->known);
	all->calls += more->calls;
	all->text_bytes += more->text_bytes;
	all->input_tokens += more->input_tokens;
}

static uint64_t
embedding_tokens(const struct model_usage *u)
{
	uint64_t estimate = tokens_estimated(u->text_bytes);

	return u->known || u->input_tokens > estimate ? u->input_tokens : estimate;
}

static void
count_vectors(const struct request *req, const char *model, const struct model_usage *u)
{
	const struct usage_count count = { .embedding_calls = u->calls,
		.embedding_tokens = embedding_tokens(u) };

	if (u->calls > 0)
		usage_note(req->ctx->usage, req->tenant_id, model, &count);
}

static uint64_t
request_tokens(const struct request *req)
{
	return req->usage.input_tokens + req->usage.output_tokens +
	    embedding_tokens(&req->spent.embedding) + embedding_tokens(&req->spent.former);
}

/* A request that was refused before it was let in has used nothing. A tenant without a row may be
 * anything that a service key has named. */
void
request_count_usage(struct request *req)
{
	const struct usage_count count = {
		.requests = 1,
		.input_tokens = req->usage.input_tokens,
		.output_tokens = req->usage.output_tokens,
		.documents = req->spent.documents,
		.bytes = req->spent.document_bytes,
	};

	request_quota_settle(req, request_tokens(req));
	if (!req->verdict.allowed || req->tenant.state == TENANT_UNKNOWN)
		return;
	request_count_tokens(req,
	    embedding_tokens(&req->spent.embedding) + embedding_tokens(&req->spent.former));
	if (req->ctx->usage == NULL)
		return;
	usage_note(req->ctx->usage, req->tenant_id, req->model_name, &count);
	count_vectors(req, model_embedding_name(req->ctx->model), &req->spent.embedding);
	if (req->spent.former.calls > 0)
		count_vectors(req, req->spent.former_name, &req->spent.former);
}
