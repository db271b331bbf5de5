/* SPDX-License-Identifier: MIT */
/*
 * ctl_top: the rows that `top` shows, reckoned from two answers of GET /admin/top. Pure.
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "ctl/ctl.h"

#define TOP_NAME_MAX 64

/* Rates a second; times in seconds, NAN where there is none. */
struct top_row {
	char	name[TOP_NAME_MAX + 1];
	double	rate, failed;
	double	busy;		/* how many at once, on the average */
	double	p50, p95, p99;
	bool	is_request;	/* of a client; else what goes on for one, or behind them */
};

struct top_table {
	struct top_row	*kinds, *steps, *tenants;	/* owned */
	unsigned	 kind_count, step_count, tenant_count;
};

/* Returns the seconds between the two; a server that has started anew meanwhile is as if it had
 * told nothing before. */
double	ctl_top_reckon(struct top_table *, const json_t *before, const json_t *now);
void	ctl_top_free(struct top_table *);

/* Asks and shows until it is interrupted, or so many times; rounds 0: without end. */
enum ctl_exit	ctl_top(struct ctl_session *, unsigned interval_s, unsigned rounds);

#endif
