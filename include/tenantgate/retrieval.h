/* SPDX-License-Identifier: MIT */
/*
 * retrieval: from a document to chunks with vectors, and from a question to the chunks that
 * matter. extract -> chunk -> (model) -> store; (model) -> search -> prompt.
 *
 * Chunk, prompt and format functions are pure. The rest are operations of a flow on its worker.
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
#include "tenantgate/wire/pg.h"

/* ---- formats: what a document may be; a row each in formats.c ---- */
enum chunk_separators { CHUNK_TEXT, CHUNK_MARKDOWN };

enum document_reader {
	READER_TEXT,		/* UTF-8, checked and taken as it is */
	READER_PDFTOTEXT,	/* by tenantgate-extract */
};

struct document_format {
	const char		*media_type;	/* as it is stored and answered */
	const char *const	*aliases;	/* other media types that mean it, NULL-ended */
	const char *const	*suffixes;	/* of file names, with the dot, NULL-ended */
	struct slice		 magic;		/* len 0: it has none */
	size_t			 magic_within;	/* it lies within that many first bytes */
	enum chunk_separators	 separators;
	enum document_reader	 reader;
	bool			 has_pages;	/* false: one text without a page number */
};

/* What the bytes are: the declared type (parameters cut), or told by magic, then by file name, when
 * it is absent or application/octet-stream. Static rows; NULL when it is none of ours. */
const struct document_format	*format_detect(struct slice declared, struct slice file_name,
				    struct slice body);
/* The row of a media_type as it is stored; NULL for any other text, and for NULL. */
const struct document_format	*format_find(const char *media_type);
/* The rows in turn; NULL past the last. */
const struct document_format	*format_at(size_t);
/* ERR_MEDIA_TYPE, with the list of what is taken. */
void				 format_refuse(struct err *);

/* ---- extract: a stranger's bytes are parsed in a caged process of their own ---- */
struct extract_conf {
	const char	*program;	/* path of tenantgate-extract */
	size_t		 text_max;	/* bytes of text in all */
	unsigned	 pages_max;
	uint64_t	 timeout_us;	/* wall clock; CPU and memory limits are the cage's */
	size_t		 memory_max;	/* bytes of address space */
	unsigned	 parallel_max;	/* parsers at a time in the whole process; others wait */
};
void	extract_conf_init(struct extract_conf *);

/* What tenantgate-extract itself exits with; below them are pdftotext's. */
enum extract_exit {
	EXTRACT_EXIT_USAGE = 64,
	EXTRACT_EXIT_NO_PROGRAM,	/* pdftotext is not there, or does not start */
	EXTRACT_EXIT_SANDBOX,		/* the cage could not be closed: nothing was parsed */
	EXTRACT_EXIT_INPUT,		/* the document could not be read */
	EXTRACT_EXIT_LARGE,		/* it is past --input-max */
};

struct page_text {
	unsigned	number;		/* 1.. */
	struct slice	text;		/* into extract_out.text; UTF-8 without NUL */
};

struct extract_out {
	struct buf		 text;		/* owned: extract_free() */
	struct page_text	*pages;		/* arena; none for pages without text */
	unsigned		 page_count;	/* in the array */
	unsigned		 pages_in_all;	/* of the document; 0 where the format has none */
};

/* By the reader of the format that `mime` names. Fails with ERR_PDF_ENCRYPTED, ERR_PDF_BROKEN,
 * ERR_DOC_EMPTY, ERR_PDF_NO_TEXT, ERR_DOC_LIMIT, ERR_MEDIA_TYPE, ERR_EXTRACT. body is borrowed
 * until the wait is over. */
enum flow_rc	extract_run(struct flow *, const struct extract_conf *, const char *mime,
		    struct slice body, struct extract_out *) __attribute__((warn_unused_result));
void		extract_free(struct extract_out *);	/* idempotent */

/* ---- chunk: exactly as LangChain's RecursiveCharacterTextSplitter cuts ---- */
struct chunk {
	unsigned	index;		/* in the document, 0.. */
	unsigned	page;		/* 1..; 0 where there are none */
	struct slice	content;	/* a range of the page's text */
};

