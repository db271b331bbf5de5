/* SPDX-License-Identifier: MIT */
/*
 * turn_clock.c: measuring turns, and telling the operator of long ones. The log itself holds back
 * what comes too often.
 */
#include "loop/turn_clock.h"

#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/loop/worker.h"

#define READ_EVERY_US 1000

void
turn_clock_start(struct turn_clock *t)
{
	t->began_us = t->read_us = clock_mono_us();
	t->cpu_us = clock_thread_cpu_us();
	t->running = t->longest = (struct turn_part){ .kind = NULL };
	t->running_since_us = t->began_us;
	t->longest_us = 0;
}

/* Only steps compete: what is before the first one has the loop's waiting in it. */
void
turn_clock_part(struct turn_clock *t, const char *kind, const char *step, uint64_t now_us)
{
	uint64_t us = now_us - t->running_since_us;

	if (t->running.kind != NULL && us > t->longest_us) {
		t->longest = t->running;
		t->longest_us = us;
	}
	t->running = (struct turn_part){ .kind = kind, .step = step };
	t->running_since_us = now_us;
}

/* A step's time is the clock's, so it may be more than the turn's CPU when other threads had the
 * processor meanwhile. */
static void
turn_log(const struct turn_clock *t, unsigned worker_index, uint64_t used_us)
{
	double used_ms = (double)used_us / 1000, limit_ms = (double)WORKER_TURN_LIMIT_US / 1000;

	if (t->longest_us >= used_us / 2)
		log_event(LOG_WARNING, "worker.long_turn", NULL,
		    "Worker %u computed for %.1f ms in one turn of its loop (at most %.0f are "
		    "meant), and its other clients waited: flow %s, step %s took %.1f ms. Please "
		    "report this.",
		    worker_index, used_ms, limit_ms, t->longest.kind, t->longest.step,
		    (double)t->longest_us / 1000);
	else
		log_event(LOG_WARNING, "worker.long_turn", NULL,
		    "Worker %u computed for %.1f ms in one turn of its loop (at most %.0f are "
		    "meant), and its other clients waited: many steps, or a callback. Please "
		    "report this.",
		    worker_index, used_ms, limit_ms);
}

static void
turn_count(struct turn_clock *t, unsigned worker_index, uint64_t used_us)
{
	uint64_t worst = atomic_load(&t->worst_us);

	/* When another thread resets in between, the exchange fails and reads the new worst. */
	while (used_us > worst && !atomic_compare_exchange_weak(&t->worst_us, &worst, used_us))
		continue;
	if (used_us <= WORKER_TURN_LIMIT_US)
		return;
	atomic_fetch_add(&t->long_total, 1);
	turn_log(t, worker_index, used_us);
}

/* The worker alone writes it: no locked instruction is needed. */
static void
total_add(_Atomic uint64_t *total, uint64_t n)
{
	atomic_store_explicit(total, atomic_load_explicit(total, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

static void
turn_read(struct turn_clock *t, unsigned worker_index, uint64_t now_us)
{
	uint64_t cpu_us = clock_thread_cpu_us();
	uint64_t used = cpu_us - t->cpu_us, earlier = t->began_us - t->read_us;

	t->read_us = now_us;
	t->cpu_us = cpu_us;
	total_add(&t->cpu_total_us, used);
	turn_count(t, worker_index, used > earlier ? used - earlier : 0);
}

void
turn_clock_end(struct turn_clock *t, unsigned worker_index)
{
	uint64_t now = clock_mono_us();

	turn_clock_part(t, NULL, NULL, now);
	total_add(&t->turns_total, 1);
	if (now - t->read_us >= READ_EVERY_US)
		turn_read(t, worker_index, now);
	t->began_us = now;
	t->longest_us = 0;
}
