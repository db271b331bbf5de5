/* SPDX-License-Identifier: MIT */
/*
 * gen_ai: see the headers. The buckets are those that the conventions advise.
 */
#include <stdio.h>
#include <string.h>

#include "model/gen_ai_calls.h"
#include "model/model_choice.h"
#include "tenantgate/base/clock.h"

#define MICROSECONDS 1e6
#define COUNT(list)  (sizeof(list) / sizeof((list)[0]))

static const double duration_bounds[] = { 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56,
	5.12, 10.24, 20.48, 40.96, 81.92 };
static const double token_bounds[] = { 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576,
	4194304, 16777216, 67108864 };
static const double first_bounds[] = { 0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,
	0.75, 1, 2.5, 5, 7.5, 10 };
static const double chunk_bounds[] = { 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
	0.75, 1, 2.5 };

const struct meter_family gen_ai_duration = {
	.name = "tenantgate_gen_ai_client_operation_duration_seconds",
	.help = "Requests to models, from the first try to the end of the answer.",
	.type = METRIC_HISTOGRAM,
	.labels = { "gen_ai_provider_name", "gen_ai_operation_name", "gen_ai_request_model",
	    "error_type" },
	.bounds = duration_bounds,
	.bound_count = COUNT(duration_bounds),
};

const struct meter_family gen_ai_tokens = {
	.name = "tenantgate_gen_ai_client_token_usage",
	.help = "Tokens of a request to a model and of its answer.",
	.type = METRIC_HISTOGRAM,
	.labels = { "gen_ai_provider_name", "gen_ai_operation_name", "gen_ai_request_model",
	    "gen_ai_token_type" },
	.bounds = token_bounds,
	.bound_count = COUNT(token_bounds),
};

const struct meter_family gen_ai_first_chunk = {
	.name = "tenantgate_gen_ai_client_time_to_first_chunk_seconds",
	.help = "From a request to a model to the first piece of its answer.",
	.type = METRIC_HISTOGRAM,
	.labels = { "gen_ai_provider_name", "gen_ai_operation_name", "gen_ai_request_model" },
	.bounds = first_bounds,
	.bound_count = COUNT(first_bounds),
};

const struct meter_family gen_ai_chunk = {
	.name = "tenantgate_gen_ai_client_time_per_output_chunk_seconds",
	.help = "Between two pieces of an answer, after the first.",
	.type = METRIC_HISTOGRAM,
	.labels = { "gen_ai_provider_name", "gen_ai_operation_name", "gen_ai_request_model" },
	.bounds = chunk_bounds,
	.bound_count = COUNT(chunk_bounds),
};

static const struct {
	const char *host_end;
	const char *provider;
} providers[] = {
	{ "api.openai.com", "openai" },
	{ ".openai.azure.com", "azure.ai.openai" },
	{ ".services.ai.azure.com", "azure.ai.inference" },
	{ "generativelanguage.googleapis.com", "gcp.gemini" },
	{ "aiplatform.googleapis.com", "gcp.vertex_ai" },
	{ ".amazonaws.com", "aws.bedrock" },
	{ "api.anthropic.com", "anthropic" },
	{ "api.cohere.com", "cohere" },
	{ "api.cohere.ai", "cohere" },
	{ "api.deepseek.com", "deepseek" },
	{ "api.groq.com", "groq" },
	{ "api.mistral.ai", "mistral_ai" },
	{ "api.perplexity.ai", "perplexity" },
	{ "api.x.ai", "x_ai" },
};

/* Of "https://HOST:PORT/PATH". */
static struct slice
url_host(const char *url)
{
	const char *at = strstr(url, "://");
	const char *host = at == NULL ? url : at + 3;

	return slice_of(host, strcspn(host, ":/?"));
}

static bool
ends_in(struct slice s, const char *end)
{
	size_t n = strlen(end);

	return s.len >= n && memcmp(s.p + s.len - n, end, n) == 0;
}

const char *
gen_ai_provider(const char *url)
{
	struct slice host = url_host(url);

	for (size_t i = 0; i < COUNT(providers); i++)
		if (ends_in(host, providers[i].host_end))
			return providers[i].provider;
	return "openai";
}

const char *
gen_ai_provider_of(const struct model *m, const char *name)
{
	const struct model_choice *choice = model_choice_find(m->servers, name);

	if (choice == NULL && strcmp(name, m->embedding_choice->name) == 0)
		choice = m->embedding_choice;
	return choice != NULL ? choice->provider : gen_ai_provider("");
}

/* "rerank" is no name of the conventions, which allow others where none of theirs fits. */
static const char *const operations[MODEL_KINDS] = {
	[MODEL_EMBEDDINGS] = "embeddings",
	[MODEL_CHAT] = "chat",
	[MODEL_RERANK] = "rerank",
	[MODEL_FORMER] = "embeddings",
};

static void
gen_ai_add(const struct model_call *call, const struct meter_family *family, const char *last,
    double value)
{
	const struct slice values[] = {
		slice_str(call->choice->provider),
		slice_str(operations[call->kind]),
		slice_str(call->choice->name),
		slice_str(last),
	};

	meter_add(call->model->worker, family, values, value);
}

/* A caller who leaves an answer cancels it. */
static const char *
error_type(enum err_code error)
{
	if (error == ERR_NONE)
		return "";
	return error == ERR_CLIENT_GONE ? "cancelled" : err_slug(error);
}

void
gen_ai_ended(struct model_call *call, enum err_code error, const struct model_usage *usage)
{
	uint64_t began_us = call->began_us;

	call->began_us = call->piece_us = 0;
	call->pieces = NULL;
	if (began_us == 0)
		return;
	gen_ai_add(call, &gen_ai_duration, error_type(error),
	    (double)(clock_mono_us() - began_us) / MICROSECONDS);
	if (usage == NULL)
		return;
	if (usage->input_tokens > 0)
		gen_ai_add(call, &gen_ai_tokens, "input", (double)usage->input_tokens);
	if (usage->output_tokens > 0)
		gen_ai_add(call, &gen_ai_tokens, "output", (double)usage->output_tokens);
}

/* The series is looked up once an answer. */
void
gen_ai_piece(struct model_call *call, uint64_t now_us)
{
	const struct slice values[] = {
		slice_str(call->choice->provider),
		slice_str(operations[call->kind]),
		slice_str(call->choice->name),
	};

	if (call->piece_us == 0)
		gen_ai_add(call, &gen_ai_first_chunk, "",
		    (double)(now_us - call->began_us) / MICROSECONDS);
	else if (call->pieces == NULL)
		call->pieces = meter_series(call->model->worker, &gen_ai_chunk, values);
	if (call->pieces != NULL)
		meter_count(call->pieces, (double)(now_us - call->piece_us) / MICROSECONDS);
	call->piece_us = now_us;
}

void
model_breakers_each(const struct model *m, model_breaker_fn *fn, void *arg)
{
	const struct model_servers *all = m->servers;

	for (unsigned i = 0; i < all->count; i++)
		for (unsigned kind = 0; kind < MODEL_KINDS; kind++) {
			struct model_server *server = all->servers[i];

			if (kind != MODEL_FORMER)
				fn(server->conf.name, operations[kind],
				    model_breaker_is_open(&server->breakers[kind]), arg);
		}
}
