/* SPDX-License-Identifier: MIT */
/*
 * model_refusal: see the header. Tables of words, which are looked for in what the response says.
 */
#include "model/model_refusal.h"

#include <ctype.h>
#include <stdlib.h>

#include "model/model_habits.h"
#include "model/refusal_text.h"

#define LIMIT_NEAR 48 /* bytes between a word of a limit and its number */

/* How a refusal names a field. The words may have quotes, which a request's texts hold as \": then
 * `core` is what a request would have to hold for the words to be an echo of it. */
struct refusal_name {
	enum model_field field;
	const char *words;
	const char *core;
};

/* clang-format off */
static const struct refusal_name refusal_names[] = {
	{ FIELD_OBFUSCATION, "include_obfuscation", NULL },
	{ FIELD_STREAM_OPTIONS, "stream_options", NULL },
	{ FIELD_STREAM_OPTIONS, "include_usage", NULL },
	{ FIELD_BASE64, "encoding_format", NULL },
	{ FIELD_BASE64, "base64", NULL },
	{ FIELD_TEMPERATURE, "temperature", NULL },
	{ FIELD_MAX_TOKENS, "max_completion_tokens", NULL },
	{ FIELD_MAX_TOKENS, "max_tokens", NULL },
	{ FIELD_DOCUMENTS, "field 'texts'", "field" },
	{ FIELD_USER, "parameter: 'user'", "parameter:" },
	{ FIELD_USER, "property 'user'", "property" },
	{ FIELD_USER, "unknown name 'user'", "unknown name" },
	{ FIELD_USER, "field: 'user'", "field:" },
	{ FIELD_USER, "'body', 'user')", "body" },
	{ FIELD_USER, "supplied: user", NULL },
	{ FIELD_USER, "not supported: user", NULL },
	{ FIELD_SYSTEM_ROLE, "system role", NULL },
	{ FIELD_SYSTEM_ROLE, "role: system", NULL },
	{ FIELD_SYSTEM_ROLE, "role 'system'", "system" },
	{ FIELD_SYSTEM_ROLE, "'system' role", "system" },
	{ FIELD_SYSTEM_ROLE, "support 'system'", "system" },
	{ FIELD_SYSTEM_ROLE, "system message", NULL },
	{ FIELD_SYSTEM_ROLE, "system prompt", NULL },
	{ FIELD_SYSTEM_ROLE, "system instruction", NULL },
	{ FIELD_SYSTEM_ROLE, "developer instruction", NULL },
	{ FIELD_SYSTEM_ROLE, "input should be 'user'", "input should be" },
	{ FIELD_SYSTEM_ROLE, "only user and assistant roles", NULL },
	{ FIELD_SYSTEM_ROLE, "roles must alternate", NULL },
};

/* The place of a field in `param` and `loc`, from its end. */
static const struct refusal_name refusal_places[] = {
	{ FIELD_OBFUSCATION, "include_obfuscation", NULL },
	{ FIELD_STREAM_OPTIONS, "stream_options", NULL },
	{ FIELD_STREAM_OPTIONS, "stream_options.include_usage", NULL },
	{ FIELD_BASE64, "encoding_format", NULL },
	{ FIELD_TEMPERATURE, "temperature", NULL },
	{ FIELD_MAX_TOKENS, "max_completion_tokens", NULL },
	{ FIELD_MAX_TOKENS, "max_tokens", NULL },
	{ FIELD_USER, "user", NULL },
	{ FIELD_DOCUMENTS, "documents", NULL },
	{ FIELD_DOCUMENTS, "body.texts", NULL },
	{ FIELD_SYSTEM_ROLE, "messages[0].role", NULL },
	{ FIELD_SYSTEM_ROLE, "messages.0.role", NULL },
};

/* How a request has a field: by a key of its own, or by a value after this one. */
static const char *const field_keys[MODEL_FIELDS] = {
	[FIELD_OBFUSCATION] = "include_obfuscation",
	[FIELD_STREAM_OPTIONS] = "stream_options",
	[FIELD_USER] = "user",
	[FIELD_BASE64] = "encoding_format",
	[FIELD_TEMPERATURE] = "temperature",
	[FIELD_MAX_TOKENS] = "max_tokens",
	[FIELD_SYSTEM_ROLE] = "system",
	[FIELD_DOCUMENTS] = "documents",
};
/* clang-format on */

/* Whatever else they say: the prompt is too long, or not liked. */
static const char *const words_of_others[] = { "context length", "context window", "context size",
	"maximum context", "context_length", "reduce the length", "too long", "max_new_tokens",
	"physical batch size", "content filter", "content_filter", "content management",
	"content policy", "content_policy", "safety", "moderation", NULL };

/* Unless they name a field. */
static const char *const words_of_operators[] = { "model_not_found", "does not exist",
	"unknown model", "no such model", "model not found", "invalid model", "api key", "api_key",
	"unauthorized", "authentication", "permission", "quota", "billing", "credit", "rate limit",
	"rate_limit", NULL };

/* It is the value that is refused, and not the field .. */
static const char *const words_of_values[] = { "must be", "less than", "greater than", "at most",
	"at least", "too large", "too high", "between", "range", "maximum", "<=", ">=", NULL };

/* .. or the field as such. */
static const char *const words_of_fields[] = { "unsupported", "not support", "unrecognized",
	"unrecognised", "unknown", "extra", "not permitted", "not allowed", "unexpected",
	"only the default", "deprecated", NULL };

