/* SPDX-License-Identifier: MIT */
/*
 * flow_log: SIGUSR1 writes the live flows to the log. The lines are put together here and not by
 * log_event(), which holds back what repeats (LOG_BURST), drops what log_level drops, and knows no
 * fields of its own.
 */
#include "flow_log.h"

#include "tenantgate/base/clock.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/flow.h"

#define LINE_MAX_BYTES 4096 /* ids are 64 bytes at most, names are ours */

/* On flow_log_write()'s stack while the flows are walked. */
struct flow_report {
	unsigned worker; /* its index */
	size_t written;	 /* at most FLOW_LOG_MAX */
	size_t total;	 /* all that are alive */
};

static const char *
flow_state_name(enum flow_state state)
{
	static const char *const names[] = { "idle", "queued", "running", "waiting", "ended" };

	return state <= FLOW_ENDED ? names[state] : "unknown";
}

static void
flow_line_begin(struct buf *line, const char *event)
{
	char now[CLOCK_ISO_SIZE];

	clock_iso(clock_wall_us(), now);
	buf_init(line, LINE_MAX_BYTES);
	buf_printf(line, "{\"time\":\"%s\",\"level\":\"notice\",\"event\":\"%s\"", now, event);
}

/* A line that did not fit is left out rather than written broken. */
static void
flow_line_end(struct buf *line)
{
	buf_putc(line, '}');
	if (!line->failed)
		log_line(line);
	buf_free(line);
}

/* flow_each_fn: oldest first. Ids are the client's bytes and are escaped; the other strings are
 * our own literals. No body, prompt or key is in a line. */
static void
flow_log_one(struct flow *f, void *arg)
{
	struct flow_report *r = arg;
	struct buf line;

	if (r->total++ >= FLOW_LOG_MAX)
		return;
	r->written++;
	flow_line_begin(&line, "flow.live");
	if (f->request_id != NULL) {
		buf_puts(&line, ",\"request_id\":");
		json_put_string(&line, slice_str(f->request_id));
	}
	buf_printf(&line,
	    ",\"worker\":%u,\"handler\":\"%s\",\"step\":\"%s\",\"state\":\"%s\","
	    "\"age_ms\":%llu,\"step_ms\":%llu",
	    r->worker, f->kind->name, flow_step_name(f), flow_state_name(f->state),
	    (unsigned long long)(flow_age_us(f) / 1000),
	    (unsigned long long)((clock_mono_us() - f->step_began_us) / 1000));
	flow_line_end(&line);
}

/* On the worker's thread, where its flows may be walked. `posted` is cleared last: from then on the
 * task may be posted again. */
static void
flow_log_write(void *arg)
{
	struct flow_log *l = arg;
	struct flow_report r = { .worker = worker_index(l->worker) };
	struct buf line;

	flow_each(l->worker, flow_log_one, &r);
	flow_line_begin(&line, "flow.total");
	buf_printf(&line,
	    ",\"worker\":%u,\"flows\":%zu,\"not_written\":%zu,\"lag_us\":%llu,"
	    "\"long_turns\":%llu,\"worst_turn_us\":%llu",
	    r.worker, r.total, r.total - r.written, (unsigned long long)worker_lag_us(l->worker),
	    (unsigned long long)worker_long_turns(l->worker),
	    (unsigned long long)worker_turn_worst_us(l->worker));
	flow_line_end(&line);
	atomic_store(&l->posted, false);
}

void
flow_log_post(struct flow_log *l, struct worker *w)
{
	uint64_t now_us = clock_mono_us();

	if (atomic_exchange(&l->posted, true)) {
		if (now_us >= l->posted_us + FLOW_LOG_STUCK_US)
			log_event(LOG_ERR, "flow.stuck", NULL,
			    "Worker %u has not written its flows for %.1f s: its loop is stuck. "
			    "Attach gdb and look at its thread.",
			    worker_index(w), (double)(now_us - l->posted_us) / 1e6);
		return;
	}
	l->posted_us = now_us;
	l->worker = w;
	worker_post(w, &l->task, flow_log_write, l);
}
