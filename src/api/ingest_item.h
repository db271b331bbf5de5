/* SPDX-License-Identifier: MIT */
/*
 * ingest_item: one document of POST /ingest, from what its request says of it. Pure but for the ids
 * it makes; strings are in the arena. Private to the readers of bodies and the work on them.
 */
#ifndef API_INGEST_ITEM_H
#define API_INGEST_ITEM_H

#include "api/ingest_body.h"

#define INGEST_METADATA_MAX	(16u << 10)	/* bytes of JSON */

/* What a request says of each of its documents; p NULL where it does not. */
struct ingest_form {
	struct slice	document_id;
	struct slice	title;
	struct slice	metadata;	/* JSON text */
	struct slice	password;
	struct slice	expires_at;
	struct slice	language;
	struct slice	if_new;		/* "1" or "true"; "0", "false" or "" */
};

/* What the URL says, which the body's own fields may say again. */
struct ingest_form	 ingest_form_of(const struct ingest_head *);
/* One document more: its type, its id, its names, its digest. False with err set, as
 * ingest_body_read() says. */
bool		 ingest_item_add(struct ingest_items *, const struct ingest_form *,
		    struct slice bytes, struct slice declared, struct slice file_name,
		    struct arena *, struct err *);
/* Gives a document without a title its text's first heading or line. False without memory. */
bool		 ingest_item_entitle(struct ingest_item *, struct slice text, struct arena *,
		    struct err *);
/* Whether the stored document has these bytes, and would have the same text: a PDF's bytes that are
 * called text now are another document. */
bool		 ingest_item_is(const struct ingest_item *, const struct document *stored);
/* The item's document becomes the stored one, but for what the sender says of it anew. Whether
 * anything is. Strings of the stored one are borrowed. */
bool		 ingest_item_merge(struct ingest_item *, const struct document *stored);
/* NULL with err set when the arena gives nothing. */
const char	*ingest_field_copy(struct arena *, struct slice, struct err *);
/* Why an arena gave nothing: no memory is ours (503), its ceiling is the body's (413). The first
 * reason set is kept. Always false, to be returned. */
bool		 ingest_fields_too_large(const struct arena *, struct err *);

#endif
