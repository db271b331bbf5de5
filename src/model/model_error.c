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

#include "model/error_text.h"
#include "model/model_internal.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"

#define RETRY_AFTER_SHORT_S   5	 /* we wait so long; a longer Retry-After is passed to the client */
#define RETRY_AFTER_DEFAULT_S 5	 /* for the client, when the server names none */
#define QUOTE_WINDOW	      16 /* bytes; a quote of twice as many is always noticed */

static const struct backoff model_backoff = { 200 * 1000, 4 * 1000000, 200 };

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
		return call->body_is_gone && len > 0;
	for (at = 0; at + QUOTE_WINDOW <= len; at += QUOTE_WINDOW)
		if (memmem(call->body.data, call->body.len, text + at, QUOTE_WINDOW) != NULL)
			return true;
	return false;
}

static const char *
error_text_shown(const struct model_call *call, const struct error_text *text)
{
	return error_text_quotes_prompt(call, text->message) ? "(left out: it quotes the request)"
							     : text->message;
}

/* The one log line of a failed try, also of one that is tried again. */
static void
error_text_log(const struct model_call *call, const struct error_text *text,
    const struct web_response *response, const char *request_id)
{
	const char *message = error_text_shown(call, text);

	if (call->pace != NULL && !log_pace_admit(call->pace, LOG_MINUTE))
		return;
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

/* What the client itself can change, whatever the status: 400 as a rule, 422 by FastAPI, 500 by
 * some, 200 in a stream. Says nothing of the server, and no other try would end otherwise. */
static bool
reason_is_the_clients(enum error_reason reason, int status)
{
	bool judged =
	    status == 200 || status == 400 || status == 413 || status == 422 || status == 500;

	return judged && (reason == REASON_LENGTH || reason == REASON_FILTER);
}

static void
describe_reason(const struct model_call *call, enum error_reason reason, struct err *err)
{
	if (reason == REASON_FILTER)
		err_set(err, ERR_CONTENT_FILTER,
		    "The %s's content filter refused the text. Word it differently, or leave out "
		    "what it may object to.",
		    call->stage);
	else if (call->kind == MODEL_CHAT)
		err_set(err, ERR_CONTEXT_LENGTH,
		    "The question, the messages before it and the passages found are together too "
		    "long for the %s. Ask with fewer or shorter messages, or for fewer passages.",
		    call->stage);
	else
		err_set(err, ERR_CONTEXT_LENGTH,
		    "A text is too long for the %s. Send a shorter one, or ask the operator for "
		    "smaller chunks.",
		    call->stage);
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
describe_status(const struct model_call *call, const struct web_response *response,
    enum error_reason reason, struct err *err)
{
	int status = response->status;

	if (reason_is_the_clients(reason, status))
		describe_reason(call, reason, err);
	else if (reason == REASON_QUOTA && status == 429)
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
 * stream. Vectors and rankings that are made twice are the same, and cost little: for them a
 * connection that broke before the answer is reason enough. */
static bool
may_retry(const struct model_call *call, const struct web_response *response,
    enum error_reason reason)
{
	int status = response->status;

	if (call->tries > call->choice->server->conf.retries ||
	    reason_is_the_clients(reason, status) || (reason == REASON_QUOTA && status == 429) ||
	    response->retry_after_s > RETRY_AFTER_SHORT_S)
		return false;
	if (response->failure != WEB_FINE)
		return response->unprocessed ||
		    (call->kind != MODEL_CHAT && response->failure == WEB_CUT &&
			response->status == 0);
	return status == 408 || status == 409 || status == 429 || status >= 500;
}

/* A status other than 200 is the server's word, whatever became of the body behind it. */
static bool
status_is_known(const struct web_response *response)
{
	return response->status != 0 && response->status != 200 &&
	    response->failure != WEB_NO_MEMORY;
}

uint64_t
model_error_classify(struct model_call *call, const struct web_response *response,
    struct slice body, const char *request_id, struct err *err)
{
	struct web_response told = *response; /* borrows all of it */
	struct error_text text;
	enum error_reason reason;

	if (status_is_known(response))
		told.failure = WEB_FINE;
	error_text_read(body, &text);
	reason = error_text_reason(&text);
	error_text_log(call, &text, &told, request_id);
	if (told.failure == WEB_FINE && reason_is_the_clients(reason, told.status))
		model_call_excused(call);
	else
		model_call_failed(call, &told, reason == REASON_QUOTA);
	if (told.failure != WEB_FINE)
		describe_failure(call, &told, err);
	else
		describe_status(call, &told, reason, err);
	if (!may_retry(call, &told, reason))
		return 0;
	return backoff_us(&model_backoff, call->tries, (uint64_t)told.retry_after_s * 1000000);
}

/* The caller's sentence for an error that came with a status of 200. where: a part of it. */
static void
describe_event(const struct model_call *call, enum error_reason reason, const char *where,
    struct err *err)
{
	if (reason_is_the_clients(reason, 200)) {
		describe_reason(call, reason, err);
	} else if (reason == REASON_QUOTA) {
		err_set(err, ERR_MODEL, "The %s's quota is used up. Ask the operator to raise it.",
		    call->stage);
	} else if (reason == REASON_BUSY) {
		err_set(err, ERR_OVERLOADED, "The %s is overloaded. Try again later.", call->stage);
		err->retry_after = RETRY_AFTER_DEFAULT_S;
	} else {
		err_set(err, ERR_MODEL,
		    "The %s reported an error in the %s of its answer. Try again.", call->stage,
		    where);
	}
}

static void
error_text_event(const struct model_call *call, const struct error_text *text, const char *where,
    const char *request_id, struct err *err)
{
	const struct web_response response = { .status = 200 };

	error_text_log(call, text, &response, request_id);
	describe_event(call, error_text_reason(text), where, err);
}

void
model_error_event(const struct model_call *call, struct slice data, const char *request_id,
    struct err *err)
{
	struct error_text text;

	error_text_read(data, &text);
	error_text_event(call, &text, "middle", request_id, err);
}

/* fault: a sentence for the operator. */
static void
answer_unusable(const struct model_call *call, const struct error_text *text, const char *fault,
    const char *request_id, struct err *err)
{
	if (call->pace == NULL || log_pace_admit(call->pace, LOG_MINUTE))
		log_event(LOG_WARNING, "model.answer", request_id,
		    "The %s's answer cannot be used. %s What came: %s", call->stage, fault,
		    error_text_shown(call, text));
	err_set(err, ERR_MODEL,
	    "The %s's answer cannot be used. Ask the operator for the reason, which is in the log.",
	    call->stage);
}

static const char *
answer_fault(enum body_form form)
{
	if (form == BODY_HTML)
		return "It answered HTML; look at model_url.";
	if (form == BODY_GZIP)
		return "It answered compressed (gzip), which was not asked for; switch that off "
		       "there, or at the proxy before it.";
	return "It answered something else than was asked for; look at model_url.";
}

bool
model_error_in_place(const struct model_call *call, struct slice body, const char *request_id,
    struct err *err)
{
	enum body_form form = body_form(body);
	struct error_text text;

	error_text_read(body, &text);
	if (form == BODY_JSON && text.has_words)
		error_text_event(call, &text, "place", request_id, err);
	else if (form == BODY_HTML || form == BODY_GZIP)
		answer_unusable(call, &text, answer_fault(form), request_id, err);
	return err_is(err);
}

void
model_error_answer(const struct model_call *call, struct slice body, const char *request_id,
    struct err *err)
{
	struct error_text text;

	if (model_error_in_place(call, body, request_id, err))
		return;
	error_text_read(body, &text);
	answer_unusable(call, &text, answer_fault(body_form(body)), request_id, err);
}
