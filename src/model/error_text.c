/* SPDX-License-Identifier: MIT */
/*
 * error_text: reads the words of a failure, and two tables of what is meant by them: by code, and
 * for servers that have none of their own, by phrase.
 */
#define _GNU_SOURCE /* strcasestr */
#include "model/error_text.h"

#include <stdio.h>
#include <string.h>

#include "tenantgate/base/json.h"

#define NESTED_MAX 4   /* objects in objects whose words are looked for */
#define NAMES_MAX  8   /* members that are named of a JSON text without words */
#define SHOWN_MAX  160 /* bytes of a body that is text */

struct reason_word {
	const char *word;
	enum error_reason reason;
};

/* As codes or types; OpenAI, Azure, llama.cpp, Anthropic, Model Studio. */
static const struct reason_word reason_codes[] = {
	{ "insufficient_quota", REASON_QUOTA },
	{ "credit_balance_exhausted", REASON_QUOTA },
	{ "organization_spend_limit_exceeded", REASON_QUOTA },
	{ "project_spend_limit_exceeded", REASON_QUOTA },
	{ "organization_usage_limit_exceeded", REASON_QUOTA },
	{ "billing_hard_limit_reached", REASON_QUOTA },
	{ "billing_not_active", REASON_QUOTA },
	{ "rate_limit_exceeded", REASON_BUSY },
	{ "rate_limit_error", REASON_BUSY },
	{ "slow_down", REASON_BUSY },
	{ "server_is_overloaded", REASON_BUSY },
	{ "overloaded_error", REASON_BUSY },
	{ "context_length_exceeded", REASON_LENGTH },
	{ "exceed_context_size_error", REASON_LENGTH },
	{ "content_filter", REASON_FILTER },
	{ "content_policy_violation", REASON_FILTER },
	{ "ResponsibleAIPolicyViolation", REASON_FILTER },
	{ "data_inspection_failed", REASON_FILTER },
};

/* In messages; vLLM, OpenAI, Mistral, llama.cpp, Anthropic, Gemini, Bedrock, TGI; Azure. */
static const struct reason_word reason_phrases[] = {
	{ "maximum context length", REASON_LENGTH },
	{ "context size", REASON_LENGTH },
	{ "context window", REASON_LENGTH },
	{ "prompt is too long", REASON_LENGTH },
	{ "input is too long", REASON_LENGTH },
	{ "maximum number of tokens allowed", REASON_LENGTH },
	{ "`inputs` tokens + `max_new_tokens`", REASON_LENGTH },
	{ "content management policy", REASON_FILTER },
};

struct slice
body_skip_space(struct slice body)
{
	while (body.len > 0 && strchr(" \t\r\n", body.p[0]) != NULL && body.p[0] != '\0')
		body = slice_of(body.p + 1, body.len - 1);
	return body;
}

enum body_form
body_form(struct slice body)
{
	body = body_skip_space(body);
	if (body.len == 0)
		return BODY_UNKNOWN;
	switch (body.p[0]) {
	case '{':
	case '[':
		return BODY_JSON;
	case '<':
		return BODY_HTML;
	case '\x1f': /* RFC 1952, section 2.3.1 */
		return BODY_GZIP;
	default:
		return BODY_OTHER;
	}
}

/* Some servers send the code as a number. What is there already stays: it is an inner object's. */
static void
error_text_copy(char *to, size_t size, const json_t *value)
{
	if (to[0] != '\0')
		return;
	if (json_is_string(value))
		snprintf(to, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(to, size, "%lld", (long long)json_integer_value(value));
}

/* {"error":{"code","type","message"}}, {"error":"..."}, {"errors":[...]}, {"detail":"..."},
 * FastAPI's {"detail":[{"msg"}]}, Mistral's {"message":{"detail":[...]}}, Gemini's
 * [{"error":{...}}]. */
static void
error_words_find(const json_t *value, struct error_text *text, unsigned depth)
{
	static const char *const names[] = { "error", "errors", "message", "detail", "msg",
		"error_msg", "error_message", "title", "reason" };
	const json_t *error;
	size_t i;

	if (json_is_array(value))
		value = json_array_get(value, 0);
	if (json_is_string(value))
		error_text_copy(text->message, sizeof(text->message), value);
	if (!json_is_object(value) || depth == 0)
		return;
	error = json_object_get(value, "error");
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && text->message[0] == '\0'; i++)
		if (i > 0 || !json_is_string(error)) /* beside a message it is a title */
			error_words_find(json_object_get(value, names[i]), text, depth - 1);
	error_text_copy(text->message, sizeof(text->message), error);
	error_text_copy(text->code, sizeof(text->code), json_object_get(value, "code"));
	error_text_copy(text->code, sizeof(text->code), json_object_get(value, "error_code"));
	error_text_copy(text->type, sizeof(text->type), json_object_get(value, "type"));
	error_text_copy(text->inner, sizeof(text->inner),
	    json_object_get(json_object_get(value, "innererror"), "code"));
}