struct chunk_list {
	struct chunk	*items;		/* owned: chunk_free() */
	size_t		 count;
	size_t		 cap;
	size_t		 max;		/* ceiling for count */
};

/* Sizes in UTF-16 units, as JavaScript counts. Appends; false past list->max (then the count is
 * max), or without memory. */
bool	chunk_split(struct slice text, unsigned page, enum chunk_separators, unsigned size,
	    unsigned overlap, struct chunk_list *);
void	chunk_free(struct chunk_list *);

/* ---- store and search: the tenant's database ---- */
/* What provisioning runs in a new tenant database, one statement an entry, NULL-ended, each
 * harmless when repeated; `dimensions` is put in by the caller of retrieval_schema(). */
const char *const	*retrieval_schema(struct arena *, unsigned dimensions);
#define RETRIEVAL_SCHEMA_VERSION 1

struct document {
	const char	*id;		/* 1..DOCUMENT_ID_MAX bytes */
	const char	*title;		/* may be "" */
	const char	*file_name;	/* may be "" */
	const char	*mime_type;
	const char	*metadata;	/* JSON object text */
	const char	*sha256;	/* hex, of the original bytes */
	uint64_t	 bytes;
	unsigned	 pages;
	unsigned	 chunks;
	const char	*created_at;	/* RFC 3339, filled by store and find */
};

/* The document of that id in the tenant's database; *found false when there is none. Strings in
 * the flow's arena. */
enum flow_rc	store_find(struct flow *, struct pg_conn *, const char *id, struct document *,
		    bool *found) __attribute__((warn_unused_result));
/* Document and chunks in one transaction, the old chunks of that id replaced; vectors:
 * chunks->count * dimensions floats, sent by binary COPY. Fails with ERR_DATABASE, and then
 * nothing changed. */
enum flow_rc	store_document(struct flow *, struct pg_conn *, struct document *,
		    const struct chunk_list *, const float *vectors, unsigned dimensions)
		    __attribute__((warn_unused_result));

struct hit {
	const char	*document_id;
	const char	*title;
	const char	*file_name;
	const char	*mime_type;
	unsigned	 page;		/* 0: none */
	unsigned	 index;
	struct slice	 content;
	double		 score;		/* cosine similarity, 1 best */
};

struct hits {
	struct hit	*items;		/* arena */
	unsigned	 count;
};

#define SEARCH_K_MAX		50
#define SEARCH_DOCUMENTS_MAX	64

/* The k nearest chunks, of the given documents (exact) or of all (HNSW). */
enum flow_rc	search_chunks(struct flow *, struct pg_conn *, const float *query,
		    unsigned dimensions, const char *const *document_ids, unsigned document_count,
		    unsigned k, struct hits *) __attribute__((warn_unused_result));

/* ---- the catalog's list of documents ---- */
/* Intent before anything is stored, then the outcome. Tenant is part of every key. */
enum flow_rc	documents_begin(struct flow *, struct catalog *, const char *tenant,
		    const struct document *) __attribute__((warn_unused_result));
enum flow_rc	documents_ready(struct flow *, struct catalog *, const char *tenant,
		    const struct document *) __attribute__((warn_unused_result));
/* Takes the intent back, when nothing was stored; restores 'ready' for a replaced document. Runs
 * behind an answer: logs its own failure. */
void		documents_undo(struct worker *, struct catalog *, const char *tenant,
		    const char *document_id);

/* Rows that have been 'ingesting' for `stale_us` or longer (of one document, unless `only` is "")
 * become what the tenant's database says. Runs behind an answer, with copies of all it is given. */
void		documents_reconcile(struct worker *, struct catalog *, struct pools *,
		    const struct pool_target *, const char *tenant, const char *only,
		    uint64_t stale_us);

/* ---- prompt ---- */
/* The system message with the passages, numbered, fenced as data. Ceiling by out->max. */
bool	prompt_build(const struct hits *, struct buf *out);

#endif
