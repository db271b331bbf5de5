/* SPDX-License-Identifier: MIT */
/*
 * retrieval: from a document to chunks with vectors, and from a question to such chunks.
 *
 *	POST /ingest: extract --> chunk --> (model: embed) --> store
 *	POST /chat: (model: embed) --> search --> prompt --> (model: chat)
 *
 * Chunk and format functions are pure, and so is the prompt but for its random word. The rest are
 * operations of a flow on its worker: they fail the flow with the codes named here, and borrow what
 * they are given until the wait is over. The model is called by the handlers, in api/.
 */
#ifndef TENANTGATE_RETRIEVAL_H
#define TENANTGATE_RETRIEVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/catalog.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/retrieval/extract.h"
#include "tenantgate/retrieval/search.h"
#include "tenantgate/retrieval/staging.h"
#include "tenantgate/retrieval/vector_model.h"
#include "tenantgate/tenant.h"
#include "tenantgate/wire/pg.h"
#include "tenantgate/base/language.h"

/* ---- formats: what a document may be; a row each in formats.c ---- */
/* Where the splitter prefers to cut: the lists of LangChain's splitters of these names. */
enum chunk_separators { CHUNK_TEXT, CHUNK_MARKDOWN };

enum document_reader {
	READER_TEXT,		/* of any charset; UTF-8 is taken as it is */
	READER_PDFTOTEXT,	/* by tenantgate-extract */
};

struct document_format {
	const char		*media_type;	/* as it is stored and sent in responses */
	const char *const	*aliases;	/* other media types that mean it, NULL-ended */
	const char *const	*suffixes;	/* of file names, with the dot, NULL-ended */
	struct slice		 magic;		/* bytes that identify it; len 0: it has none */
	size_t			 magic_within;	/* the magic lies within that many first bytes */
	enum chunk_separators	 separators;
	enum document_reader	 reader;
	bool			 has_pages;	/* false: one text without a page number */
};

/* What the bytes are: the declared type (parameters cut); where it is absent or
 * application/octet-stream, by magic, then by the file's suffix. Static rows; NULL when none
 * fits. */
const struct document_format	*format_detect(struct slice declared, struct slice file_name,
				    struct slice body);
/* The row of a media_type as it is stored; NULL for any other text, and for NULL. */
const struct document_format	*format_find(const char *media_type);
/* The rows in turn; NULL past the last. For tests. */
const struct document_format	*format_at(size_t);
/* Sets ERR_MEDIA_TYPE, with the list of the media types that are accepted. */
void				 format_refuse(struct err *);

/* ---- chunk: exactly as LangChain's RecursiveCharacterTextSplitter cuts ---- */
struct chunk {
	unsigned	index;		/* in the document, 0.. */
	unsigned	page;		/* 1..; 0 where there are none */
	struct slice	content;	/* a range of the page's text: borrowed */
};

struct chunk_list {
	struct chunk	*items;		/* owned: chunk_free() */
	size_t		 count;
	size_t		 cap;		/* of items */
	size_t		 max;		/* ceiling for count */
};

/* Sizes in UTF-16 units, as JavaScript counts; overlap < size. Appends to the list; false past
 * list->max (then the count is max), or without memory (then it is less). */
bool	chunk_split(struct slice text, unsigned page, enum chunk_separators, unsigned size,
	    unsigned overlap, struct chunk_list *);
void	chunk_free(struct chunk_list *);

/* ---- store: the tenant's database; search.h looks into it ---- */
/* What provisioning runs in a new tenant's database, one statement an entry, NULL-ended, each
 * harmless when repeated; `dimensions`: of the model's vectors, fixed by the column's type from
 * then on. In the arena; NULL when it is full. */
const char *const	*retrieval_schema(struct arena *, unsigned dimensions);
/* How databases of earlier versions become as that. Static. */
const struct tenant_schema_step *retrieval_schema_steps(size_t *count);
#define RETRIEVAL_SCHEMA_VERSION 6
#define RETRIEVAL_SCHEMA_OWNERS	 2 /* the version from which document has owner_id, expires_at */
#define RETRIEVAL_SCHEMA_TAIL	 3 /* from which chunk has tail and hash, and retrieval is there */
#define RETRIEVAL_SCHEMA_PLACES	 4 /* from which words are staged, too (retrieval/staging.h) */
#define RETRIEVAL_SCHEMA_SKETCHES 5 /* from which the tail has sketches */

