/* SPDX-License-Identifier: MIT */
/*
 * neon_call: how the management API is talked to.
 *
 *	[gate] --> [gated] --> [send] --> [check] --> done: the outcome
 *	   ^          |                      |
 *	   |          +--> closed: done      v
 *	   +---------- sleep <------------ [told]  the row says what is waited for
 *
 * Again: after 423, 429, 503, or when nothing was sent; for GET also after 5xx and silence: backoff
 * with jitter, no less than Retry-After, a few times.
 *
 * What always holds: a POST is sent again only when Neon says, or the socket shows, that it was not
 * applied; and it goes on a connection of its own, for libcurl by itself sends a request again when
 * a kept one ends before a byte of the response. Each try passes the gate; after a 429 nobody
 * passes it for as long as Neon said. The key
 * is in one buffer, wiped at the end, and in no message.
 */
#include "tenant/neon_call.h"

#include <stdio.h>

#include "tenant/neon_read.h"
#include "tenant/neon_refusal.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/secret.h"

#define TRIES_MAX	   6
#define TRIES_BUSY_MAX	   10 /* of 423 and 429: busy with us, or too many requests */
#define RETRY_AFTER_MAX_S  10 /* longer: the call fails, and hands it to the client */
#define CONNECT_TIMEOUT_US (10 * 1000000ull)
#define RESPONSE_MAX	   (8 * 1024 * 1024) /* a page of 400 projects is below 1 MB */

static const struct backoff call_backoff = { 200 * 1000, 5 * 1000000, 200 };

static flow_step_fn call_gate, call_gated, call_send, call_check, call_told;

static const struct flow_step call_steps[] = {
	{ "gate", call_gate },
	{ "gated", call_gated },
	{ "send", call_send },
	{ "check", call_check },
	{ "told", call_told },
	{ NULL, NULL },
};

static const struct flow_kind call_kind = { "neon_call", call_steps, NULL, NULL };

void
neon_call_init(struct neon_call *c, struct tenants *ts, struct tenant_row *row)
{
	memset(c, 0, sizeof(*c));
	c->tenants = ts;
	c->row = row;
	buf_init(&c->path, 4096);
	buf_init(&c->body, 8192);
	buf_init(&c->url, 8192);
	buf_init(&c->bearer, 1024);
}

static void
call_response_free(struct neon_call *c)
{
	json_decref(c->json);
	c->json = NULL;
	web_response_free(&c->response);
	memset(&c->response, 0, sizeof(c->response));
}

void
neon_call_reset(struct neon_call *c)
{
	call_response_free(c);
	buf_reset(&c->path);
	buf_reset(&c->body);
	c->why[0] = '\0';
	c->tries = 0;
}

void
neon_call_free(struct neon_call *c)
{
	neon_call_reset(c);
	pg_clear(&c->result);
	neon_gate_free(&c->gate);
	buf_wipe(&c->bearer);
	buf_free(&c->path);
	buf_free(&c->body);
	buf_free(&c->url);
}

static enum flow_rc
call_gate(struct flow *f)
{
	struct neon_call *c = FLOW_OF(f, struct neon_call, &call_kind);

	return neon_gate_pass(f, &c->gate, c->tenants, c->row->slot);
}

/* The gate is closed: as good as a 429, without asking for it. */
static enum flow_rc
call_held_back(struct neon_call *c)
{
	c->outcome = NEON_UNSENT;
	c->response.retry_after_s = (int)c->gate.closed_s;
	snprintf(c->why, sizeof(c->why), "the account's rate of calls is used up");
	return FLOW_DONE;
}

static bool
call_is_too_long(const struct neon_call *c)
{
	return c->url.failed || c->bearer.failed || c->body.failed || c->path.failed;
}

/* The response of the try before goes. */
static enum flow_rc
call_gated(struct flow *f)
{
	struct neon_call *c = FLOW_OF(f, struct neon_call, &call_kind);

	call_response_free(c);
	return c->gate.closed_s > 0 ? call_held_back(c) : FLOW_NEXT;
}

