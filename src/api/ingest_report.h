/* SPDX-License-Identifier: MIT */
/*
 * ingest_report: the response of POST /ingest: the documents as JSON at the end, or, when
 * text/event-stream is accepted, progress as it goes and each document as it is ready.
 *
 *	ingest_report_init, _begin, (_file, _progress ..., _item) ...,
 *	then _finish or _error; _free
 *
 * As JSON nothing leaves before _finish, so a failure before it still has its own status. As events
 * the status 200 leaves in _begin, and a failure after it is an event.
 */
#ifndef API_INGEST_REPORT_H
#define API_INGEST_REPORT_H

#include "api/ingest_body.h"
#include "api/request.h"

struct ingest_report {
	struct http_exchange	*x;		/* borrowed */
	const char		*request_id;	/* borrowed: the request's */
	bool			 events;	/* the caller accepts text/event-stream */
	unsigned		 count;		/* of files; 0 before _begin */
	unsigned		 at;		/* index of the file under way */
	const char		*names[INGEST_FILES_MAX];	/* arena of the flow */
	struct err		 first;		/* of the refusals */
	size_t			 told;		/* chunks, of the last event of "store" */
	bool			 created;	/* a document was stored: 201 rather than 200 */
	struct buf		 documents;	/* owned: the objects so far, comma-separated */
	struct buf		 errors;	/* owned: the same of files that were refused */
};

void	ingest_report_init(struct ingest_report *, struct http_exchange *, const char *request_id);
void	ingest_report_free(struct ingest_report *);
/* The stream's header, when events were asked for; else nothing. The files' names are copied. False
 * without memory. */
bool	ingest_report_begin(struct ingest_report *, const struct ingest_items *, struct arena *);
/* The next file's turn: an event, where there are several. */
void	ingest_report_file(struct ingest_report *);
/* One event. stage: "extract", "chunk", "embed", "store"; done and total in its own units. */
void	ingest_report_progress(struct ingest_report *, const char *stage, size_t done,
	    size_t total);
/* The same of the stage "store", about twenty times in all: so many chunks of `all` were sent. */
void	ingest_report_sent(struct ingest_report *, size_t chunks, size_t all);
/* One file is done: stored, `created` when that was now and it was not there already; or, of
 * several, refused, and the others go on. */
void	ingest_report_item(struct ingest_report *, const struct ingest_item *, bool created);
/* The request fails while some of its files are stored: the response says of each what became of
 * it, those not reported yet having failed with err. Nothing is sent as events, or when none is
 * stored: then err is the whole response. */
void	ingest_report_rest(struct ingest_report *, const struct err *);
/* The whole response, or the end of the events: one status for all files, or 207 (RFC 4918, 11.1)
 * where some are stored and some are not; where none is, a problem with the first one's status.
 * False when it grew past its ceiling, or there is no memory for it: then nothing was sent. */
bool	ingest_report_finish(struct ingest_report *);
/* A failure after the stream's header has left: a problem object (RFC 9457) as an event, and the
 * end. */
void	ingest_report_error(struct ingest_report *, const struct err *);

#endif
