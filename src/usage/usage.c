/* SPDX-License-Identifier: MIT */
/*
 * usage: what one worker has gathered, and the flow that writes it:
 *
 *	usage_note() --first row--> [timer] --write_interval, or a batch is full--> (flow)
 *	[begin] --> [take] --> [write] --> [written] --more rows of the beginning--> [take]
 *	                                    |  |  \--refused for good: in halves--> [take]
 *	                                    |  \--the catalog is away: kept, and the timer set
 *	                                    v
 *	                                 [prune] --> done
 *
 * What always holds:
 *  - A batch does not change once it is made, and has a number; the next one is made when the
 *    catalog has said that it has this one. What it said may be lost, and the batch is sent again:
 *    the statement counts a writer's number once, however often and from wherever it comes.
 *  - A batch that the catalog refuses for what is in it was not written, and is not sent again: its
 *    rows come in smaller batches, of new numbers, until the one that is refused is alone. That one
 *    is dropped, and told.
 *  - Rows are written in the order of their keys, so that no two writers wait for each other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/mutation.h"
#include "tenantgate/base/random.h"
#include "usage/usage_refusal.h"
#include "usage/usage_sql.h"

#define DAY_US	       (86400 * 1000000ull)
#define WRITER_LEN     22
#define PRUNE_US       (3600 * 1000000ull)
#define PRUNE_RETRY_US (300 * 1000000ull) /* after a failure */
#define PRUNE_ROWS     5000		  /* deleted by one statement */
#define USAGE_ARENA    (1u << 20)	  /* bytes: what catalog_run() makes of a batch */
#define USAGE_HOLDER   "usage"
/* Of one flow: what is still to be isolated goes on after write_interval. */
#define REFUSALS_MAX 64

struct usage {
	struct flow flow;
	struct worker *worker;	 /* borrowed */
	struct catalog *catalog; /* borrowed */
	struct usage_conf conf;
	struct timer timer;
	struct usage_tally *tally; /* owned */
	char writer[WRITER_LEN + 1];
	uint64_t number;	      /* of the last batch that was made */
	struct buf batch;	      /* owned; empty: none is on its way */
	size_t rows_max;	      /* of the next batch */
	size_t rows_left;	      /* of those that there were when the flow began */
	struct pg_result result;      /* owned */
	struct usage_count dropped;   /* since the catalog was away */
	struct usage_refusal refusal; /* of this flow */
	uint64_t prune_us;	      /* monotonic: not before */
	bool is_writing, is_failing;
	char text[24], day[USAGE_DAY_SIZE]; /* of parameters */
};

static flow_step_fn usage_start, usage_take, usage_write, usage_written, usage_prune, usage_pruned;
static flow_end_fn usage_write_end;
static flow_release_fn usage_write_release;

static const struct flow_step usage_steps[] = {
	{ "begin", usage_start },
	{ "take", usage_take },
	{ "write", usage_write },
	{ "written", usage_written },
	{ "prune", usage_prune },
	{ "pruned", usage_pruned },
	{ NULL, NULL },
};

static const struct flow_kind usage_kind = { "usage", usage_steps, usage_write_end,
	usage_write_release };

void
usage_conf_init(struct usage_conf *c)
{
	*c = (struct usage_conf){
		.write_interval_us = 5 * 1000000ull,
		.retention_us = 400 * DAY_US,
	};
}

static struct usage *
usage_of(struct flow *f)
{
	return FLOW_OF(f, struct usage, &usage_kind);
}

static void
usage_begin(struct usage *u)
{
	if (u->is_writing)
		return;
	u->is_writing = true;
	timer_stop(&u->timer);
	flow_start(&u->flow, &usage_kind, u->worker, arena_new(USAGE_ARENA));
}

static void
usage_is_due(void *arg)
{
	usage_begin(arg);
}

struct usage *
usage_open(struct worker *w, struct catalog *c, const struct usage_conf *conf)
{
	struct usage *u = xcalloc(1, sizeof(*u));

	u->worker = w;
	u->catalog = c;
	u->conf = *conf;
	u->tally = usage_tally_new(USAGE_ROWS_MAX);
	u->rows_max = USAGE_BATCH_ROWS;
	buf_init(&u->batch, USAGE_BATCH_MAX);
	id_random(u->writer, WRITER_LEN);
	if (!timer_init(&u->timer, w, usage_is_due, u))
		abort();
	return u;
}

