/* SPDX-License-Identifier: MIT */
/*
 * circuit: a circuit breaker: keeps calls away from what fails again and again, and finds out by
 * one call at a time whether it is back.
 *
 *	[closed] --failures in a row--> [open] --its time is over--> [a probe: one call let through]
 *	   ^                              ^                             |   |
 *	   |                              +------- failed, longer ------+   |
 *	   +------------------------- heard --------------------------------+
 *
 * Plain values: the owner has the lock, the clock, and the rule of what is a failure. Monotonic
 * microseconds.
 */
#ifndef TENANTGATE_BASE_CIRCUIT_H
#define TENANTGATE_BASE_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/backoff.h"

struct circuit_conf {
	unsigned	failures;	/* in a row, that open it; 0: only a probe's do */
	struct backoff	open_for;	/* the first time, and how that grows */
};

/* All zero: closed. */
struct circuit {
	bool		is_open;
	bool		is_probing;	/* one was let through, and has not ended */
	unsigned	failures;	/* in a row */
	unsigned	opened;		/* times since it was closed */
	uint64_t	retry_us;	/* open: when a probe is let through */
};

/* Whether a call may be made. *is_probe: it is the one that is let through, whose end must be told:
 * by circuit_probe_ended(), and circuit_heard() or circuit_failed() where it taught something. */
bool		circuit_admits(struct circuit *, uint64_t now, bool *is_probe);
void		circuit_probe_ended(struct circuit *);
/* It answered: closed. A probe that is under way stays one. */
void		circuit_heard(struct circuit *);
/* It failed. What is open already stays so until a probe is the one that fails. */
void		circuit_failed(struct circuit *, const struct circuit_conf *, bool by_probe,
		    uint64_t now);
/* Opens it until then at least, whatever has been counted. */
void		circuit_open_until(struct circuit *, uint64_t until_us);
/* Seconds until a probe is let through, at least 1. */
int		circuit_rest_s(const struct circuit *, uint64_t now);

#endif