/* A row of the tenant's `document`. Strings are borrowed: whoever fills one in says where they
 * live. Owner and time are there from RETRIEVAL_SCHEMA_OWNERS on, of what was stored since; else
 * the catalog's list alone has them: they are read as NULL, and not written. */
struct document {
	const char	*id;		/* 1..DOCUMENT_ID_MAX bytes */
	const char	*title;		/* may be "" */
	const char	*file_name;	/* may be "" */
	const char	*mime_type;
	const char	*owner;		/* the user's id; "" nobody's; NULL as the row has it */
	const char	*metadata;	/* JSON object text */
	const char	*sha256;	/* hex, of the original bytes */
	uint64_t	 bytes;		/* of the original */
	unsigned	 pages;		/* 0 where the format has none */
	unsigned	 chunks;
	const char	*created_at;	/* RFC 3339, filled by store and find */
	/* RFC 3339; "" never; NULL as the row has it: what is said, and what is listed. */
	const char	*expires_at;
	const char	*stored_expires_at;	/* as it is read; NULL: not there */
	unsigned	 warnings;	/* enum extract_warning; told to the sender, not stored */
};

/* schema_version: of the tenant's record. A database that is older fails with ERR_OUTDATED. */
/* The document of that id in the tenant's database; *found false when there is none. Strings in the
 * flow's arena. The lease may be exchanged (pool_read). Fails as pg_check() and pool_read() do. */
enum flow_rc	store_find(struct flow *, struct pool_lease *, int schema_version, const char *id,
		    struct document *, bool *found) __attribute__((warn_unused_result));
/* Title, file name, type, metadata and expires_at of the document of that id and digest, whose
 * chunks stay as they are; a time that is not given and over goes. *found false when it is gone, or
 * of other bytes now, or not this owner's (NULL: whoever's). Fails as pg_check() does. */
enum flow_rc	store_describe(struct flow *, struct pool_lease *, int schema_version,
		    const char *owner, struct document *, bool *found)
		    __attribute__((warn_unused_result));
/* All of a document's chunks with their vectors, or what chunks_stage() has put aside. */
struct store_chunks {
	const struct chunk_rows	*rows;		/* NULL: they are staged */
	const char		*attempt;	/* whose staged rows they are */
	int			 schema_version; /* of the database, at least */
	struct vector_model	 model;		/* that made their vectors; no name: not compared */
	const bool		*is_normalized;	/* of staged ones; NULL: it is not known */
	enum language	 language;	/* of their words */
	bool		 has_words;	/* chunks_stage_words() has put all of them aside, too */
	const char	*in_place_of;	/* of whose documents alone; NULL: of anybody's */
};
/* Document and chunks in one transaction, the old chunks of that id replaced; there are d->chunks
 * of them, sent by binary COPY or moved inside the database. Fills d->created_at,
 * d->stored_expires_at, and d->owner, which stays whose it was. A connection that is dead at its
 * first statement is exchanged. Fails as pg_check() and pool_read(), with ERR_VECTORS, ERR_CONFLICT
 * (the id is another's), ERR_DATABASE_AWAY (staged rows are gone): then nothing changed, unless the
 * connection was lost during the commit, and only the database knows. */
enum flow_rc	store_document(struct flow *, struct pool_lease *, struct document *,
		    const struct store_chunks *, store_progress_fn *, void *arg)
		    __attribute__((warn_unused_result));

/* ---- the catalog's list of documents ---- */
/* How much a tenant may have stored; 0: as much as it likes. */
struct document_quota {
	uint64_t	max_documents;
	uint64_t	max_bytes;	/* of the originals together */
};

enum document_admission { DOCUMENT_ADMITTED, DOCUMENT_TOO_MANY, DOCUMENT_STORAGE_FULL,
	DOCUMENT_IS_STORED, DOCUMENT_BEING_STORED, DOCUMENT_ANOTHERS };

