/* SPDX-License-Identifier: MIT */
/*
 * ingest_body: which documents POST /ingest brings: multipart/form-data, a raw body with its
 * Content-Type, or JSON with the text. Pure but for the arena; document bytes are ranges of the
 * body (of the arena for JSON).
 */
#ifndef API_INGEST_BODY_H
#define API_INGEST_BODY_H

#include "api/multipart.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/retrieval.h"

#define INGEST_FILES_MAX	16

struct ingest_item {
	struct slice	bytes;
	/* id, title, file_name, mime_type, metadata, sha256 and bytes are filled in */
	struct document	document;
};

struct ingest_items {
	struct ingest_item	items[INGEST_FILES_MAX];
	unsigned		count;
};

/* What the request said outside its body; p NULL where it did not. */
struct ingest_head {
	struct slice	content_type;
	struct slice	document_id;	/* of the query string */
	struct slice	title;
	struct slice	file_name;
};

/* False with err naming the field. Ids that were not given are made. */
bool	ingest_body_read(const struct ingest_head *, struct slice body, struct arena *,
	    struct ingest_items *, struct err *);

#endif
