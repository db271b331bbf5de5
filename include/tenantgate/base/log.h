/* SPDX-License-Identifier: MIT */
/*
 * log: one JSON object a line, one write(2) a line, to stderr or a file. No line carries a secret,
 * a prompt or a document's text; strings pass json_put_string(), so hostile bytes still make one
 * valid line. Repeats of the same (level, event) past LOG_BURST a second are counted, not printed;
 * the count comes with the next line of its kind (`repeats_hidden`). Any thread.
 *
 * The event is a name for machines, which stays; the message is a sentence for operators, which
 * says what to look at or what happens next.
 *
 *	log_event(LOG_WARNING, "pool.login_failed", request_id, "Host %s: %s", host, why);
 *
 * gives {"time":"…","level":"warning","event":"pool.login_failed","request_id":"…","message":"…"}.
 */
#ifndef TENANTGATE_BASE_LOG_H
#define TENANTGATE_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

#include "tenantgate/base/buf.h"

#define LOG_BURST	20	/* lines of one (level, event) a second */

/* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG of <syslog.h>. */
void	log_level(int max_level);
/* Once at the start, with the rights to open again what stderr is: from then on no line waits for
 * its reader. */
void	log_begin(void);
/* path NULL: stderr. False when it cannot be opened (errno). */
bool	log_open(const char *path);
/* Opens the file anew, for a log that was rotated: every line from then on is in the file that has
 * its name. The folder is the one that log_open() found, by its handle: who runs now need not be
 * able to get there, only to open the file or, where it is gone, to make it. False (errno): the
 * file of before is written on. Main thread. */
bool	log_reopen(void);

/* request_id NULL when there is no request behind it. */
void	log_event(int level, const char *event, const char *request_id, const char *fmt, ...)
	    __attribute__((format(printf, 4, 5)));

/* The trace that this thread works for: its id is in each line that has a request id. Borrowed
 * until the next call; NULL for none. */
void	log_trace(const char *trace_id);

/* For a line whose cause may come with every request, and lasts: true once in every_us, whichever
 * thread asks. Zeroed, static; one for each line. */
#define LOG_MINUTE	60000000ull
struct log_pace {
	_Atomic uint64_t	 next_us;	/* monotonic */
};
bool	log_pace_admit(struct log_pace *, uint64_t every_us);

/* Since the start: lines that were lost, for nobody read them or there was no room for them, and
 * those that were folded into the next of their kind. */
struct log_counts {
	uint64_t	lost, folded;
};
void	log_counts(struct log_counts *);

/* A whole line already in JSON (the access log); the newline is added here. */
void	log_line(const struct buf *json);

#endif
