/* SPDX-License-Identifier: MIT */
/*
 * metrics: GET /metrics, for Prometheus: text format 0.0.4, or OpenMetrics where Accept asks for
 * it. An admin key opens it as everything here (Prometheus' `authorization`).
 */
#define _GNU_SOURCE /* memmem */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_route.h"
#include "admin/metrics_page.h"

#define METRICS_PAGE_MAX (4u << 20)

/* Memory of its own: a helper has it while the flow waits. */
struct metrics_job {
	const struct admin_context *ctx; /* borrowed: closed after the helpers' last job */
	struct metric_page page;
	struct tls_server *public_tls, *admin_tls; /* held, or NULL: a reload has others */
	struct buf text;			   /* owned */
};

struct metrics {
	struct admin_request req; /* first */
	void *job;		  /* owned: struct metrics_job; NULL while a helper has it */
};

static flow_step_fn metrics_write, metrics_respond;
static flow_end_fn metrics_end;

static const struct flow_step metrics_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "write", metrics_write },
	{ "respond", metrics_respond },
	{ NULL, NULL },
};

static const struct flow_kind metrics_kind = { "admin_metrics", metrics_steps, metrics_end,
	admin_release };

static void
metrics_job_free(void *arg)
{
	struct metrics_job *job = arg;

	if (job == NULL)
		return;
	tls_server_give(job->public_tls);
	tls_server_give(job->admin_tls);
	buf_free(&job->text);
	free(job);
}

/* An offload_fn. */
static void
metrics_job_write(void *arg)
{
	struct metrics_job *job = arg;

	metrics_put_process(&job->page, job->ctx);
	metrics_put_flows(&job->page, job->ctx);
	metrics_put_scarce(&job->page, job->ctx);
	metrics_put_meters(&job->page, job->ctx);
	metrics_put_breakers(&job->page, job->ctx);
	metrics_put_tenants(&job->page, job->ctx);
	metrics_put_certificates(&job->page, job->public_tls, job->admin_tls);
	metric_end(&job->page);
}

static bool
wants_openmetrics(const struct http_exchange *x)
{
	static const char type[] = "application/openmetrics-text";
	struct slice accept = http_header(x, "Accept");

	return accept.p != NULL && memmem(accept.p, accept.len, type, sizeof(type) - 1) != NULL;
}

static enum flow_rc
metrics_write(struct flow *f)
{
	struct metrics *m = FLOW_MEMBER_OF(f, struct metrics, req.flow, &metrics_kind);
	struct metrics_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the metrics");
	buf_init(&job->text, METRICS_PAGE_MAX);
	job->ctx = m->req.ctx;
	job->public_tls = tls_server_take(job->ctx->public_tls);
	job->admin_tls = tls_server_take(job->ctx->admin_tls);
	job->page = (struct metric_page){
		.out = &job->text,
		.is_open = wants_openmetrics(m->req.x),
	};
	return offload_run(f, slice_str("metrics"), metrics_job_write, metrics_job_free, job,
	    &m->job);
}

static enum flow_rc
metrics_respond(struct flow *f)
{
	struct metrics *m = FLOW_MEMBER_OF(f, struct metrics, req.flow, &metrics_kind);
	const struct metrics_job *job = m->job;

	if (job->text.failed)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the metrics");
	http_reply(m->req.x, 200, metric_media_type(&job->page), buf_view(&job->text));
	return FLOW_DONE;
}

static void
metrics_end(struct flow *f, const struct err *err)
{
	struct metrics *m = FLOW_MEMBER_OF(f, struct metrics, req.flow, &metrics_kind);

	metrics_job_free(m->job);
	admin_end(&m->req, err);
}

void
metrics_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct metrics), &metrics_kind);
}
