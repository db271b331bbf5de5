/* SPDX-License-Identifier: MIT */
/*
 * key_uses.c: the times in memory, and the flow that writes them.
 *
 *	noted --interval--> [gather] --> [write] --> [settle] --> gone, until one is noted
 *	                       ^                        |
 *	                       +------------------------+  there are more, and it was of use
 *
 * What always holds: a use that is in the map was not written, or came after what is being written;
 * one flow writes at a time; the timer runs, or the flow, while there is a use.
 *
 * It goes by the lane of looks, where a statement that hangs (somebody holds the table) keeps no
 * lookup of a key from its connection and shuts no lane.
 */
#include "auth/key_uses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/key_sql.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/map.h"
#include "tenantgate/loop/timer.h"

#define USES_BATCH	1000 /* keys of one statement */
#define USES_WAIT_US	(2 * 1000000ull)
#define USES_ARRAY_MAX	(32u << 10) /* bytes: USES_BATCH times an id or a time, and a comma */
#define READ_ONLY_STATE "25006"

struct key_use {
	uint64_t used_us;    /* wall clock */
	uint64_t writing_us; /* the one of these that is being written, or was; 0: none */
	unsigned round;	     /* the flow that took it last */
};

struct key_uses {
	struct worker *worker; /* borrowed, as the next */
	struct catalog *catalog;
	uint64_t interval_us;
	bool has_timer; /* without memory for one there is nothing that would write */
	struct map *uses; /* owned: key id -> key_use, owned */
	struct timer timer;
	unsigned round; /* of the flow that writes, or wrote: 1 and on */
	bool is_writing;
};

struct uses_write {
	struct flow flow;
	struct key_uses *uses; /* borrowed */
	struct buf ids, times; /* owned: arrays as Postgres reads them */
	char spared[48];       /* an interval of SQL: a time that is so much older is replaced */
	unsigned count;
	struct pg_result result; /* owned */
};

static flow_step_fn uses_gather, uses_send, uses_settle;
static flow_end_fn uses_end;
static flow_release_fn uses_release;

static const struct flow_step uses_steps[] = {
	{ "gather", uses_gather },
	{ "write", uses_send },
	{ "settle", uses_settle },
	{ NULL, NULL },
};

static const struct flow_kind uses_kind = { "key_uses", uses_steps, uses_end, uses_release };

/* A map_each_fn. One that is used while it is written waits for the next round: a few busy keys
 * would keep the others from theirs. */
static bool
use_gather(struct slice id, void *value, void *arg)
{
	struct uses_write *w = arg;
	struct key_use *use = value;

	if (use->round == w->uses->round)
		return true;
	use->round = w->uses->round;
	use->writing_us = use->used_us;
	buf_printf(&w->ids, "%s%.*s", w->count > 0 ? "," : "{", SLICE_ARG(id));
	buf_printf(&w->times, "%s%llu.%06u", w->count > 0 ? "," : "{",
	    (unsigned long long)(use->used_us / 1000000), (unsigned)(use->used_us % 1000000));
	return ++w->count < USES_BATCH;
}

static enum flow_rc
uses_gather(struct flow *f)
{
	struct uses_write *w = FLOW_OF(f, struct uses_write, &uses_kind);

	w->count = 0;
	buf_free(&w->ids);
	buf_free(&w->times);
	buf_init(&w->ids, USES_ARRAY_MAX);
	buf_init(&w->times, USES_ARRAY_MAX);
	map_each(w->uses->uses, use_gather, w);
	if (w->count == 0)
		return FLOW_DONE;
	buf_puts(&w->ids, "}");
	buf_puts(&w->times, "}");
	return w->ids.failed || w->times.failed ? FLOW_DONE : FLOW_NEXT;
}

/* In the order of ids, and past rows that others hold: two that write at once never wait for each
 * other. No time to come is written, however this machine's clock goes: it would stay. */
static enum flow_rc
uses_send(struct flow *f)
{
	struct uses_write *w = FLOW_OF(f, struct uses_write, &uses_kind);
	struct pg_query q = {
		.sql = "WITH used AS (SELECT u.id,"
		       " least(pg_catalog.to_timestamp(u.at), " PG_NOW ") AS at FROM ROWS FROM ("
		       "pg_catalog.unnest($1::pg_catalog.text[]),"
		       " pg_catalog.unnest($2::pg_catalog.float8[])) AS u(id, at)),"
		       " due AS (SELECT k.key_id, used.at FROM public.api_keys AS k JOIN used"
		       " ON (k.key_id" PG_EQUALS "used.id) WHERE k.last_used_at IS NULL OR"
		       " (k.last_used_at" PG_BELOW "(used.at" PG_MINUS "$3::interval))"
		       " ORDER BY k.key_id FOR UPDATE OF k SKIP LOCKED)"
		       " UPDATE public.api_keys AS k SET last_used_at = due.at FROM due"
		       " WHERE (k.key_id" PG_EQUALS "due.key_id)",
		.params = { PG_TEXT(w->ids.data), PG_TEXT(w->times.data), PG_TEXT(w->spared) },
		.param_count = 3,
		.timeout_us = USES_WAIT_US,
	};

	return catalog_run(f, w->uses->catalog, CATALOG_LOOKS, SLICE_LIT("key uses"), &q,
	    &w->result);
}

