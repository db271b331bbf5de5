/* SPDX-License-Identifier: MIT */
/*
 * request_plan: what a request's tenant may have by its plan. A refusal says the limit; whose key
 * it is goes to the log.
 */
#include "api/request.h"

#include <stdio.h>

/* Its own setting, its row's column, its plan's. */
unsigned
request_rate(const struct request *req, char key[PLAN_KEY_SIZE])
{
	const struct plan *limits = req->tenant.limits;
	bool of_column = req->tenant.requests_per_minute > 0 &&
	    (limits->of_tenant & 1u << PLAN_REQUESTS_PER_MINUTE) == 0;

	plan_key(limits, PLAN_REQUESTS_PER_MINUTE, key);
	if (!of_column)
		return limits->requests_per_minute;
	snprintf(key, PLAN_KEY_SIZE, "requests_per_minute of the tenant's row");
	return req->tenant.requests_per_minute;
}

bool
request_question_fits(const struct request *req, size_t characters, struct err *err)
{
	const struct plan *limits = req->tenant.limits;
	char key[PLAN_KEY_SIZE];

	if (limits->question_max == 0 || characters <= limits->question_max)
		return true;
	err_set(err, ERR_QUESTION_LIMIT,
	    "A question may have %u characters, and this one has %zu; shorten it.",
	    limits->question_max, characters);
	err_cause(err, "%s", plan_key(limits, PLAN_MAX_QUESTION, key));
	return false;
}

bool
request_model_allowed(const struct request *req, const char *name, struct err *err)
{
	const struct plan *limits = req->tenant.limits;
	char key[PLAN_KEY_SIZE];

	if (model_chat_allowed(req->ctx->model, name, limits->models_allowed, err))
		return true;
	err_cause(err, "%s", plan_key(limits, PLAN_MODELS_ALLOWED, key));
	return false;
}