/* What has no words we know may be the answer itself, which no log has: only its shape is told. */
static void
json_describe(const json_t *top, struct error_text *text)
{
	size_t used, n = 0;
	const char *name;
	json_t *value;

	used = (size_t)snprintf(text->message, sizeof(text->message), "(JSON without a message: %s",
	    json_is_object(top) ? "" : "no object");
	json_object_foreach((json_t *)top, name, value) {
		if (++n > NAMES_MAX || used >= sizeof(text->message))
			break;
		used += (size_t)snprintf(text->message + used, sizeof(text->message) - used,
		    "%s%.24s", n > 1 ? ", " : "", name);
	}
	if (used < sizeof(text->message))
		snprintf(text->message + used, sizeof(text->message) - used, ")");
}

static void
body_describe(struct slice body, struct error_text *text)
{
	static const char *const names[] = {
		[BODY_JSON] = "broken JSON",
		[BODY_HTML] = "HTML",
		[BODY_GZIP] = "gzip",
		[BODY_OTHER] = "no text",
	};
	struct slice shown = body_skip_space(body);
	enum body_form form = body_form(body);

	if (shown.len > SHOWN_MAX)
		shown.len = SHOWN_MAX;
	if (form == BODY_UNKNOWN)
		snprintf(text->message, sizeof(text->message), "(an empty body)");
	else if (form == BODY_OTHER && shown.p[0] != '\0')
		snprintf(text->message, sizeof(text->message), "%.*s", SLICE_ARG(shown));
	else
		snprintf(text->message, sizeof(text->message), "(%zu bytes of %s)", body.len,
		    names[form]);
}

void
error_text_read(struct slice body, struct error_text *text)
{
	struct err unused = { .code = ERR_NONE };
	json_t *top = json_read(body, &unused);
	const json_t *choice;

	memset(text, 0, sizeof(*text));
	choice = json_array_get(json_object_get(top, "choices"), 0);
	error_words_find(json_object_get(choice, "error"), text, NESTED_MAX);
	error_words_find(top, text, NESTED_MAX);
	text->has_words = text->message[0] != '\0';
	if (!text->has_words && top != NULL)
		json_describe(top, text);
	else if (!text->has_words)
		body_describe(body, text);
	json_decref(top);
}

static enum error_reason
reason_of_code(const char *code)
{
	size_t i;

	for (i = 0; i < sizeof(reason_codes) / sizeof(reason_codes[0]); i++)
		if (strcmp(code, reason_codes[i].word) == 0)
			return reason_codes[i].reason;
	return REASON_OTHER;
}

/* The code is the word that counts; the type is read only without one, for it may stay
 * insufficient_quota beside another code. A number is the status once more, and no code. */
enum error_reason
error_text_reason(const struct error_text *text)
{
	bool has_code = text->code[0] != '\0' && strspn(text->code, "0123456789-") == 0;
	enum error_reason reason = reason_of_code(has_code ? text->code : text->type);
	size_t i;

	if (reason == REASON_OTHER)
		reason = reason_of_code(text->inner);
	for (i = 0; reason == REASON_OTHER && text->has_words &&
	     i < sizeof(reason_phrases) / sizeof(reason_phrases[0]);
	     i++)
		if (strcasestr(text->message, reason_phrases[i].word) != NULL)
			reason = reason_phrases[i].reason;
	return reason;
}