void
usage_configure(struct usage *u, const struct usage_conf *conf)
{
	u->conf = *conf;
}

/* ---- the flow ---- */

static enum flow_rc
usage_start(struct flow *f)
{
	struct usage *u = usage_of(f);

	u->rows_left = usage_tally_rows(u->tally) + usage_tally_taken(u->tally);
	memset(&u->refusal, 0, sizeof(u->refusal));
	return FLOW_NEXT;
}

static enum flow_rc
usage_take(struct flow *f)
{
	struct usage *u = usage_of(f);

	if (u->batch.len > 0)
		return FLOW_NEXT; /* the one that was sent before */
	if (usage_tally_rows(u->tally) == 0)
		return flow_goto(f, usage_prune);
	if (!usage_tally_take(u->tally, u->rows_max, &u->batch)) {
		buf_free(&u->batch);
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "a batch of usage");
	}
	u->number++;
	return FLOW_NEXT;
}

static enum flow_rc
usage_write(struct flow *f)
{
	struct usage *u = usage_of(f);
	const struct pg_query q = {
		.sql = write_batch,
		.params = { PG_TEXT(u->writer), PG_TEXT(u->text), PG_TEXT(u->batch.data) },
		.param_count = 3,
	};

	(void)snprintf(u->text, sizeof(u->text), "%llu", (unsigned long long)u->number);
	return catalog_run(f, u->catalog, CATALOG_DOCUMENTS, slice_str(USAGE_HOLDER), &q,
	    &u->result);
}

static void
dropped_tell(struct usage *u)
{
	const struct usage_count *d = &u->dropped;

	if (d->requests + d->embedding_calls == 0)
		return;
	log_event(LOG_ERR, "usage.dropped", NULL,
	    "The catalog was away for so long that the usage of %llu requests (%llu tokens in, "
	    "%llu out, %llu embedded) was dropped by a worker; add it by hand where it is billed.",
	    (unsigned long long)d->requests, (unsigned long long)d->input_tokens,
	    (unsigned long long)d->output_tokens, (unsigned long long)d->embedding_tokens);
	u->dropped = (struct usage_count){ 0 };
}

static enum flow_rc
usage_refused(struct flow *f)
{
	struct usage *u = usage_of(f);
	size_t rows = usage_tally_taken(u->tally);

	buf_free(&u->batch);
	if (rows == 1) {
		usage_refusal_drop(&u->refusal, u->tally, &u->result);
	} else {
		u->rows_max = rows / 2;
		u->rows_left += rows;
		usage_tally_return(u->tally, &u->dropped);
	}
	pg_clear(&u->result);
	if (++u->refusal.statements < REFUSALS_MAX)
		return flow_goto(f, usage_take);
	u->is_failing = true;
	return FLOW_DONE;
}

/* Rows that were noted meanwhile wait for their own write_interval. */
static enum flow_rc
usage_written(struct flow *f)
{
	struct usage *u = usage_of(f);
	size_t rows = usage_tally_taken(u->tally);
	enum flow_rc rc;

	u->rows_left -= rows < u->rows_left ? rows : u->rows_left;
	if (usage_is_refused(&u->result))
		return usage_refused(f);
	rc = catalog_check(f, &u->result, "write usage");
	if (rc != FLOW_NEXT)
		return rc;
	pg_clear(&u->result);
	buf_free(&u->batch);
	usage_tally_forget(u->tally, NULL);
	u->rows_max = u->rows_max * 2 < USAGE_BATCH_ROWS ? u->rows_max * 2 : USAGE_BATCH_ROWS;
	u->is_failing = false;
	dropped_tell(u);
	return u->rows_left > 0 ? flow_goto(f, usage_take) : FLOW_NEXT;
}

/* A century of retention is longer than there have been days. */
static uint32_t
first_day_kept(const struct usage *u)
{
	uint64_t now = clock_wall_us(), kept = u->conf.retention_us;

	return now > kept ? (uint32_t)((now - kept) / DAY_US) : 0;
}

