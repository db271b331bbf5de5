/* SPDX-License-Identifier: MIT */
/*
 * admin_progress: the response of long work. Whoever accepts application/x-ndjson gets a line of
 * JSON whenever there is something to tell, and the outcome as the last line: an object with
 * "done": true, or a problem (RFC 9457) in "error". Whoever does not gets the outcome alone, when
 * it is there.
 */
#ifndef ADMIN_PROGRESS_H
#define ADMIN_PROGRESS_H

#include "admin/admin_request.h"

/* A line; nothing where nobody wants lines. Takes the json_t over. Never waits; the client's
 * slowness is waited for by admin_progress_flush(). */
void admin_progress_tell(struct admin_request *, json_t *);
enum flow_rc admin_progress_flush(struct flow *) __attribute__((warn_unused_result));
/* The outcome; then FLOW_DONE. Takes the json_t over. */
enum flow_rc admin_progress_done(struct flow *, json_t *) __attribute__((warn_unused_result));
/* At the end of the handler, before admin_end(): a failure that comes after the first line. */
void admin_progress_end(struct admin_request *, const struct err *);

#endif