static const char *const words_of_batches[] = { "batch", "too many inputs", "too many texts",
	"number of texts", "number of inputs", "array too long", "items after validation",
	"per request", "split into", "payload size", "payload too large", "entity too large",
	NULL };

static const char *const words_of_bytes[] = { "token", "bytes", "payload", "entity too large",
	NULL };

static const char *const words_of_limits[] = { "larger than", "at most", "max", "limit", "exceed",
	"up to", NULL };

static bool
request_has(struct slice request, enum model_field field)
{
	if (request_search(request, field_keys[field]).own)
		return true;
	return field == FIELD_MAX_TOKENS && request_search(request, "max_completion_tokens").own;
}

/* By form: every one of them, and no client's text is in there. */
static unsigned
fields_placed(const struct buf *places)
{
	unsigned placed = 0;

	for (size_t i = 0; i < sizeof(refusal_places) / sizeof(refusal_places[0]); i++) {
		const struct refusal_name *n = &refusal_places[i];
		const char *at = text_find(places, n->words);

		if (at != NULL && at[strlen(n->words)] == '\n')
			placed |= FIELD_BIT(n->field);
	}
	return placed;
}

/* By words: the first that the request has, for what follows may name alternatives. */
static const struct refusal_name *
field_first(const struct buf *words, struct slice request)
{
	const struct refusal_name *first = NULL;
	const char *first_at = NULL;

	for (size_t i = 0; i < sizeof(refusal_names) / sizeof(refusal_names[0]); i++) {
		const struct refusal_name *n = &refusal_names[i];
		const char *at = text_find(words, n->words);

		if (at == NULL || (first != NULL && at >= first_at) ||
		    !request_has(request, n->field))
			continue;
		first = n;
		first_at = at;
	}
	return first;
}

static void
fields_read(const struct refusal_text *t, struct slice request, struct model_refusal *r)
{
	const struct refusal_name *first;

	r->named = fields_placed(&t->places);
	if (r->named != 0)
		return;
	first = field_first(&t->words, request);
	if (first == NULL)
		return;
	if (request_search(request, first->core != NULL ? first->core : first->words).echoes)
		r->echoed = FIELD_BIT(first->field);
	else
		r->named = FIELD_BIT(first->field);
}

/* A temperature or a number of tokens that is out of the server's range is the client's to mend,
 * and says nothing of the field. */
static void
values_excuse(const struct refusal_text *t, struct model_refusal *r)
{
	unsigned values = FIELD_BIT(FIELD_TEMPERATURE) | FIELD_BIT(FIELD_MAX_TOKENS);
	bool is_field = text_has(&t->words, words_of_fields);

	if (((r->named | r->echoed) & values) == 0 || is_field)
		return;
	if (!text_has(&t->words, words_of_values))
		values = FIELD_BIT(FIELD_MAX_TOKENS);
	r->named &= ~values;
	r->echoed &= ~values;
	r->is_other = (r->named | r->echoed) == 0;
}

/* The largest number below `items` that stands near a word of a limit; 0: none. */
static size_t
limit_find(const struct buf *words, size_t items)
{
	const char *text = words->data;
	size_t best = 0;

	for (size_t i = 0; i < sizeof(words_of_limits) / sizeof(words_of_limits[0]) - 1; i++) {
		for (const char *at = text; (at = strstr(at, words_of_limits[i])) != NULL; at++) {
			const char *p = at + strlen(words_of_limits[i]), *digit;
			size_t gap = strcspn(p, "0123456789\n");
			unsigned long n;

			digit = p + gap;
			if (gap > LIMIT_NEAR || !isdigit((unsigned char)*digit))
				continue;
			n = strtoul(digit, NULL, 10);
			if (n > best && n < items)
				best = n;
		}
	}
	return best;
}

static void
batch_read(const struct refusal_text *t, int status, size_t items, struct model_refusal *r)
{
	bool named = text_has(&t->words, words_of_batches);

	if (items < 2 || (!named && status != 413) || strstr(t->words.data, "physical batch size"))
		return;
	r->is_batch = true;
	r->in_bytes = !named ||
	    (text_has(&t->words, words_of_bytes) && strstr(t->words.data, "batch size") == NULL);
	if (!r->in_bytes)
		r->limit = limit_find(&t->words, items);
}

static void
refusal_judge(const struct refusal_text *t, int status, struct slice request, size_t items,
    struct model_refusal *r)
{
	bool is_plain = status == 400 || status == 422; /* what any fault of a request has */

	batch_read(t, status, items, r);
	if (text_has(&t->words, words_of_others) || status == 413) {
		r->is_other = true;
		return;
	}
	fields_read(t, request, r);
	values_excuse(t, r);
	if ((r->named | r->echoed) == 0 && (!is_plain || text_has(&t->words, words_of_operators)))
		r->is_other = true;
}

void
model_refusal_read(int status, struct slice body, struct slice request, size_t items,
    struct model_refusal *r)
{
	struct refusal_text t;

	memset(r, 0, sizeof(*r));
	if (status != 400 && status != 404 && status != 405 && status != 413 && status != 415 &&
	    status != 422 && status != 501) {
		r->is_other = true;
		return;
	}
	if (refusal_text_read(&t, body))
		refusal_judge(&t, status, request, items, r);
	else
		r->is_other = true;
	refusal_text_free(&t);
}
