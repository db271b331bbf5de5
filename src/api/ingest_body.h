/* SPDX-License-Identifier: MIT */
/*
 * ingest_body: which documents POST /ingest brings: multipart/form-data, a raw body with its
 * Content-Type, or JSON with the text. Pure but for the ids it makes, and for what it decodes of a
 * body on the disk; strings are in the arena, document bytes are ranges of the body (for JSON, of
 * the arena or of what was decoded), which must outlive the items.
 */
#ifndef API_INGEST_BODY_H
#define API_INGEST_BODY_H

#include "api/multipart.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/id.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/base/spool.h"
#include "tenantgate/retrieval.h"

#define INGEST_FILES_MAX	16	/* of one form */

struct ingest_item {
	struct slice	bytes;
	struct slice	charset;	/* that was declared; p NULL: none */
	const char	*password;	/* of a PDF; NULL: none. Never logged, never stored */
	/* id, title, file_name, mime_type, metadata, sha256 and bytes are filled in; pages, chunks
	 * and created_at are known later */
	struct document	document;
	bool		has_title;	/* the sender gave one, and did not leave it to the name */
	bool		has_expiry;
	bool		has_language;	/* the sender gave one; else the plan's holds */
	enum language	language;	/* of its words */
	bool		has_metadata;
	bool		if_new;		/* not when the same bytes are stored already */
	struct err	err;		/* why it is refused, where its request has other files */
	size_t		text_bytes;	/* of memory that its text will take, besides `bytes` */
};

struct ingest_items {
	struct ingest_item	items[INGEST_FILES_MAX];
	unsigned		count;
	bool			copied;		/* out of the body, which may go */
	bool			is_mapped;	/* they are in mappings of files (base/spool.h) */
};

struct ingest_source {
	char			*body;	/* borrowed, and rewritten: a form's names are decoded where
					 * they are, and what it has in base64, too */
	size_t			 len;
	/* The body is a mapping: what it has in base64, or as a text of JSON, is added to this
	 * file, for the caller to close after the items. NULL: it is in memory. */
	struct spool		*decoded;
	multipart_sink_fn		*add;		/* to that file */
	void			*arg;		/* of add() */
};

/* What the request has outside its body; p NULL where it has not. */
struct ingest_head {
	char		*tenant;	/* that it is for: TENANT_ID_MAX + 1 bytes */
	struct slice	content_type;
	struct slice	document_id;	/* of the query string, as all below */
	struct slice	title;
	struct slice	file_name;	/* of a raw body; a form's files have their own */
	struct slice	password;
	struct slice	expires_at;
	struct slice	language;
	struct slice	if_new;
};

/* False with err naming the field: ERR_INVALID_FIELD, ERR_INVALID_JSON, ERR_BAD_REQUEST (the form),
 * ERR_MEDIA_TYPE, ERR_DOC_EMPTY, ERR_TOO_LARGE (the arena is full), ERR_OVERLOADED (no memory, no
 * disk). A document without an id gets a random one. */
bool	ingest_body_read(const struct ingest_head *, const struct ingest_source *, struct arena *,
	    struct ingest_items *, struct err *);
bool	ingest_body_is_json(struct slice content_type);
/* Whether every '%' is followed by two hexadecimal digits (RFC 3986, 2.1), none is NUL, and none of
 * our parameters is there twice. http_query_get() has nothing for a value that cannot be decoded,
 * and a misspelt documentId would be taken for none: the document would get a new id instead of
 * replacing the old one. False with err set: ERR_BAD_REQUEST, ERR_INVALID_FIELD. */
bool	ingest_query_check(struct slice query, struct err *);
/* The first two of these alone, which hold for any route. */
bool	ingest_query_decodes(struct slice query, struct err *);

#endif
