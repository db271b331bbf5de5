/* SPDX-License-Identifier: MIT */
/*
 * turn_clock: how much of its thread's CPU time each turn of a loop takes, and which step has most
 * of it. A turn that takes more than WORKER_TURN_LIMIT_US is counted and logged: it has kept every
 * other client of the worker waiting. Private to loop/.
 *
 * To read the CPU clock is a system call, so it is read once a millisecond at most, by the
 * monotonic clock, which is none: a turn that ended sooner cannot have been long. What earlier
 * turns used since the last reading is at most the time that has passed, and is taken off: a turn
 * is never blamed for more than it took, and at most for a millisecond less.
 */
#ifndef TENANTGATE_LOOP_TURN_CLOCK_H
#define TENANTGATE_LOOP_TURN_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

/* What runs in a turn, by the names of flow and step ("end": all that the flow's end calls): static
 * texts; NULL: no step. */
struct turn_part {
	const char	*kind;
	const char	*step;
};

struct turn_clock {
	uint64_t		 began_us;	/* this turn; monotonic, like all but cpu_us */
	uint64_t		 read_us;	/* when the CPU clock was read */
	uint64_t		 cpu_us;	/* what it said */
	struct turn_part	 running;
	uint64_t		 running_since_us;
	struct turn_part	 longest;	/* of this turn */
	uint64_t		 longest_us;
	_Atomic uint64_t	 turns_total;	/* any thread, as all below */
	_Atomic uint64_t	 cpu_total_us;	/* as of the last reading */
	_Atomic uint64_t	 long_total;
	_Atomic uint64_t	 worst_us;
};

/* The first turn begins, or the loop's owner has used the thread for something else. */
void	turn_clock_start(struct turn_clock *);
/* A step begins, or (NULL, NULL) what is no step; what ran before has ended. */
void	turn_clock_part(struct turn_clock *, const char *kind, const char *step, uint64_t now_us);
/* The turn of this worker has ended, and the next one begins. */
void	turn_clock_end(struct turn_clock *, unsigned worker_index);

#endif