/* On which terms a document may be stored. */
struct document_terms {
	struct document_quota	quota;
	bool			if_new;		/* not when its owner has the same bytes already */
	bool			own_only;	/* not in place of one that is not its owner's */
	enum document_admission	admission;	/* what documents_begin() has found */
};
/* Sets why it is not admitted: ERR_TOO_MANY_DOCUMENTS, ERR_STORAGE_FULL, or ERR_CONFLICT: the same
 * bytes are being stored, the id is another's. Nothing for one that is stored. */
void		document_terms_refuse(const struct document_terms *, struct err *);

/* The tenant's document that has the digest and the owner of `wanted`, and is ready: of several the
 * one of its id, or else the oldest. Strings are in the flow's arena. Fails as catalog_check(). */
enum flow_rc	documents_find_equal(struct flow *, struct catalog *, const char *tenant,
		    const struct document *wanted, struct document *found, bool *is_found)
		    __attribute__((warn_unused_result));

/* Intent before anything is stored, then the outcome. On terms (NULL: none) it is written only when
 * they hold, whatever other requests and replicas write at the same time: then the admission says
 * DOCUMENT_ADMITTED, else no row is changed. What is there, or on its way, counts; what has failed
 * or is being deleted does not; a document that is replaced counts once. The tenant is part of
 * every key: an id is one tenant's own. The owner is whoever stored it first, and stays so when it
 * is replaced: the intent fills in whose it is. Fail with ERR_CATALOG; with ERR_CONFLICT and
 * retry_after while the document is being deleted: then it is to be reconciled. */
enum flow_rc	documents_begin(struct flow *, struct catalog *, const char *tenant,
		    struct document *, const char *attempt, struct document_terms *)
		    __attribute__((warn_unused_result));
/* attempt: as in documents_begin(), "" when there was none, for the document was stored before.
 * *in_doubt: somebody else has changed the row meanwhile (it was deleted, or stored once more), and
 * it is to be reconciled. Owner and expires_at become the row's (retrieval/document_owner.h), and
 * then the document's. */
enum flow_rc	documents_ready(struct flow *, struct catalog *, const char *tenant,
		    struct document *, const char *attempt, bool *in_doubt)
		    __attribute__((warn_unused_result));
#define DOCUMENT_ATTEMPT_LEN	20	/* characters of an attempt: random, the ingest's own */
/* Takes the intent back, when nothing was stored; a document that was there before is 'ready'
 * again, another is 'failed' for the given reason, and kept for a day. Runs in the background, with
 * copies of all it is given; logs its own failure. */
void		documents_undo(struct worker *, struct catalog *, const char *tenant,
		    const char *document_id, const char *attempt, const char *reason);

/* A document was refused before there was an intent: listed as 'failed' with the reason, for a day,
 * unless one of its id has not, or, with own_only, is another's. In the background, too. */
void		documents_failed(struct worker *, struct catalog *, const char *tenant,
		    const struct document *, const char *reason, bool own_only);

/* ---- a document's deletion: store_find, mark, store_delete, drop; each may be repeated ---- */
/* What is stored under an id at one time; both "" for nothing. Borrowed until a wait is over. The
 * owner below: whose documents alone there are for the caller; NULL: everybody's. */
struct document_version {
	const char	*sha256;
	const char	*created_at;	/* as in struct document */
};

/* Each as catalog_run(), or pool_read(): *out is for catalog_check() or pg_check(), and the
 * caller's to pg_clear(). The mark has changed no row where the tenant has no such document.
 * store_delete() erases that version alone; store_has_another() tells, of its PG_OK result, whether
 * another has taken its place. Then documents_drop() keeps the row, which is to be reconciled. */
enum flow_rc	documents_mark(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const char *owner, const struct document_version *, struct pg_result *out)
		    __attribute__((warn_unused_result));
/* The row that names `erased` names `next` now, which has taken its place; none is changed where it
 * names another, or the deletion has ended. As documents_mark(). */
enum flow_rc	documents_mark_next(struct flow *, struct catalog *, const char *tenant,
		    const char *id, const struct document_version *erased,
		    const struct document_version *next, struct pg_result *out)
		    __attribute__((warn_unused_result));
enum flow_rc	store_delete(struct flow *, struct pool_lease *, const char *id,
		    const struct document_version *, struct pg_result *out)
		    __attribute__((warn_unused_result));