static enum flow_rc
usage_prune(struct flow *f)
{
	struct usage *u = usage_of(f);
	const struct pg_query q = {
		.sql = delete_old,
		.params = { PG_TEXT(u->day), PG_TEXT(u->text) },
		.param_count = 2,
	};

	if (clock_mono_us() < u->prune_us)
		return FLOW_DONE;
	(void)snprintf(u->text, sizeof(u->text), "%d", PRUNE_ROWS);
	usage_day_text(first_day_kept(u), u->day);
	return catalog_run(f, u->catalog, CATALOG_DOCUMENTS, slice_str(USAGE_HOLDER), &q,
	    &u->result);
}

/* What was to be written is: that old days stay a while longer is no failure of it. */
static enum flow_rc
usage_pruned(struct flow *f)
{
	struct usage *u = usage_of(f);
	uint64_t now = clock_mono_us();

	if (u->result.status != PG_OK) {
		u->prune_us = now + PRUNE_RETRY_US;
		log_event(LOG_WARNING, "usage.prune", NULL,
		    "Old usage cannot be deleted from the catalog, which is tried again in five "
		    "minutes; look at the table tenant_usage (SQLSTATE \"%s\"): %s",
		    u->result.failure.sqlstate, u->result.failure.message);
	} else if (pg_changed(&u->result) < PRUNE_ROWS) {
		u->prune_us = now + PRUNE_US;
	}
	return FLOW_DONE;
}

/* Once while it lasts; what is dropped is told at its end. */
static void
usage_write_end(struct flow *f, const struct err *err)
{
	struct usage *u = usage_of(f);
	char told[ERR_TOLD_SIZE];

	pg_clear(&u->result);
	usage_refusal_tell(&u->refusal);
	if (!err_is(err) || err->code == ERR_SHUTDOWN || u->is_failing)
		return;
	u->is_failing = true;
	err_tell(err, told);
	log_event(LOG_WARNING, "usage.write", NULL,
	    "What tenants have used cannot be written to the catalog, and is kept until it can: "
	    "%s",
	    told);
}

static void
usage_write_release(struct flow *f)
{
	struct usage *u = usage_of(f);

	arena_free(f->arena);
	u->is_writing = false;
	if (u->batch.len > 0 || usage_tally_rows(u->tally) > 0)
		timer_start(&u->timer, u->conf.write_interval_us);
}

/* ---- what is noted ---- */

static void
usage_drop(struct usage *u, const struct usage_count *count)
{
	static struct log_pace pace;

	usage_count_add(&u->dropped, count);
	if (log_pace_admit(&pace, 60 * LOG_MINUTE))
		log_event(LOG_ERR, "usage.full", NULL,
		    "The usage of %d tenants, days and models waits for the catalog, which is all "
		    "that a worker keeps: that of others is dropped until it is back.",
		    USAGE_ROWS_MAX);
}

void
usage_note(struct usage *u, const char *tenant, const char *model, const struct usage_count *count)
{
	if (!usage_tally_add(u->tally, mutated(MUTATION_USAGE, tenant), model,
		(uint32_t)(clock_wall_us() / DAY_US), count))
		usage_drop(u, count);
	if (u->is_writing)
		return;
	if (usage_tally_rows(u->tally) >= USAGE_BATCH_ROWS && !u->is_failing)
		usage_begin(u);
	else if (!u->timer.set)
		timer_start(&u->timer, u->conf.write_interval_us);
}

void
usage_flush(struct usage *u)
{
	if (u->batch.len > 0 || usage_tally_rows(u->tally) > 0)
		usage_begin(u);
}

bool
usage_is_settled(const struct usage *u)
{
	if (u->batch.len == 0 && usage_tally_rows(u->tally) == 0 && !u->is_writing)
		return true;
	return catalog_is_failing(u->catalog, CATALOG_DOCUMENTS);
}

/* Of a batch that was sent nobody knows whether it was written. */
void
usage_close(struct usage *u)
{
	if (u == NULL)
		return;
	if (u->batch.len > 0 || usage_tally_rows(u->tally) > 0)
		log_event(LOG_ERR, "usage.lost", NULL,
		    "The process ends, and the usage of %zu tenants, days and models is not "
		    "written: the catalog could not be reached.",
		    usage_tally_rows(u->tally) + usage_tally_taken(u->tally));
	timer_free(&u->timer);
	usage_tally_free(u->tally);
	buf_free(&u->batch);
	free(u);
}
