/* SPDX-License-Identifier: MIT */
/*
 * reload_outcome: what is told of a reload: as JSON to who has asked, as one line to the log.
 */
#ifndef RELOAD_OUTCOME_H
#define RELOAD_OUTCOME_H

#include "conf.h"

/* ["FILE:LINE: Sentence.", ...] of lines that end with a newline. For the caller to free(), as the
 * next; NULL without memory. */
char	*reload_outcome_refused(const struct buf *errors);
/* {"applied":..,"changed":[..],"removed":["plan free"],"needsRestart":[..],"warnings":[..]}:
 * settings are told as GET /admin/config has them. before: what
 * ran. is_applied: else it is told what would change. */
char	*reload_outcome_told(const struct conf *newest, const struct conf *before,
	    const struct buf *warnings, bool is_applied);

/* The reasons of a refusal; then what changed, by number, and by name what waits for a restart. */
void	reload_log_refused(const char *path, const struct buf *errors);
void	reload_log_applied(const char *path, const struct conf *newest);

#endif
