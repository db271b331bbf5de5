/* SPDX-License-Identifier: MIT */
/*
 * otlp: see the header.
 */
#include "tenantgate/api/otlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"

#define QUEUE_MAX    (1u << 20) /* bytes of spans that wait */
#define ENVELOPE_MAX 2048	/* bytes around them */
#define GATHER_US    1000000u	/* spans come together for so long */
#define TIMEOUT_US   5000000u
#define ANSWER_MAX   (64u << 10)
#define TRIES	     4u
#define PATH	     "/v1/traces"

struct otlp {
	struct flow flow; /* while there is something to send */
	struct worker *worker;
	struct web *web;
	struct otlp_sender sender;
	char *url; /* owned */
	unsigned sample;
	struct buf queue; /* owned: spans that wait, between commas */
	unsigned queued;
	struct buf body; /* owned: the batch under way */
	unsigned sending;
	unsigned tries;
	bool is_running, is_hurried;
	struct web_response response; /* owned */
	struct timer timer;
};

static const char *const span_results[] = { "sent", "rejected", "dropped", NULL };

const struct meter_family otlp_spans = {
	.name = "tenantgate_otlp_spans_total",
	.help = "Spans by what became of them: sent, rejected by the collector, dropped.",
	.type = METRIC_COUNTER,
	.labels = { "result" },
	.values = span_results,
};

static const struct backoff otlp_backoff = { 1000000, 10000000, 200 };
static struct log_pace away_pace;

static flow_step_fn otlp_gather, otlp_post, otlp_judge;
static flow_end_fn otlp_ended;

static const struct flow_step otlp_steps[] = {
	{ "gather", otlp_gather },
	{ "post", otlp_post },
	{ "judge", otlp_judge },
	{ NULL, NULL },
};

static const struct flow_kind otlp_kind = { "otlp_export", otlp_steps, otlp_ended, NULL };

static void
spans_count(struct otlp *o, const char *result, unsigned n)
{
	const struct slice value = slice_str(result);

	if (n > 0)
		meter_add(o->worker, &otlp_spans, &value, n);
}

static char *
traces_url(const char *url)
{
	size_t n = strlen(url), size = n + sizeof(PATH);
	char *out = xcalloc(1, size);

	while (n > 0 && url[n - 1] == '/')
		n--;
	if (n >= sizeof(PATH) - 1 &&
	    memcmp(url + n - (sizeof(PATH) - 1), PATH, sizeof(PATH) - 1) == 0)
		(void)snprintf(out, size, "%.*s", (int)n, url);
	else
		(void)snprintf(out, size, "%.*s" PATH, (int)n, url);
	return out;
}

struct otlp *
otlp_open(struct worker *w, struct web *web, const struct otlp_conf *conf,
    const struct otlp_sender *sender)
{
	struct otlp *o;

	if (conf->url == NULL || conf->url[0] == '\0')
		return NULL;
	o = xcalloc(1, sizeof(*o));
	o->worker = w;
	o->web = web;
	o->sender = *sender;
	o->url = traces_url(conf->url);
	o->sample = conf->sample;
	buf_init(&o->queue, QUEUE_MAX);
	buf_init(&o->body, QUEUE_MAX + ENVELOPE_MAX);
	return o;
}

void
otlp_close(struct otlp *o)
{
	if (o == NULL)
		return;
	web_response_free(&o->response);
	timer_free(&o->timer);
	buf_free(&o->queue);
	buf_free(&o->body);
	free(o->url);
	free(o);
}

void
otlp_hurry(struct otlp *o)
{
	if (o != NULL)
		o->is_hurried = true;
}

bool
otlp_samples(const struct otlp *o, uint16_t chance)
{
	return o != NULL && chance * 100ul < o->sample * 65536ul;
}

void
otlp_add(struct otlp *o, struct slice spans, unsigned count)
{
	if (o == NULL || count == 0)
		return;
	if (spans.len + 1 > QUEUE_MAX - o->queue.len) {
		spans_count(o, "dropped", count);
		return;
	}
	if (o->queued > 0)
		buf_putc(&o->queue, ',');
	buf_slice(&o->queue, spans);
	o->queued += count;
	if (o->is_running)
		return;
	o->is_running = true;
	flow_start(&o->flow, &otlp_kind, o->worker, NULL);
}

static enum flow_rc
otlp_gather(struct flow *f)
{
	struct otlp *o = FLOW_OF(f, struct otlp, &otlp_kind);

	return o->is_hurried ? FLOW_NEXT : flow_sleep(f, &o->timer, GATHER_US);
}

static void
put_resource(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "{\"key\":\"%s\",\"value\":{\"stringValue\":", key);
	json_put_string(b, slice_str(value));
	buf_puts(b, "}}");
}

