/* SPDX-License-Identifier: MIT */
/*
 * flows: GET /admin/flows. What is under way in this process: by kind and step how many and the
 * oldest, and the oldest of all one by one; ?limit= says how many of those.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_route.h"
#include "admin/gather.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/loop/flow_walk.h"

#define FLOWS_SHOWN  50
#define FLOWS_MAX    200 /* of a worker: they are copied */
#define FLOWS_A_TURN 250 /* are looked at in one turn of its loop */
#define PLACES_MAX   128 /* kinds and their steps */
#define MICROSECONDS 1e6

struct flow_row {
	const char *kind, *step; /* static */
	char request_id[REQUEST_ID_MAX + 1];
	uint64_t age_us, step_us;
	unsigned worker;
};

struct flow_place {
	const char *kind, *step; /* static */
	unsigned count;
	uint64_t oldest_us, longest_us; /* age; at this step */
};

/* Of one worker; the oldest first. */
struct flows_piece {
	struct flow_walk walk;
	bool is_begun;
	struct flow_row rows[FLOWS_MAX];
	struct flow_place places[PLACES_MAX];
	unsigned row_count, place_count;
	size_t total;
};

struct flows {
	struct admin_request req; /* first */
	struct gather *gather;	  /* owned */
	struct timer timer;
};

static flow_step_fn flows_ask, flows_wait, flows_respond;
static flow_end_fn flows_end;

static const struct flow_step flows_steps[] = {
	{ "auth", admin_caller },
	{ "allow", admin_allow },
	{ "ask", flows_ask },
	{ "gather", flows_wait },
	{ "respond", flows_respond },
	{ NULL, NULL },
};

static const struct flow_kind flows_kind = { "admin_flows", flows_steps, flows_end, admin_release };

static void
place_count(struct flows_piece *p, const struct flow_place *add)
{
	struct flow_place *place = NULL;

	for (unsigned i = 0; i < p->place_count && place == NULL; i++)
		if (p->places[i].kind == add->kind && p->places[i].step == add->step)
			place = &p->places[i];
	if (place == NULL && p->place_count < PLACES_MAX) {
		place = &p->places[p->place_count++];
		*place = (struct flow_place){ .kind = add->kind, .step = add->step };
	}
	if (place == NULL)
		return;
	place->count += add->count;
	if (add->oldest_us > place->oldest_us)
		place->oldest_us = add->oldest_us;
	if (add->longest_us > place->longest_us)
		place->longest_us = add->longest_us;
}

/* A flow_each_fn. */
static void
flow_note(struct flow *f, void *arg)
{
	struct flows_piece *p = arg;
	struct flow_row row = {
		.kind = f->kind->name,
		.step = flow_step_name(f),
		.age_us = flow_age_us(f),
		.step_us = clock_mono_us() - f->step_began_us,
		.worker = worker_index(f->worker),
	};
	struct flow_place place = { row.kind, row.step, 1, row.age_us, row.step_us };

	p->total++;
	place_count(p, &place);
	if (p->row_count == FLOWS_MAX)
		return;
	if (f->request_id != NULL)
		(void)strncpy(row.request_id, f->request_id, REQUEST_ID_MAX);
	p->rows[p->row_count++] = row;
}

/* A gather_fn. */
static bool
flows_note(struct worker *w, void *piece)
{
	struct flows_piece *p = piece;

	if (!p->is_begun)
		flow_walk_begin(&p->walk, w);
	p->is_begun = true;
	return flow_walk_on(&p->walk, FLOWS_A_TURN, flow_note, p);
}

static struct flows *
flows_of(struct flow *f)
{
	return FLOW_MEMBER_OF(f, struct flows, req.flow, &flows_kind);
}

static enum flow_rc
flows_ask(struct flow *f)
{
	struct flows *s = flows_of(f);

	s->gather = gather_start(s->req.ctx, sizeof(struct flows_piece), flows_note);
	return s->gather != NULL ? FLOW_NEXT
				 : flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the flows");
}

