/* SPDX-License-Identifier: MIT */
/*
 * model_error: what a failed try means: the caller's sentence, the log line, whether to try again.
 *
 * The server's own message may hold account data or quote the prompt. The caller never sees it, and
 * the log has only a bounded part of it, and only if it repeats nothing of the request.
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>

#include "model/model_internal.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

#define RETRY_AFTER_SHORT_S   5	 /* we wait so long; a longer Retry-After is passed to the client */
#define RETRY_AFTER_DEFAULT_S 5	 /* for the client, when the server names none */
#define QUOTE_WINDOW	      16 /* bytes; a quote of twice as many is always noticed */

static const struct backoff model_backoff = { 200 * 1000, 4 * 1000000, 200 };

/* The fields of an error object; "" when absent, cut when longer. */
struct error_text {
	char code[64];
	char type[64];
	char message[240];
};

/* Some servers send the code as a number. Anything else leaves what is there. */
static void
error_text_copy(char *to, size_t size, const json_t *value)
{
	if (json_is_string(value))
		snprintf(to, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(to, size, "%lld", (long long)json_integer_value(value));
}

/* Compatible servers differ: {"error":{"code","type","message"}}, {"error":"..."},
 * {"detail":"..."}, {"message":"..."}, or a proxy's HTML, of which only the size is kept. */
static void
error_text_read(struct slice body, struct error_text *text)
{
	struct err unused = { .code = ERR_NONE };
	json_t *top = json_read(body, &unused);
	const json_t *error = json_object_get(top, "error");
	const json_t *from = json_is_object(error) ? error : top;

	memset(text, 0, sizeof(*text));
	if (top == NULL)
		snprintf(text->message, sizeof(text->message), "(%zu bytes, no JSON)", body.len);
	error_text_copy(text->code, sizeof(text->code), json_object_get(from, "code"));
	error_text_copy(text->type, sizeof(text->type), json_object_get(from, "type"));
	error_text_copy(text->message, sizeof(text->message), json_object_get(from, "detail"));
	error_text_copy(text->message, sizeof(text->message), json_object_get(from, "message"));
	error_text_copy(text->message, sizeof(text->message), error);
	json_decref(top);
}

/* Does the message repeat part of the request, or the key? Each aligned window of it is looked for
 * in the request; a quote of 2 * QUOTE_WINDOW - 1 bytes holds a whole window, wherever it begins.
 */
static bool
error_text_quotes_prompt(const struct model_call *call, const char *text)
{
	size_t len = strlen(text), at;

	if (model_server_secret_in(call->choice->server, text))
		return true;
	if (call->body.data == NULL)
		return false;
	for (at = 0; at + QUOTE_WINDOW <= len; at += QUOTE_WINDOW)
		if (memmem(call->body.data, call->body.len, text + at, QUOTE_WINDOW) != NULL)
			return true;
	return false;
}

/* The one log line of a failed try, also of one that is tried again. */
static void
error_text_log(const struct model_call *call, const struct error_text *text,
    const struct web_response *response, const char *request_id)
{
	const char *message = error_text_quotes_prompt(call, text->message)
	    ? "(left out: it quotes the request)"
	    : text->message;

	if (response->failure != WEB_FINE)
		log_event(LOG_WARNING, "model.failed", request_id,
		    "The %s of server '%s' gave no complete answer (try %u); see whether its URL "
		    "can be reached. %s",
		    call->stage, call->choice->server->conf.name, call->tries, response->detail);
	else
		log_event(LOG_WARNING, "model.refused", request_id,
		    "The %s of server '%s' refused (try %u): HTTP %d, code '%s', type '%s', "
		    "message "
		    "'%s'. If this goes on, check the server's key, the model's name and its "
		    "quota.",
		    call->stage, call->choice->server->conf.name, call->tries, response->status,
		    text->code, text->type, message);
}

/* A 429 that no waiting will cure. The code is the word that counts; the type is read only without
 * one, for it may stay insufficient_quota beside another code. */
static bool
quota_is_used_up(const struct error_text *text)
{
	static const char *const codes[] = { "insufficient_quota", "credit_balance_exhausted",
		"organization_spend_limit_exceeded", "project_spend_limit_exceeded",
		"organization_usage_limit_exceeded", "billing_hard_limit_reached",
		"billing_not_active" };
	const char *code = text->code[0] != '\0' ? text->code : text->type;
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

/* The caller's sentence when there was no response, or only part of one. */
static void
describe_failure(const struct model_call *call, const struct web_response *response,
    struct err *err)
{
	switch (response->failure) {
	case WEB_TIMEOUT:
		err_set(err, ERR_MODEL_TIMEOUT, "The %s did not answer in time. Try again.",
		    call->stage);
		break;
	case WEB_RESOLVE:
	case WEB_CONNECT:
	case WEB_TLS:
		err_set(err, ERR_MODEL, "The %s could not be reached. Try again in a moment.",
		    call->stage);
		break;
	case WEB_NO_MEMORY:
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the model's answer");
		break;
	case WEB_CUT:
		err_set(err, ERR_MODEL,
		    "The %s broke off before its answer was complete. Try again.", call->stage);
		break;
	default:
		err_set(err, ERR_MODEL, "The %s gave no usable answer. Try again.", call->stage);
	}
}

/* The caller's sentence for a status. The quota, the key and the model's name are the operator's,
 * so 401, 403 and 404 become our 502 and not the caller's own 4xx; 429 becomes 503 with a
 * Retry-After, for it is the server's limit and not one of this tenant's. */
static void
describe_status(const struct model_call *call, const struct web_response *response, bool quota,
    struct err *err)
{
	int status = response->status;

	if (quota)
		err_set(err, ERR_MODEL,
		    "The %s's quota is used up (HTTP %d). Ask the operator to raise it.",
		    call->stage, status);
	else if (status == 429 || status == 503)
		err_set(err, ERR_OVERLOADED, "The %s is overloaded (HTTP %d). Try again later.",
		    call->stage, status);
	else if (status == 408 || status == 504)
		err_set(err, ERR_MODEL_TIMEOUT, "The %s timed out (HTTP %d). Try again.",
		    call->stage, status);
	else if (status >= 500)
		err_set(err, ERR_MODEL, "The %s failed (HTTP %d). Try again.", call->stage, status);
	else
		err_set(err, ERR_MODEL,
		    "The %s refused the request (HTTP %d). Ask the operator for the reason, which "
		    "is in the log.",
		    call->stage, status);
	if (err->code == ERR_OVERLOADED)
		err->retry_after =
		    response->retry_after_s > 0 ? response->retry_after_s : RETRY_AFTER_DEFAULT_S;
}

/* Once a byte of the request was sent the server may be at work on it (and bill it) whatever became
 * of the connection: then only its own word allows another try: a status, or that it refused the
 * stream. Vectors that are made twice are the same, and cost little: for them a connection that
 * broke before the answer is reason enough. */
static bool
may_retry(const struct model_call *call, const struct web_response *response, bool quota)
{
	int status = response->status;

	if (call->tries > call->choice->server->conf.retries || quota ||
	    response->retry_after_s > RETRY_AFTER_SHORT_S)
		return false;
	if (response->failure != WEB_FINE)
		return response->unprocessed ||
		    (call->kind == MODEL_EMBEDDINGS && response->failure == WEB_CUT &&
			response->status == 0);
	return status == 408 || status == 409 || status == 429 || status >= 500;
}

uint64_t
model_error_classify(struct model_call *call, const struct web_response *response,
    struct slice body, const char *request_id, struct err *err)
{
	struct error_text text;
	bool quota;

	error_text_read(body, &text);
	quota = response->status == 429 && quota_is_used_up(&text);
	error_text_log(call, &text, response, request_id);
	model_call_failed(call, response, quota);
	if (response->failure != WEB_FINE)
		describe_failure(call, response, err);
	else
		describe_status(call, response, quota, err);
	if (!may_retry(call, response, quota))
		return 0;
	return backoff_us(&model_backoff, call->tries, (uint64_t)response->retry_after_s * 1000000);
}

/* Codes of OpenAI's error events that mean "later"; the status was 200 long ago. */
void
model_error_event(struct model_call *call, struct slice data, const char *request_id,
    struct err *err)
{
	const struct web_response response = { .status = 200 };
	struct error_text text;

	error_text_read(data, &text);
	error_text_log(call, &text, &response, request_id);
	if (strcmp(text.code, "rate_limit_exceeded") == 0 || strcmp(text.code, "slow_down") == 0 ||
	    strcmp(text.code, "server_is_overloaded") == 0) {
		err_set(err, ERR_OVERLOADED, "The %s is overloaded. Try again later.", call->stage);
		err->retry_after = RETRY_AFTER_DEFAULT_S;
	} else {
		err_set(err, ERR_MODEL,
		    "The %s reported an error in the middle of its answer. Try again.",
		    call->stage);
	}
}