bool		store_has_another(const struct pg_result *);
enum flow_rc	documents_drop(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const struct document_version *, bool has_another, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* ---- a document's change: claim, store_change, store_find, ready ---- */
struct document_change {
	const char	*title;		/* each NULL where it stays */
	const char	*file_name;
	const char	*metadata;	/* JSON object text */
	const char	*expires_at;	/* as in struct document */
};

enum document_claim { DOCUMENT_ABSENT, DOCUMENT_BUSY, DOCUMENT_CLAIMED };

/* The row is the attempt's when it was 'ready'. As documents_mark(); of a PG_OK result tells: */
enum flow_rc	documents_claim(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const char *owner, const char *attempt, struct pg_result *out)
		    __attribute__((warn_unused_result));
enum document_claim	documents_claimed(const struct pg_result *);
/* No row changed: there is no such document. As pool_read(). An owner: from RETRIEVAL_SCHEMA_OWNERS
 * on; one that is not written passes. */
enum flow_rc	store_change(struct flow *, struct pool_lease *, int schema_version, const char *id,
		    const char *owner, const struct document_change *, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* ---- a document's chunks ---- */
/* Those of the tenant's database past the index `after` (-1: all), in order, at most `limit`:
 * columns chunk_index, page, content, the document's count of chunks, and how many of these the
 * index of vectors covers (null but where all are asked for, from RETRIEVAL_SCHEMA_TAIL on). The
 * content is null where those before it in the page are a mebibyte together. No row: no such
 * document; one with a null index: no more chunks. As pool_read(). owner: as store_change(). */
enum flow_rc	store_chunks(struct flow *, struct pool_lease *, int schema_version, const char *id,
		    const char *owner, int after, unsigned limit, struct pg_result *out)
		    __attribute__((warn_unused_result));

/* ---- what is read of that list ---- */
#define DOCUMENTS_PAGE_MAX	100

/* A row; strings are borrowed from the result it was read of. */
struct listed_document {
	struct document	 document;	/* sha256 "" until it was ready once */
	const char	*status;	/* "ingesting", "ready", "failed" or "deleting" */
	const char	*reason;	/* of a failed one: a sentence; else "" */
	const char	*created_us;	/* its created_at in microseconds since 1970, in decimal */
};

/* A page begins behind the row of these two, which are a listed_document's created_us and id. */
struct documents_page {
	const char	*after_us;	/* "" for the first page */
	const char	*after_id;
	const char	*status;	/* "" for any */
	const char	*owner;		/* NULL for any */
	unsigned	 limit;		/* 1..DOCUMENTS_PAGE_MAX */
};

/* The tenant's documents, newest first (by id where two are as old), from the catalog alone: no
 * tenant's database is asked. *out is cleared first, and the caller's to pg_clear(); it is for
 * catalog_check() before it is read. One row more than the limit is there when another page
 * follows. Borrows all until the wait is over. */
enum flow_rc	documents_list(struct flow *, struct catalog *, const char *tenant,
		    const struct documents_page *, struct pg_result *out)
		    __attribute__((warn_unused_result));
/* One of them; no row where the tenant has none of that id. The same in all else. */
enum flow_rc	documents_get(struct flow *, struct catalog *, const char *tenant, const char *id,
		    const char *owner, struct pg_result *out) __attribute__((warn_unused_result));
/* How many rows there are, and one of them. */
unsigned	documents_count(const struct pg_result *);
void		documents_row(const struct pg_result *, unsigned row, struct listed_document *);
/* Of all pages of documents_list() together. */
uint64_t	documents_total(const struct pg_result *);

/* ---- prompt ---- */
/* Begins the system message with an operator's own words; NULL or "": without effect. False as the
 * next. */
bool	prompt_begin(const char *words, struct buf *out);
/* The system message with the passages, numbered, fenced as data. False when it is past out->max or
 * there is no memory (out->no_memory). */
bool	prompt_build(const struct hits *, struct buf *out);
/* After it: that files came with the user's messages, and are quoted text too; the application's
 * own words, named as such. False as above. */
bool	prompt_add_files(struct buf *out);
bool	prompt_add_application(struct slice words, struct buf *out);

#endif
