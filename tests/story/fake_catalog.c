/* SPDX-License-Identifier: MIT */
/*
 * fake_catalog: catalog_run() as a wait and a table.
 */
#include "fake_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_query {
	struct flow flow;
	struct pg_query query;
	struct pg_result *out;
	struct timer timer;
};

static fake_result_fn *result_of;
static uint64_t answer_delay_us;
static bool fails_at_once;
static unsigned asked, asked_in[CATALOG_LANES];
static char last_holder[64];
static size_t last_holder_len;

void
fake_catalog_returns(fake_result_fn *fn, uint64_t delay_us)
{
	result_of = fn;
	answer_delay_us = delay_us;
	fails_at_once = false;
	asked = 0;
	memset(asked_in, 0, sizeof(asked_in));
}

unsigned
fake_catalog_asked(void)
{
	return asked;
}

unsigned
fake_catalog_asked_in(enum catalog_lane lane)
{
	return asked_in[lane];
}

struct slice
fake_catalog_holder(void)
{
	return slice_of(last_holder, last_holder_len);
}

void
fake_catalog_empty(const struct pg_query *q, struct fake_result *a)
{
	(void)q;
	(void)a;
}

void
fake_catalog_lost(const struct pg_query *q, struct fake_result *a)
{
	(void)q;
	a->status = PG_LOST;
}

static enum flow_rc
fake_delay(struct flow *f)
{
	struct fake_query *q = (struct fake_query *)f;

	return flow_sleep(f, &q->timer, answer_delay_us);
}

static enum flow_rc
fake_finish(struct flow *f)
{
	struct fake_query *q = (struct fake_query *)f;
	struct fake_result *a = calloc(1, sizeof(*a));

	asked++;
	result_of(&q->query, a);
	q->out->status = a->status;
	q->out->owned = a;
	if (a->status != PG_OK)
		snprintf(q->out->failure.message, sizeof(q->out->failure.message), "made to fail");
	if (a->sqlstate != NULL)
		snprintf(q->out->failure.sqlstate, sizeof(q->out->failure.sqlstate), "%s",
		    a->sqlstate);
	return FLOW_DONE;
}

static const struct flow_step fake_steps[] = {
	{ "sleep", fake_delay },
	{ "finish", fake_finish },
	{ NULL, NULL },
};

static void
fake_release(struct flow *f)
{
	free(f);
}

static const struct flow_kind fake_kind = { "fake_query", fake_steps, NULL, fake_release };

enum flow_rc
catalog_run(struct flow *f, struct catalog *c, enum catalog_lane lane, struct slice holder,
    const struct pg_query *query, struct pg_result *out)
{
	struct fake_query *q = calloc(1, sizeof(*q));

	(void)c;
	asked_in[lane]++;
	last_holder_len = holder.len < sizeof(last_holder) ? holder.len : sizeof(last_holder);
	memcpy(last_holder, holder.p, last_holder_len);
	pg_clear(out);
	q->query = *query;
	q->out = out;
	return flow_call(f, &q->flow, &fake_kind);
}

void
fake_catalog_fails_at_once(bool at_once)
{
	fails_at_once = at_once;
}

bool
catalog_is_failing(struct catalog *c, enum catalog_lane lane)
{
	(void)c;
	(void)lane;
	return fails_at_once;
}

enum flow_rc
catalog_check(struct flow *f, const struct pg_result *r, const char *what)
{
	return r->status == PG_OK ? FLOW_NEXT : flow_fail(f, ERR_CATALOG, "%s", what);
}

unsigned
pg_rows(const struct pg_result *r)
{
	const struct fake_result *a = r->owned;

	return a->count;
}

uint64_t
pg_changed(const struct pg_result *r)
{
	const struct fake_result *a = r->owned;

	return a->changed;
}

struct slice
pg_value(const struct pg_result *r, unsigned row, unsigned col)
{
	const struct fake_result *a = r->owned;

	return slice_str(a->rows[row].col[col]);
}

const char *
pg_text(const struct pg_result *r, unsigned row, unsigned col)
{
	struct slice v = pg_value(r, row, col);

	return v.p != NULL ? v.p : "";
}

void
pg_clear(struct pg_result *r)
{
	free(r->owned);
	memset(r, 0, sizeof(*r));
}
