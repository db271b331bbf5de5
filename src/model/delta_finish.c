/* SPDX-License-Identifier: MIT */
/*
 * delta_finish: the table of words, as OpenAI, Anthropic, Gemini, Mistral, Cohere, Bedrock,
 * DeepSeek, GLM, vLLM, SGLang and text-generation-inference are reported to say them. The case of
 * letters is ignored.
 */
#include "model/delta_finish.h"

#include <stddef.h>

#define NOT_YET ""
#define BROKEN	NULL

struct finish_word {
	const char *word;
	const char *reason; /* NOT_YET, BROKEN, or one of model.h's */
};

static const struct finish_word finish_words[] = {
	{ "stop", "stop" },
	{ "eos", "stop" },
	{ "eos_token", "stop" },
	{ "end_turn", "stop" },
	{ "stop_sequence", "stop" },
	{ "complete", "stop" },
	{ "length", "length" },
	{ "max_tokens", "length" },
	{ "max_length", "length" },
	{ "model_length", "length" },
	{ "content_filter", "content_filter" },
	{ "content_filtered", "content_filter" },
	{ "guardrail_intervened", "content_filter" },
	{ "safety", "content_filter" },
	{ "recitation", "content_filter" },
	{ "blocklist", "content_filter" },
	{ "prohibited_content", "content_filter" },
	{ "spii", "content_filter" },
	{ "sensitive", "content_filter" },
	{ "refusal", "content_filter" },
	{ "tool_calls", "tool_calls" },
	{ "tool_call", "tool_calls" },
	{ "tool_use", "tool_calls" },
	{ "function_call", "tool_calls" },
	{ "null", NOT_YET },
	{ "none", NOT_YET },
	{ "error", BROKEN },
	{ "network_error", BROKEN },
	{ "insufficient_system_resource", BROKEN },
	{ "abort", BROKEN },
	{ "aborted", BROKEN },
	{ "cancelled", BROKEN },
};

bool
finish_reason_read(struct slice raw, const char **reason)
{
	size_t i;

	for (i = 0; i < sizeof(finish_words) / sizeof(finish_words[0]); i++) {
		const struct finish_word *w = &finish_words[i];

		if (!slice_is_nocase(raw, w->word))
			continue;
		if (w->reason == BROKEN)
			return false;
		if (w->reason[0] != '\0')
			*reason = w->reason;
		return true;
	}
	*reason = "other";
	return true;
}
