/* SPDX-License-Identifier: MIT */
/*
 * ingest_report: what POST /ingest tells its caller: the documents as JSON at the end, or, when
 * text/event-stream is accepted, progress as it goes and each document as it is ready.
 */
#ifndef API_INGEST_REPORT_H
#define API_INGEST_REPORT_H

#include "api/request.h"

struct ingest_report {
	struct http_exchange	*x;		/* borrowed */
	const char		*request_id;	/* borrowed */
	bool			 events;	/* the caller accepts text/event-stream */
	bool			 several;	/* {"documents":[...]}, else {"document":...} */
	bool			 created;	/* 201 rather than 200 */
	struct buf		 documents;	/* owned: the objects so far, comma-separated */
};

void	ingest_report_init(struct ingest_report *, struct http_exchange *, const char *request_id);
void	ingest_report_free(struct ingest_report *);
/* The stream's header, when events were asked for. */
void	ingest_report_begin(struct ingest_report *);
/* stage: "extract", "chunk", "embed", "store". */
void	ingest_report_progress(struct ingest_report *, const char *stage, size_t done,
	    size_t total);
void	ingest_report_document(struct ingest_report *, const struct document *, bool created);
/* The whole answer, or the end of the events. False when it grew past its ceiling. */
bool	ingest_report_finish(struct ingest_report *);
/* A failure after the stream's header has left. */
void	ingest_report_error(struct ingest_report *, const struct err *);

#endif