static enum flow_rc
call_send(struct flow *f)
{
	struct neon_call *c = FLOW_OF(f, struct neon_call, &call_kind);
	const struct tenants_conf *conf = c->tenants->conf;
	struct web_request rq = {
		.method = c->method,
		.headers = { c->bearer.data, "Accept: application/json",
		    c->body.len > 0 ? "Content-Type: application/json" : NULL },
		.body = c->body.len > 0 ? buf_view(&c->body) : slice_of(NULL, 0),
		.fresh_connection = strcmp(c->method, "GET") != 0, /* what must not be lost */
		.connect_timeout_us = CONNECT_TIMEOUT_US,
		.first_byte_timeout_us = conf->neon_timeout_us,
		.idle_timeout_us = conf->neon_timeout_us,
		.total_timeout_us = conf->neon_timeout_us,
		.response_max = RESPONSE_MAX,
	};

	if (call_is_too_long(c))
		return flow_fail(f, ERR_INTERNAL,
		    "A request to Neon's API is too long. Look at neon_api_key.");
	rq.url = c->url.data;
	c->tries++;
	c->row->calls++;
	return web_fetch(f, c->tenants->web, &rq, &c->response);
}

/* 2xx counts as done only when it can be read: the body may be a proxy's page. 503 is the one 5xx
 * that Neon promises not to have applied. A gateway's own (502, 504, Cloudflare's 520 to 527) says
 * nothing of the server behind it, which may be at work still. */
static enum neon_outcome
outcome_of_response(struct neon_call *c)
{
	int status = c->response.status;
	struct err err = { 0 };

	if (status == 502 || status == 504 || (status >= 520 && status <= 527))
		return NEON_UNKNOWN;
	if (status >= 500 && status != 503)
		return NEON_BROKE;
	if (c->response.status < 200 || c->response.status > 299)
		return NEON_REFUSED;
	c->json = json_read_object(buf_view(&c->response.body), &err);
	return c->json != NULL ? NEON_DONE : NEON_BROKE;
}

/* No name, no connection, no TLS: nothing of the request was sent. After that only libcurl
 * knows. */
static enum neon_outcome
outcome_of(struct neon_call *c)
{
	switch (c->response.failure) {
	case WEB_FINE:
		return outcome_of_response(c);
	case WEB_RESOLVE:
	case WEB_CONNECT:
	case WEB_TLS:
		return NEON_UNSENT;
	case WEB_TIMEOUT:
	case WEB_CUT:
	case WEB_TOO_LARGE:
	case WEB_NO_MEMORY:
	case WEB_OTHER:
		break;
	}
	return c->response.sent ? NEON_UNKNOWN : NEON_UNSENT;
}

/* Neon's message is shown to people and made harmless (neon_read_message); a body that is not JSON,
 * as from a proxy, leaves the status alone. */
static void
call_describe_failure(struct neon_call *c)
{
	char message[128];

	if (c->response.failure != WEB_FINE) {
		snprintf(c->why, sizeof(c->why), "%.190s", c->response.detail);
		return;
	}
	neon_read_message(buf_view(&c->response.body), message, sizeof(message));
	snprintf(c->why, sizeof(c->why), "status %d%s%s", c->response.status,
	    message[0] != '\0' ? ": " : "", message);
}

/* A refusal other than "not now" (423, 429, 503) is final. What may have been applied is asked for
 * again only by GET, which applies nothing. */
static bool
call_may_retry(const struct neon_call *c)
{
	int status = c->response.failure == WEB_FINE ? c->response.status : 0;

	if (c->outcome == NEON_DONE || c->response.retry_after_s > RETRY_AFTER_MAX_S)
		return false;
	if (c->tries >= (status == 423 || status == 429 ? TRIES_BUSY_MAX : TRIES_MAX))
		return false;
	if (status == 423 || status == 429 || status == 503 || c->outcome == NEON_UNSENT)
		return true;
	return c->outcome != NEON_REFUSED && strcmp(c->method, "GET") == 0;
}

static bool
call_was_limited(const struct neon_call *c)
{
	return c->response.failure == WEB_FINE && c->response.status == 429;
}

