/* SPDX-License-Identifier: MIT */
/*
 * admin_audit: the change that a request of the admin door makes, and its line in the log (event
 * admin.audit): which key, from where, what, of whom, from what to what, with what outcome.
 *
 *	          begin                  done			at the request's end:
 *	[none] ----------> [started] ------------> [done]	"done"
 *	   |                |  |   |  refused
 *	   |                |  |   +-------------> [refused]	"failed", and the code
 *	   |                |  |       doubt
 *	   |                |  +-----------------> [doubted]	"unknown"
 *	   +--------------->+--------------------> [nothing]	no line
 *	          nothing
 *
 * What always holds:
 *  - A change is noted before the first statement or call that could make it is started. The line
 *    is written by admin_end(), so whatever ends the handler's flow (a client that leaves, a
 *    deadline, a shutdown) writes it, once. A process that is killed writes none.
 *  - What is still [started] then was made, if the request succeeded; else it failed, if the error
 *    says that of it, or is "unknown": somebody left while it was under way, or an answer was lost.
 *  - A request that succeeds on a route that changes something, and has noted no change, nor that
 *    there was nothing to change, has a line of its route all the same.
 *  - A dry run has none, whatever its handler notes.
 *
 * Values are JSON as the door tells them, without secrets. All on the request's worker.
 */
#ifndef ADMIN_AUDIT_H
#define ADMIN_AUDIT_H

#include <jansson.h>

#include "tenantgate/base/err.h"
#include "tenantgate/base/id.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/wire/pg.h"

struct admin_request;

enum admin_change_phase {
	CHANGE_NONE,
	CHANGE_STARTED,
	CHANGE_DONE,
	CHANGE_REFUSED,
	CHANGE_DOUBTED,
	CHANGE_NOTHING,
};

struct admin_change {
	enum admin_change_phase	 phase;
	char			 tenant[TENANT_ID_MAX + 1];	/* "": it is no tenant's */
	json_t			*before, *after;		/* owned; NULL: nothing to tell */
};

/* Before the change is started. before and after (as it is to be) are taken over, and may be NULL,
 * as tenant. The line of one that is done is written now; any other that was noted was none, for
 * its handler has looked since and begins anew. The route must name an action, or this aborts. */
void	admin_change_begin(struct admin_request *, const char *tenant, json_t *before,
	    json_t *after);
/* What is known better of it by now. Taken over. Without effect when none is noted. */
void	admin_change_tell(struct admin_request *, json_t *after);
bool	admin_change_is_noted(const struct admin_request *);
void	admin_change_done(struct admin_request *);
/* It was made, and taken back: by the error with which the request ends. */
void	admin_change_refused(struct admin_request *);
/* It may have been made: an answer was lost. */
void	admin_change_doubt(struct admin_request *);
/* There was nothing to change, or nothing that was begun has changed anything. */
void	admin_change_nothing(struct admin_request *);

/* The check of the statement that makes the change: done, refused, never sent, or, when its answer
 * was lost, left open. Else as catalog_check(). */
enum flow_rc	admin_change_check(struct flow *, const struct pg_result *, const char *what)
		    __attribute__((warn_unused_result));
/* The same for one that has found other rows than it was to change: it has changed nothing, unless
 * it was run twice, by catalog_run(), and had done so the first time. */
void	admin_change_missed(struct admin_request *, const struct pg_result *);

/* admin_end()'s: writes the line. */
void	admin_change_end(struct admin_request *, const struct err *);

#endif
