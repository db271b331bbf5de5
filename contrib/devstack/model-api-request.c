/* SPDX-License-Identifier: MIT */
/*
 * model-api-request: what every handler begins and ends with: the body, the API key, the knobs, and
 * the failures that the knobs ask for. Errors have the form of OpenAI's.
 */
#include "model-api.h"

#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/json.h"

struct model_request *
model_request_start(struct model_api *api, struct http_exchange *x, size_t size,
    const struct flow_kind *kind)
{
	struct model_request *req = xcalloc(1, size);

	req->magic = MODEL_REQUEST_MAGIC;
	req->api = api;
	req->x = x;
	buf_init(&req->body, BODY_MAX);
	flow_start(&req->flow, kind, api->worker, NULL);
	http_attach(x, &req->flow);
	return req;
}

enum flow_rc
model_request_read(struct flow *f)
{
	struct model_request *req = model_request_of(f);

	return http_read_body(f, req->x, &req->body);
}

void
model_request_refuse(struct model_request *req, int status, const char *type, const char *code,
    const char *message)
{
	struct buf out;

	buf_init(&out, 4096);
	buf_puts(&out, "{\"error\":{\"message\":");
	json_put_string(&out, slice_str(message));
	buf_printf(&out, ",\"type\":\"%s\",\"param\":null,\"code\":", type);
	if (code == NULL)
		buf_puts(&out, "null");
	else
		json_put_string(&out, slice_str(code));
	buf_puts(&out, "}}\n");
	req->api->stats.refused++;
	http_reply(req->x, status, "application/json", buf_view(&out));
	buf_free(&out);
}

void
model_request_reply(struct model_request *req, const struct buf *json)
{
	if (json->failed)
		model_request_refuse(req, 500, "server_error", NULL,
		    "The response is larger than the stand-in allows.");
	else
		http_reply(req->x, 200, "application/json", buf_view(json));
}

/* "stand-in:tokens=20,token_delay_ms=5" is a model's name with knobs. */
static bool
model_request_knobs(struct model_request *req)
{
	struct slice header = http_header(req->x, "X-Knobs");
	const char *model = json_string_value(json_object_get(req->root, "model"));
	const char *colon = model == NULL ? NULL : strchr(model, ':');

	req->knobs = req->api->knobs;
	if (header.p != NULL && !knobs_text(&req->knobs, header))
		return false;
	/* A real model's name may have a colon ("llama3:8b"): then it is no knob. */
	if (colon != NULL && strncmp(model, "stand-in", 8) == 0)
		return knobs_text(&req->knobs, slice_str(colon + 1));
	return true;
}

/* Not in constant time: the key guards nothing. */
static bool
key_is_right(const struct model_request *req)
{
	struct slice sent = http_header(req->x, "Authorization");

	if (req->api->api_key == NULL)
		return true;
	return slice_starts(sent, "Bearer ") &&
	    slice_is(slice_of(sent.p + 7, sent.len - 7), req->api->api_key);
}

bool
model_request_open(struct model_request *req)
{
	struct err err = { .code = ERR_NONE };

	if (!key_is_right(req)) {
		model_request_refuse(req, 401, "invalid_request_error", "invalid_api_key",
		    "Incorrect API key provided.");
		return false;
	}
	req->root = json_read_object(buf_view(&req->body), &err);
	if (req->root == NULL || !json_is_string(json_object_get(req->root, "model"))) {
		model_request_refuse(req, 400, "invalid_request_error", NULL,
		    req->root == NULL ? err.detail : "You must provide a model parameter.");
		return false;
	}
	if (!model_request_knobs(req)) {
		model_request_refuse(req, 400, "invalid_request_error", "unknown_knob",
		    "X-Knobs or the name of the model holds an unknown knob.");
		return false;
	}
	return true;
}

/* Counts down fail_times; the last failure turns the knobs off. */
static void
fail_count(struct model_api *api)
{
	struct knobs *k = &api->knobs;

	if (k->fail_times > 0 && --k->fail_times == 0)
		k->fail = k->fail_chat = k->fail_embeddings = k->fail_rerank = 0;
}

bool
model_request_fails(struct model_request *req, unsigned status)
{
	char seconds[16];

	if (req->knobs.fail > 0)
		status = req->knobs.fail;
	if (status < 400 || status > 599)
		return false;
	fail_count(req->api);
	if (req->knobs.retry_after > 0) {
		snprintf(seconds, sizeof(seconds), "%u", req->knobs.retry_after);
		(void)http_set(req->x, "Retry-After", seconds);
	}
	if (status == 429 && req->knobs.quota)
		model_request_refuse(req, 429, "insufficient_quota", "insufficient_quota",
		    "You exceeded your current quota, please check your plan and billing details.");
	else if (status == 429)
		model_request_refuse(req, 429, "requests", "rate_limit_exceeded",
		    "Rate limit reached; try again later.");
	else if (status == 401)
		model_request_refuse(req, 401, "invalid_request_error", "invalid_api_key",
		    "Incorrect API key provided.");
	else
		model_request_refuse(req, (int)status,
		    status >= 500 ? "server_error" : "invalid_request_error", NULL,
		    "This failure was asked for by a knob.");
	return true;
}

enum flow_rc
model_request_wait(struct model_request *req, unsigned ms, bool stall)
{
	if (stall)
		ms = STALL_MS;
	return ms == 0 ? FLOW_NEXT : flow_sleep(&req->flow, &req->timer, (uint64_t)ms * 1000);
}

void
model_request_end(struct flow *f, const struct err *err)
{
	struct model_request *req = model_request_of(f);

	if (err_is(err) && err->code != ERR_CLIENT_GONE && http_status(req->x) == 0)
		model_request_refuse(req, err_status(err->code), "invalid_request_error", NULL,
		    err->detail);
	http_end(req->x);
}

void
model_request_release(struct flow *f)
{
	struct model_request *req = model_request_of(f);

	timer_free(&req->timer);
	buf_free(&req->body);
	json_decref(req->root);
	free(req);
}
