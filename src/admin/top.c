/* SPDX-License-Identifier: MIT */
/*
 * top: GET /admin/top. What this process has done since it started, as counts: whoever asks twice
 * has the rates between, and nothing is kept here for whoever asks.
 */
#include "admin/admin_route.h"
#include "admin/flow_sums.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/loudest.h"

#define TOP_KINDS_MAX 256
#define MICROSECONDS  1e6

struct top {
	struct admin_request req; /* first */
	struct flow_sums sums;	  /* owned */
};

static flow_step_fn top_respond;
static flow_end_fn top_end;
static flow_release_fn top_release;

static const struct flow_step top_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "respond", top_respond },
	{ NULL, NULL },
};

static const struct flow_kind top_kind = { "admin_top", top_steps, top_end, top_release };

static void
put_histogram(struct buf *b, const struct flow_histogram *h)
{
	buf_printf(b, "\"count\":%llu,\"sumSeconds\":%.6f,\"buckets\":[",
	    (unsigned long long)flow_histogram_count(h), (double)h->sum_us / MICROSECONDS);
	for (unsigned i = 0; i <= FLOW_STAT_BOUNDS; i++)
		buf_printf(b, i > 0 ? ",%llu" : "%llu", (unsigned long long)h->counts[i]);
	buf_putc(b, ']');
}

static void
put_kind(struct buf *b, const struct flow_stat *stat)
{
	bool is_first = true;

	buf_printf(b, "{\"kind\":\"%s\",\"isRequest\":%s,\"failed\":%llu,", stat->kind->name,
	    stat->results[0].code != 0 ? "true" : "false", (unsigned long long)stat->failed);
	put_histogram(b, &stat->total);
	buf_puts(b, ",\"steps\":[");
	for (unsigned i = 0; i < FLOW_STEPS_MAX && stat->kind->steps[i].name != NULL; i++) {
		if (flow_histogram_count(&stat->steps[i]) == 0)
			continue;
		buf_printf(b, is_first ? "{\"step\":\"%s\"," : ",{\"step\":\"%s\",",
		    stat->kind->steps[i].name);
		put_histogram(b, &stat->steps[i]);
		buf_putc(b, '}');
		is_first = false;
	}
	buf_puts(b, "]}");
}

static void
put_kinds(struct buf *b, const struct flow_sums *sums)
{
	buf_puts(b, "\"boundsSeconds\":[");
	for (unsigned i = 0; i < FLOW_STAT_BOUNDS; i++)
		buf_printf(b, i > 0 ? ",%g" : "%g", flow_stat_bounds_us[i] / MICROSECONDS);
	buf_puts(b, "],\"flows\":[");
	for (unsigned i = 0; i < sums->count; i++) {
		if (i > 0)
			buf_putc(b, ',');
		put_kind(b, &sums->kinds[i]);
	}
	buf_putc(b, ']');
}

/* `error` of a count may be others'; failed and sumSeconds are its own. */
static void
put_loudest(struct buf *b, const struct top *t)
{
	struct loudest_place places[LOUDEST_TENANTS];
	uint64_t all;
	unsigned n = loudest_copy(t->req.api->shared->loudest, places, LOUDEST_TENANTS, &all);

	buf_puts(b, ",\"tenants\":[");
	for (unsigned i = 0; i < n; i++) {
		buf_puts(b, i > 0 ? ",{\"tenant\":" : "{\"tenant\":");
		json_put_string(b, slice_str(places[i].name));
		buf_printf(b, ",\"count\":%llu,\"error\":%llu,\"failed\":%llu,\"sumSeconds\":%.6f}",
		    (unsigned long long)places[i].count, (unsigned long long)places[i].error,
		    (unsigned long long)places[i].failed, (double)places[i].sum_us / MICROSECONDS);
	}
	buf_putc(b, ']');
}

static enum flow_rc
top_respond(struct flow *f)
{
	struct top *t = FLOW_MEMBER_OF(f, struct top, req.flow, &top_kind);
	enum flow_rc rc;
	struct buf b;

	if (!flow_sums_gather(&t->sums, t->req.ctx))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the counts");
	buf_init(&b, ADMIN_JSON_MAX);
	buf_printf(&b, "{\"clockSeconds\":%.6f,", (double)clock_mono_us() / MICROSECONDS);
	put_kinds(&b, &t->sums);
	put_loudest(&b, t);
	buf_putc(&b, '}');
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
top_end(struct flow *f, const struct err *err)
{
	admin_end(admin_request_of(f), err);
}

static void
top_release(struct flow *f)
{
	struct top *t = FLOW_MEMBER_OF(f, struct top, req.flow, &top_kind);

	flow_sums_free(&t->sums);
	admin_release(f);
}

void
top_start(struct http_exchange *x, const struct admin_context *ctx, const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct top), &top_kind);
}
