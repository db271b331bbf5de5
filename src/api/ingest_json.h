/* SPDX-License-Identifier: MIT */
/*
 * ingest_json: the JSON form of a body of POST /ingest. Of a body on the disk the text goes into a
 * second file, and never lies in memory: what else a document's JSON has is short.
 */
#ifndef API_INGEST_JSON_H
#define API_INGEST_JSON_H

#include "api/ingest_body.h"

#define INGEST_NODES_MAX	10000	/* values, members and elements; metadata has fewer */
#define INGEST_JSON_REST	((size_t)512 << 10)	/* bytes beside the long strings */
#define INGEST_JSON_MEMORY	((size_t)2 << 20)	/* that reading one on the disk takes */

/* As ingest_body_read(). The body may go then. May wait for the disk. */
bool	ingest_json_read(const struct ingest_head *, const struct ingest_source *, struct arena *,
	    struct ingest_items *, struct err *);

#endif
