/* SPDX-License-Identifier: MIT */
/*
 * metrics_meters: what the rooms count by labels of their own (loop/meter.h), of all workers. A
 * family that nothing was counted of is named all the same: who writes rules finds it.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/metrics_page.h"
#include "tenantgate/api/request_meters.h"
#include "tenantgate/model/gen_ai.h"
#include "tenantgate/tenant/provision_meters.h"
#include "tenantgate/wire/pg.h"

#define READINGS_MAX 256

static const struct meter_family *const families[] = {
	&ratelimit_decisions,
	&client_aborts,
	&tls_handshakes,
	&otlp_spans,
	&usage_tokens,
	&usage_documents,
	&usage_document_bytes,
	&pg_statements,
	&gen_ai_duration,
	&gen_ai_tokens,
	&gen_ai_first_chunk,
	&gen_ai_chunk,
	&provisionings,
	&provisioning_duration,
};

static void
put_reading(struct metric_page *page, const struct meter_family *family,
    const struct meter_reading *r)
{
	struct metric_label labels[METER_LABELS_MAX];
	unsigned n = 0;

	for (; family->labels[n] != NULL; n++)
		labels[n] = (struct metric_label){ family->labels[n], slice_str(r->values[n]) };
	if (family->type == METRIC_HISTOGRAM)
		metric_histogram(page, family->name, labels, n, family->bounds, family->bound_count,
		    r->counts, r->sum);
	else
		metric_sample(page, family->name, labels, n, r->sum);
}

/* Those that are there from the start, at 0: of a counter without labels, or with known values. */
static unsigned
zeros_put(const struct meter_family *family, struct meter_reading *readings)
{
	unsigned count = 0;

	if (family->labels[0] == NULL)
		return 1;
	for (; family->values != NULL && family->values[count] != NULL; count++)
		err_text_copy(readings[count].values[0], METER_VALUE_MAX + 1,
		    family->values[count]);
	return count;
}

static void
put_meter_family(struct metric_page *page, const struct admin_context *ctx,
    const struct meter_family *family, struct meter_reading *readings)
{
	unsigned workers = atomic_load(ctx->worker_count), count;

	memset(readings, 0, READINGS_MAX * sizeof(*readings));
	count = zeros_put(family, readings);
	for (unsigned i = 0; i < workers; i++)
		(void)meter_gather(ctx->workers[i], family, readings, &count, READINGS_MAX);
	metric_family(page, family->name, family->type, family->help);
	for (unsigned i = 0; i < count; i++)
		put_reading(page, family, &readings[i]);
}

void
metrics_put_meters(struct metric_page *page, const struct admin_context *ctx)
{
	struct meter_reading *readings = calloc(READINGS_MAX, sizeof(*readings));

	if (readings == NULL) {
		page->out->failed = true;
		return;
	}
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		put_meter_family(page, ctx, families[i], readings);
	free(readings);
}

static void
put_breaker(const char *server, const char *kind, bool is_open, void *arg)
{
	struct metric_label labels[] = {
		{ "server", slice_str(server) },
		{ "operation", slice_str(kind) },
	};

	metric_sample(arg, "tenantgate_model_breaker_open", labels, 2, is_open);
}

void
metrics_put_breakers(struct metric_page *page, const struct admin_context *ctx)
{
	metric_family(page, "tenantgate_model_breaker_open", METRIC_GAUGE,
	    "1 while a server of models is left alone, for it failed again and again.");
	model_breakers_each(ctx->api->model, put_breaker, page);
}