/* The ids that are taken out are those of the statement; map_each() must not change the map. */
static void
uses_forget_written(struct uses_write *w)
{
	struct slice left = slice_of(w->ids.data + 1, w->ids.len - 1);

	for (unsigned i = 0; i < w->count; i++) {
		struct slice id = slice_of(left.p, KEY_ID_LEN);
		const struct key_use *use = map_get(w->uses->uses, id);

		if (use != NULL && use->used_us == use->writing_us)
			map_del(w->uses->uses, id);
		left = slice_of(left.p + KEY_ID_LEN + 1, left.len - KEY_ID_LEN - 1);
	}
}

/* What could not be written is written with the next: but for a catalog that takes no writes, for
 * which nothing is kept. That it is away, others say. */
static enum flow_rc
uses_settle(struct flow *f)
{
	struct uses_write *w = FLOW_OF(f, struct uses_write, &uses_kind);
	static struct log_pace pace;

	if (w->result.status == PG_OK || strcmp(w->result.failure.sqlstate, READ_ONLY_STATE) == 0) {
		uses_forget_written(w);
		return w->count == USES_BATCH ? flow_goto(f, uses_gather) : FLOW_DONE;
	}
	if (w->result.status == PG_SQL_ERROR && log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "auth.uses", NULL,
		    "When keys were last used could not be written (SQLSTATE %s: %s); it is tried "
		    "again. Look at the table api_keys of the catalog.",
		    w->result.failure.sqlstate, w->result.failure.message);
	return FLOW_DONE;
}

static void
uses_end(struct flow *f, const struct err *err)
{
	struct uses_write *w = FLOW_OF(f, struct uses_write, &uses_kind);
	struct key_uses *u = w->uses;

	u->is_writing = false;
	if (map_count(u->uses) > 0 && err->code != ERR_SHUTDOWN)
		timer_start(&u->timer, u->interval_us);
}

static void
uses_release(struct flow *f)
{
	struct uses_write *w = FLOW_OF(f, struct uses_write, &uses_kind);

	pg_clear(&w->result);
	buf_free(&w->ids);
	buf_free(&w->times);
	free(w);
}

/* A timer_fn. A row is spared whose time is within five sixths of an interval: of another worker's
 * round, not of this one's last. */
static void
uses_are_due(void *arg)
{
	struct key_uses *u = arg;
	struct uses_write *w = xcalloc(1, sizeof(*w));

	w->uses = u;
	snprintf(w->spared, sizeof(w->spared), "%llu microseconds",
	    (unsigned long long)(u->interval_us / 6 * 5));
	u->is_writing = true;
	u->round++;
	flow_start(&w->flow, &uses_kind, u->worker, NULL);
}

/* Without memory the use is not noted. */
void
key_uses_note(struct key_uses *u, const char *key_id)
{
	struct slice id = slice_str(key_id);
	struct key_use *use;

	if (u->interval_us == 0)
		return;
	use = map_get(u->uses, id);
	if (use == NULL) {
		use = calloc(1, sizeof(*use));
		if (use == NULL || !map_put(u->uses, id, use)) {
			free(use);
			return;
		}
	}
	use->used_us = clock_wall_us();
	if (!u->timer.set && !u->is_writing)
		timer_start(&u->timer, u->interval_us);
}

void
key_uses_set_interval(struct key_uses *u, uint64_t interval_us)
{
	u->interval_us = u->has_timer ? interval_us : 0;
}

struct key_uses *
key_uses_open(struct worker *w, struct catalog *c, uint64_t interval_us, unsigned keys_max)
{
	struct key_uses *u = xcalloc(1, sizeof(*u));

	u->worker = w;
	u->catalog = c;
	u->has_timer = timer_init(&u->timer, w, uses_are_due, u);
	key_uses_set_interval(u, interval_us);
	u->uses = map_new(keys_max, free);
	return u;
}

void
key_uses_close(struct key_uses *u)
{
	if (u == NULL)
		return;
	timer_free(&u->timer);
	map_free(u->uses);
	free(u);
}