static enum flow_rc
flows_wait(struct flow *f)
{
	struct flows *s = flows_of(f);

	return gather_wait(f, s->gather, &s->timer);
}

static int
older_first(const void *a, const void *b)
{
	const struct flow_row *x = a, *y = b;

	return x->age_us < y->age_us ? 1 : x->age_us > y->age_us ? -1 : 0;
}

static void
put_flow_row(struct buf *b, const struct flow_row *row)
{
	buf_printf(b, "{\"kind\":\"%s\",\"step\":\"%s\",\"worker\":%u,\"request\":", row->kind,
	    row->step, row->worker);
	if (row->request_id[0] != '\0')
		json_put_string(b, slice_str(row->request_id));
	else
		buf_puts(b, "null");
	buf_printf(b, ",\"ageSeconds\":%.6f,\"stepSeconds\":%.6f}",
	    (double)row->age_us / MICROSECONDS, (double)row->step_us / MICROSECONDS);
}

static void
put_places(struct buf *b, struct gather *g)
{
	struct flows_piece *sum = gather_piece(g, 0);

	for (unsigned i = 1; i < gather_count(g); i++) {
		const struct flows_piece *p = gather_piece(g, i);

		for (unsigned k = 0; k < p->place_count; k++)
			place_count(sum, &p->places[k]);
	}
	buf_puts(b, "\"steps\":[");
	for (unsigned k = 0; k < sum->place_count; k++) {
		const struct flow_place *place = &sum->places[k];

		buf_printf(b,
		    "%s{\"kind\":\"%s\",\"step\":\"%s\",\"count\":%u,\"oldestSeconds\":%.6f,"
		    "\"longestStepSeconds\":%.6f}",
		    k > 0 ? "," : "", place->kind, place->step, place->count,
		    (double)place->oldest_us / MICROSECONDS,
		    (double)place->longest_us / MICROSECONDS);
	}
	buf_puts(b, "],");
}

/* Of all workers together, the oldest first. False without memory. */
static bool
put_oldest(struct buf *b, struct gather *g, unsigned limit)
{
	struct flow_row *all = calloc(gather_count(g) * FLOWS_MAX, sizeof(*all));
	unsigned n = 0;

	if (all == NULL)
		return false;
	for (unsigned i = 0; i < gather_count(g); i++) {
		const struct flows_piece *p = gather_piece(g, i);

		memcpy(&all[n], p->rows, p->row_count * sizeof(*all));
		n += p->row_count;
	}
	qsort(all, n, sizeof(*all), older_first);
	buf_puts(b, "\"flows\":[");
	for (unsigned i = 0; i < n && i < limit; i++) {
		if (i > 0)
			buf_putc(b, ',');
		put_flow_row(b, &all[i]);
	}
	buf_puts(b, "]}");
	free(all);
	return true;
}

static enum flow_rc
flows_respond(struct flow *f)
{
	struct flows *s = flows_of(f);
	unsigned limit = FLOWS_SHOWN;
	struct err err = { 0 };
	size_t total = 0;
	enum flow_rc rc;
	struct buf b;

	if (!admin_query_number(&s->req, "limit", 1, FLOWS_MAX, &limit, &err))
		return flow_fail_err(f, &err);
	for (unsigned i = 0; i < gather_count(s->gather); i++)
		total += ((const struct flows_piece *)gather_piece(s->gather, i))->total;
	buf_init(&b, ADMIN_JSON_MAX);
	buf_printf(&b, "{\"count\":%zu,", total);
	put_places(&b, s->gather);
	if (!put_oldest(&b, s->gather, limit))
		b.failed = true;
	rc = admin_respond(f, 200, &b);
	buf_free(&b);
	return rc;
}

static void
flows_end(struct flow *f, const struct err *err)
{
	struct flows *s = flows_of(f);

	gather_free(s->gather);
	s->gather = NULL;
	admin_end(&s->req, err);
}

void
flows_start(struct http_exchange *x, const struct admin_context *ctx,
    const struct admin_match *match)
{
	(void)admin_start(x, ctx, match, sizeof(struct flows), &flows_kind);
}
