/* SPDX-License-Identifier: MIT */
/*
 * fault: what a refusal means, for the caller and for the next try. The server's own words may
 * hold account data or quote the prompt: the caller never sees them, and the log only sees a
 * bounded part that repeats nothing we sent.
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>

#include "model/model_internal.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

#define RETRY_AFTER_SHORT_S   5	 /* longer is the client's to wait */
#define RETRY_AFTER_DEFAULT_S 5	 /* told to the client when the server says nothing */
#define QUOTE_WINDOW	      16 /* a run of twice that many bytes of ours is noticed */

static const struct backoff model_backoff = { 200 * 1000, 4 * 1000000, 200 };

struct error_text {
	char code[64];
	char type[64];
	char message[240];
};

static void
error_text_copy(char *to, size_t size, const json_t *value)
{
	if (json_is_string(value))
		snprintf(to, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(to, size, "%lld", (long long)json_integer_value(value));
}

/* {"error":{…}}, {"error":"…"}, {"detail":"…"}, {"message":"…"}, or no JSON at all. */
static void
error_text_read(struct slice body, struct error_text *w)
{
	struct err unused = { .code = ERR_NONE };
	json_t *top = json_read(body, &unused);
	const json_t *error = json_object_get(top, "error");
	const json_t *from = json_is_object(error) ? error : top;

	memset(w, 0, sizeof(*w));
	if (top == NULL)
		snprintf(w->message, sizeof(w->message), "(%zu bytes, no JSON)", body.len);
	error_text_copy(w->code, sizeof(w->code), json_object_get(from, "code"));
	error_text_copy(w->type, sizeof(w->type), json_object_get(from, "type"));
	error_text_copy(w->message, sizeof(w->message), json_object_get(from, "detail"));
	error_text_copy(w->message, sizeof(w->message), json_object_get(from, "message"));
	error_text_copy(w->message, sizeof(w->message), error);
	json_decref(top);
}

/* Does the text repeat a run of the request, or the key? */
static bool
error_text_quotes_prompt(const struct call *a, const char *text)
{
	size_t len = strlen(text), at;
	const char *key = a->model->conf.api_key;

	if (key != NULL && key[0] != '\0' && strstr(text, key) != NULL)
		return true;
	if (a->body.data == NULL)
		return false;
	for (at = 0; at + QUOTE_WINDOW <= len; at += QUOTE_WINDOW)
		if (memmem(a->body.data, a->body.len, text + at, QUOTE_WINDOW) != NULL)
			return true;
	return false;
}

static void
error_text_log(const struct call *a, const struct error_text *w,
    const struct web_response *response, const char *request_id)
{
	const char *message = error_text_quotes_prompt(a, w->message)
	    ? "(left out: it quotes the request)"
	    : w->message;

	if (response->failure != WEB_FINE)
		log_event(LOG_WARNING, "model.failed", request_id, "%s, try %u: %s", a->stage,
		    a->tries, response->detail);
	else
		log_event(LOG_WARNING, "model.refused", request_id,
		    "%s, try %u: HTTP %d, code '%s', type '%s': %s", a->stage, a->tries,
		    response->status, w->code, w->type, message);
}

/* 429 that no waiting will cure. The type may stay insufficient_quota where the code says else. */
static bool
quota_is_used_up(const struct error_text *w)
{
	static const char *const codes[] = { "insufficient_quota", "credit_balance_exhausted",
		"organization_spend_limit_exceeded", "project_spend_limit_exceeded",
		"organization_usage_limit_exceeded", "billing_hard_limit_reached",
		"billing_not_active" };
	const char *code = w->code[0] != '\0' ? w->code : w->type;
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

static void
describe_failure(const struct call *a, const struct web_response *response, struct err *err)
{
	switch (response->failure) {
	case WEB_TIMEOUT:
		err_set(err, ERR_MODEL_TIMEOUT, "The %s did not answer in time.", a->stage);
		break;
	case WEB_RESOLVE:
	case WEB_CONNECT:
	case WEB_TLS:
		err_set(err, ERR_MODEL, "The %s could not be reached.", a->stage);
		break;
	case WEB_NO_MEMORY:
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the model's answer");
		break;
	case WEB_CUT:
		err_set(err, ERR_MODEL, "The %s broke off before its answer was whole.", a->stage);
		break;
	default:
		err_set(err, ERR_MODEL, "The %s gave no usable answer.", a->stage);
	}
}

static void
describe_status(const struct call *a, const struct web_response *response, bool quota,
    struct err *err)
{
	int status = response->status;

	if (quota)
		err_set(err, ERR_MODEL, "The %s refuses: its quota is used up (HTTP %d).", a->stage,
		    status);
	else if (status == 429 || status == 503)
		err_set(err, ERR_OVERLOADED, "The %s is overloaded (HTTP %d).", a->stage, status);
	else if (status == 408 || status == 504)
		err_set(err, ERR_MODEL_TIMEOUT, "The %s timed out (HTTP %d).", a->stage, status);
	else if (status >= 500)
		err_set(err, ERR_MODEL, "The %s failed (HTTP %d).", a->stage, status);
	else
		err_set(err, ERR_MODEL, "The %s refused the request (HTTP %d).", a->stage, status);
	if (err->code == ERR_OVERLOADED)
		err->retry_after =
		    response->retry_after_s > 0 ? response->retry_after_s : RETRY_AFTER_DEFAULT_S;
}

static bool
may_try_again(const struct call *a, const struct web_response *response, bool quota)
{
	int status = response->status;

	if (a->tries > a->model->conf.retries || quota ||
	    response->retry_after_s > RETRY_AFTER_SHORT_S)
		return false;
	if (response->failure != WEB_FINE)
		return !response->sent;
	return status == 408 || status == 409 || status == 429 || status >= 500;
}

uint64_t
model_error_classify(struct call *a, const struct web_response *response, struct slice body,
    const char *request_id, struct err *err)
{
	struct error_text w;
	bool quota;

	error_text_read(body, &w);
	quota = response->status == 429 && quota_is_used_up(&w);
	error_text_log(a, &w, response, request_id);
	if (response->failure != WEB_FINE)
		describe_failure(a, response, err);
	else
		describe_status(a, response, quota, err);
	if (!may_try_again(a, response, quota))
		return 0;
	return backoff_us(&model_backoff, a->tries, (uint64_t)response->retry_after_s * 1000000);
}

void
model_error_event(struct call *a, struct slice data, const char *request_id, struct err *err)
{
	const struct web_response response = { .status = 200 };
	struct error_text w;

	error_text_read(data, &w);
	error_text_log(a, &w, &response, request_id);
	if (strcmp(w.code, "rate_limit_exceeded") == 0 || strcmp(w.code, "slow_down") == 0 ||
	    strcmp(w.code, "server_is_overloaded") == 0) {
		err_set(err, ERR_OVERLOADED, "The %s is overloaded.", a->stage);
		err->retry_after = RETRY_AFTER_DEFAULT_S;
	} else {
		err_set(err, ERR_MODEL, "The %s reported an error in the middle of its answer.",
		    a->stage);
	}
}