static enum flow_rc
call_check(struct flow *f)
{
	struct neon_call *c = FLOW_OF(f, struct neon_call, &call_kind);

	c->outcome = outcome_of(c);
	if (c->outcome == NEON_DONE)
		return FLOW_DONE;
	call_describe_failure(c);
	log_event(LOG_NOTICE, "neon.trouble", f->request_id, "%s %.80s failed at try %u: %s",
	    c->method, c->path.data, c->tries, c->why);
	if (call_was_limited(c))
		neon_gate_hold(c->tenants, (unsigned)c->response.retry_after_s);
	if (!call_may_retry(c))
		return FLOW_DONE;
	snprintf(c->told, sizeof(c->told),
	    "Neon's API is asked again after try %u of %s %.80s failed: %s.", c->tries, c->method,
	    c->path.data, c->why);
	return row_tell(f, c->tenants->catalog, c->row, c->told, &c->result);
}

/* Whether the catalog took it is not looked at: the row's next write tells. */
static enum flow_rc
call_told(struct flow *f)
{
	struct neon_call *c = FLOW_OF(f, struct neon_call, &call_kind);

	pg_clear(&c->result);
	flow_goto(f, call_gate);
	return flow_sleep(f, &c->backoff_timer,
	    backoff_us(&call_backoff, c->tries, (uint64_t)c->response.retry_after_s * 1000000));
}

/* neon_api_url as people write it, with or without a last slash. */
static struct slice
api_base(const char *url)
{
	struct slice base = slice_str(url);

	while (base.len > 0 && base.p[base.len - 1] == '/')
		base.len--;
	return base;
}

enum flow_rc
neon_call_run(struct flow *f, struct neon_call *c, const char *method)
{
	c->method = method;
	buf_reset(&c->url);
	buf_slice(&c->url, api_base(c->tenants->conf->neon_api_url));
	buf_slice(&c->url, buf_view(&c->path));
	buf_wipe(&c->bearer);
	buf_printf(&c->bearer, "Authorization: Bearer %s", c->tenants->conf->neon_api_key);
	return flow_call(f, &c->flow, &call_kind);
}

enum flow_rc
neon_call_uri(struct flow *f, struct neon_call *c)
{
	neon_call_reset(c);
	buf_printf(&c->path, "/projects/%s/connection_uri?database_name=%s&role_name=%s",
	    c->row->project_id, NEON_DATABASE, NEON_ROLE);
	return neon_call_run(f, c, "GET");
}

static enum neon_refusal
call_refusal(const struct neon_call *c)
{
	char code[64], message[128];

	if (c->gate.closed_s > 0)
		return REFUSAL_PATIENCE;
	if (c->outcome != NEON_REFUSED)
		return REFUSAL_NONE;
	neon_read_code(buf_view(&c->response.body), code, sizeof(code));
	neon_read_message(buf_view(&c->response.body), message, sizeof(message));
	return neon_refusal_of(c->response.status, code, message);
}

/* The row carries it on, so that no replica asks again before its time. Only a limit makes the next
 * wait longer: 429 has a time of its own, and the bucket is held for it. */
static void
row_refuse(struct tenant_row *row, enum neon_refusal refusal, int retry_after_s)
{
	if (refusal == REFUSAL_LIMIT)
		row->refusals++;
	row->asked_s = retry_after_s;
	row->wait_s = neon_refusal_wait_s(refusal, (unsigned)row->refusals, retry_after_s);
}

enum flow_rc
neon_check(struct flow *f, const struct neon_call *c, const char *what)
{
	enum neon_refusal refusal = call_refusal(c);
	struct err err = { 0 };

	if (c->outcome == NEON_DONE)
		return FLOW_NEXT;
	row_refuse(c->row, refusal, c->response.retry_after_s);
	if (refusal == REFUSAL_PATIENCE)
		err_set(&err, ERR_PROVISIONING,
		    "The provider takes no more calls just now. Try again later.");
	else if (refusal != REFUSAL_NONE)
		err_set(&err, ERR_NEON,
		    "The provider refused to make the tenant's database. Ask the operator to look "
		    "at the log, or try again later.");
	else
		err_set(&err, ERR_NEON, "The provider failed. Try again in a minute.");
	err_cause(&err, "Neon's API, %s: %s%s", what, c->why,
	    refusal == REFUSAL_NONE || refusal == REFUSAL_PATIENCE
		? ""
		: "; look at neon_api_key, neon_org_id and the plan's limits");
	err.retry_after = c->row->wait_s;
	return flow_fail_err(f, &err);
}