/* One resource, one scope, and all spans that wait. */
static bool
batch_write(struct otlp *o)
{
	struct buf *b = &o->body;

	buf_reset(b);
	buf_puts(b, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
	put_resource(b, "service.name", "tenantgate");
	buf_putc(b, ',');
	put_resource(b, "service.version", o->sender.version);
	buf_putc(b, ',');
	put_resource(b, "deployment.environment.name", o->sender.environment);
	buf_puts(b, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"tenantgate\",\"version\":");
	json_put_string(b, slice_str(o->sender.version));
	buf_puts(b, "},\"spans\":[");
	buf_slice(b, buf_view(&o->queue));
	buf_puts(b, "]}]}]}");
	o->sending = o->queued;
	o->queued = o->tries = 0;
	buf_free(&o->queue);
	return !b->failed;
}

static void
batch_over(struct otlp *o, const char *result)
{
	spans_count(o, result, o->sending);
	o->sending = 0;
	buf_free(&o->body);
	o->body.failed = false;
}

static enum flow_rc
otlp_post(struct flow *f)
{
	struct otlp *o = FLOW_OF(f, struct otlp, &otlp_kind);
	struct web_request r = {
		.method = "POST",
		.url = o->url,
		.headers = { "Content-Type: application/json" },
		.total_timeout_us = TIMEOUT_US,
		.response_max = ANSWER_MAX,
		.body_stays = true,
	};

	if (o->sending == 0 && !batch_write(o)) {
		batch_over(o, "dropped");
		return FLOW_DONE;
	}
	o->tries++;
	r.body = buf_view(&o->body);
	web_response_free(&o->response);
	memset(&o->response, 0, sizeof(o->response));
	return web_fetch(f, o->web, &r, &o->response);
}

/* {"partialSuccess":{"rejectedSpans":"1"}}: those are lost, and nothing is sent again. */
static void
count_taken(struct otlp *o)
{
	struct err err = { 0 };
	json_t *root = json_read_object(buf_view(&o->response.body), &err);
	const json_t *n = json_object_get(json_object_get(root, "partialSuccess"), "rejectedSpans");
	unsigned long rejected = 0;

	if (json_is_string(n))
		rejected = strtoul(json_string_value(n), NULL, 10);
	else if (json_is_integer(n) && json_integer_value(n) > 0)
		rejected = (unsigned long)json_integer_value(n);
	json_decref(root);
	if (rejected > o->sending)
		rejected = o->sending;
	spans_count(o, "rejected", (unsigned)rejected);
	o->sending -= (unsigned)rejected;
	batch_over(o, "sent");
}

/* What may be tried again, by the protocol. */
static bool
is_worth_another(const struct web_response *r)
{
	return r->failure != WEB_FINE || r->status == 429 || r->status == 502 || r->status == 503 ||
	    r->status == 504;
}

static uint64_t
otlp_wait_us(const struct otlp *o)
{
	uint64_t asked_us = o->response.retry_after_s > 60 ? 60 * 1000000ull
							   : o->response.retry_after_s * 1000000ull;

	return backoff_us(&otlp_backoff, o->tries, asked_us);
}

static void
tell_given_up(const struct otlp *o)
{
	if (!log_pace_admit(&away_pace, LOG_MINUTE))
		return;
	if (o->response.failure != WEB_FINE)
		log_event(LOG_WARNING, "trace.dropped", NULL,
		    "The collector of traces took none of %u spans, which are dropped; look at "
		    "otlp_url. %s",
		    o->sending, o->response.detail);
	else
		log_event(LOG_WARNING, "trace.dropped", NULL,
		    "The collector of traces refused %u spans with status %d, which are dropped; "
		    "look at otlp_url.",
		    o->sending, o->response.status);
}

static enum flow_rc
otlp_judge(struct flow *f)
{
	struct otlp *o = FLOW_OF(f, struct otlp, &otlp_kind);

	if (o->response.failure == WEB_FINE && o->response.status / 100 == 2) {
		count_taken(o);
	} else if (is_worth_another(&o->response) && o->tries < TRIES && !o->is_hurried) {
		(void)flow_goto(f, otlp_post);
		return flow_sleep(f, &o->timer, otlp_wait_us(o));
	} else {
		tell_given_up(o);
		batch_over(o, "dropped");
	}
	return o->queued > 0 ? flow_goto(f, otlp_gather) : FLOW_DONE;
}

/* Aborted, by the end of the process: what was under way is lost. */
static void
otlp_ended(struct flow *f, const struct err *err)
{
	struct otlp *o = FLOW_OF(f, struct otlp, &otlp_kind);

	o->is_running = false;
	if (!err_is(err))
		return;
	spans_count(o, "dropped", o->queued);
	o->queued = 0;
	buf_free(&o->queue);
	batch_over(o, "dropped");
}
