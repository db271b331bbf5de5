/* SPDX-License-Identifier: MIT */
/*
 * model_admit: a call and the breaker of its server: whether a try may be made, what its end says
 * of the server, and which model is asked next when that one has failed.
 */
#include <string.h>

#include "model/gen_ai_calls.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"

#define PAUSE_WAITED_US (5 * 1000000ull) /* a longer one is the client's to wait for */

/* After a pause: whoever waited for its end does not come back at the same instant. */
static const struct backoff pause_backoff = { 100 * 1000, 100 * 1000, 100 };

static struct model_breaker *
breaker_of(const struct model_call *call)
{
	return &call->choice->server->breakers[call->kind];
}

/* ---- may it be asked ---- */

static void
describe_refusal(const struct model_call *call, const struct breaker_refusal *refusal,
    struct err *err)
{
	static const char *const sentences[] = {
		[BREAKER_ILL] = "The %s has failed again and again and is left alone for a moment. "
				"Try again later.",
		[BREAKER_PAUSED] = "The %s is overloaded and asked for a pause. Try again later.",
		[BREAKER_NO_QUOTA] = "The %s's quota is used up. Ask the operator to raise it.",
	};

	err_set(err, ERR_OVERLOADED, sentences[refusal->reason], call->stage);
	err->retry_after = refusal->rest_s;
}

bool
model_call_admitted(struct model_call *call, uint64_t *wait_us, struct err *err)
{
	struct breaker_refusal refusal;

	*wait_us = 0;
	if (call->is_probe ||
	    model_breaker_admits(breaker_of(call), clock_mono_us(), &call->is_probe, &refusal))
		return true;
	if (refusal.reason == BREAKER_PAUSED && refusal.rest_us <= PAUSE_WAITED_US &&
	    call->waits++ < call->choice->server->conf.retries) {
		*wait_us = backoff_us(&pause_backoff, 1, refusal.rest_us);
		return false;
	}
	call->may_fall_back = true;
	describe_refusal(call, &refusal, err);
	return false;
}

/* ---- how it ended ---- */

/* What nobody's request causes: no connection, no agreement on TLS, a key that is not known. A 403
 * or a 404 may be of the model that the request names, or of what it says. */
static enum breaker_word
word_of_failure(const struct web_response *response)
{
	switch (response->failure) {
	case WEB_FINE:
		return BREAKER_NOTHING;
	case WEB_NO_MEMORY:
		return BREAKER_NOTHING;
	case WEB_RESOLVE:
	case WEB_CONNECT:
	case WEB_TLS:
		return BREAKER_FAILED;
	default:
		return response->unprocessed ? BREAKER_FAILED : BREAKER_FAILED_AT_IT;
	}
}

static enum breaker_word
word_of_status(int status)
{
	if (status == 401)
		return BREAKER_FAILED;
	if (status == 402) /* Payment Required: what servers of prepaid accounts say */
		return BREAKER_QUOTA;
	if (status == 403 || status == 404 || status == 408 || status == 429 || status >= 500)
		return BREAKER_FAILED_AT_IT;
	return BREAKER_NOTHING;
}

void
model_call_succeeded(struct model_call *call)
{
	call->end = (struct breaker_end){ .word = BREAKER_HEARD };
	model_call_settle(call);
	call->may_fall_back = false;
	call->waits = 0;
}

void
model_call_excused(struct model_call *call)
{
	call->end = (struct breaker_end){ .word = BREAKER_NOTHING };
	call->may_fall_back = false;
}

void
model_call_failed(struct model_call *call, const struct web_response *response, bool quota)
{
	int status = response->failure == WEB_FINE ? response->status : 0;

	call->end = (struct breaker_end){
		.word = status == 0 ? word_of_failure(response) : word_of_status(status),
		.status = status,
		.has_timed_out = response->failure == WEB_TIMEOUT,
	};
	if (quota)
		call->end.word = BREAKER_QUOTA;
	call->may_fall_back = call->end.word != BREAKER_NOTHING;
	if ((status == 429 || status == 503) && call->end.word != BREAKER_QUOTA)
		model_breaker_pause(breaker_of(call), response->retry_after_s, status,
		    clock_mono_us());
}

void
model_call_settle(struct model_call *call)
{
	if (call->end.word == BREAKER_NOTHING && !call->is_probe)
		return;
	call->end.by_probe = call->is_probe;
	call->end.tenant = call->tenant;
	model_breaker_ended(breaker_of(call), &call->end, clock_mono_us());
	call->end = (struct breaker_end){ .word = BREAKER_NOTHING };
	call->is_probe = false;
}

/* ---- which is next ---- */

bool
model_call_falls_back(struct model_call *call, const struct model_chat *chat, const struct err *err,
    const char *request_id)
{
	const struct model_choice *from = call->choice, *first = call->model->chat_choices;

	if (!call->may_fall_back || chat->name != NULL || from < first ||
	    from + 1 >= first + call->model->chat_choice_count)
		return false;
	model_call_settle(call);
	gen_ai_ended(call, err->code, NULL);
	call->choice = from + 1;
	call->tries = call->waits = 0;
	call->may_fall_back = false;
	log_event(LOG_WARNING, "model.fallback", request_id,
	    "The %s '%s' gave no answer, so '%s' is asked; look at the first. %s", call->stage,
	    from->name, call->choice->name, err->detail);
	return true;
}
