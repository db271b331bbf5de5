/* SPDX-License-Identifier: MIT */
/*
 * retrieval: from a document to chunks with vectors, and from a question to the chunks that answer
 * it.
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

#include <stdatomic.h>
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
#include "tenantgate/tenant.h"
#include "tenantgate/wire/pg.h"

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

/* ---- extract: the text of a document; a PDF is parsed in a sandboxed process of its own ---- */
struct extract_conf {
	const char	*program;	/* path of tenantgate-extract */
	size_t		 text_max;	/* bytes of text in all */
	unsigned	 pages_max;
	uint64_t	 timeout_us;	/* wall clock, and (rounded up) CPU */
	size_t		 memory_max;	/* bytes of the parser's address space */
	unsigned	 parallel_max;	/* parsers at a time, whole process; others wait */
};
void	extract_conf_init(struct extract_conf *);

/* parallel_max places, for all workers: the tenant that has least parsers running is next. One wait
 * takes timeout_us at most. share_close() it. */
struct share_budget	*extract_parsers_open(const struct extract_conf *);

/* What tenantgate-extract itself exits with; pdftotext's own are below 64. None of these says
 * anything about the document, but for _LARGE: the operator has to look. */
enum extract_exit {
	EXTRACT_EXIT_USAGE = 64,
	EXTRACT_EXIT_NO_PROGRAM,	/* pdftotext is not installed, or does not start */
	EXTRACT_EXIT_SANDBOX,		/* the sandbox is incomplete: nothing was parsed */
	EXTRACT_EXIT_INPUT,		/* the document could not be read */
	EXTRACT_EXIT_LARGE,		/* it is past --input-max */
};

/* A PDF's password is given to tenantgate-extract in its environment; in its arguments other users
 * would see it. The mark stands for it in pdftotext's (src/extract/document_password.c). pdftotext
 * reads so many bytes of it. */
#define EXTRACT_PASSWORD_ENV	"TENANTGATE_DOCUMENT_PASSWORD"
#define EXTRACT_PASSWORD_MARK	"(password)"
#define EXTRACT_PASSWORD_MAX	32

/* What a stored document's sender is told of its text. Bits. */
enum extract_warning {
	EXTRACT_NO_LANGUAGE = 1,	/* letters whose tables are not installed were left out */
	EXTRACT_DAMAGED = 2,		/* the reader found faults */
	EXTRACT_CHARACTERS = 4,		/* some bytes are no characters of the text's charset */
};
/* A sentence for one of them. Static. */
const char	*extract_warning_text(enum extract_warning);

struct page_text {
	unsigned	number;		/* 1..; 0 where the format has no pages */
	struct slice	text;		/* of extract_out.text or the body; UTF-8 without NUL */
};

struct extract_out {
	struct buf		 text;		/* owned: extract_free() */
	struct page_text	*pages;		/* arena; none for pages without text */
	unsigned		 page_count;	/* in the array */
	unsigned		 pages_in_all;	/* of the document; 0 where the format has none */
	unsigned		 warnings;	/* enum extract_warning */
	bool			 has_pictures;	/* looked for only where there is no text */
};

/* The reader of the format that `mime` names is run, where it is a process; what it has written
 * goes to extract_read(), which does the rest. `password` opens a PDF that has one; NULL for none.
 * *why says what became of it, or ERR_NONE; the flow goes on either way: ERR_PDF_ENCRYPTED,
 * ERR_PDF_PASSWORD, ERR_PDF_BROKEN, ERR_DOC_EMPTY, ERR_DOC_LIMIT, ERR_MEDIA_TYPE; with ERR_EXTRACT
 * when the extractor is at fault, which is logged; with ERR_OVERLOADED without memory or a free
 * parser. body, password and the tenant's id are borrowed until the wait is over. *out is set at
 * once; extract_free() it in any case. */
enum flow_rc	extract_run(struct flow *, const struct extract_conf *,
		    struct share_budget *parsers, struct slice tenant, const char *mime,
		    struct slice body, const char *password, struct extract_out *,
		    struct err *why)
		    __attribute__((warn_unused_result));
/* Makes what extract_run() has left, or the body where that is the text, UTF-8 that is clean
 * (retrieval/text.h), and cuts it into pages; of a body that is so they are ranges. `charset` is
 * what the sender declared; p NULL for none. Pure, any thread; some passes over up to text_max
 * bytes, so large ones belong on a helper (loop/offload.h). False with err set: ERR_PDF_BROKEN (no
 * charset fits), ERR_DOC_EMPTY, ERR_PDF_NO_TEXT, ERR_DOC_LIMIT; ERR_OVERLOADED without memory. */
bool		extract_read(const struct extract_conf *, const char *mime, struct slice body,
		    struct slice charset, struct arena *, struct extract_out *, struct err *)
		    __attribute__((warn_unused_result));
/* The bytes of memory that extract_read() takes for the text of a body: 0 where it stays where it
 * is. Pure, a pass over the body. */
size_t		extract_text_bytes(const struct extract_conf *, const char *mime, struct slice body,
		    struct slice charset);
void		extract_free(struct extract_out *);	/* idempotent */

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

/* ---- store and search: the tenant's database ---- */
/* What provisioning runs in a new tenant's database, one statement an entry, NULL-ended, each
 * harmless when repeated; `dimensions`: of the model's vectors, fixed by the column's type from
 * then on. In the arena; NULL when it is full. */
const char *const	*retrieval_schema(struct arena *, unsigned dimensions);
/* How databases of earlier versions become as that. Static. */
const struct tenant_schema_step *retrieval_schema_steps(size_t *count);
#define RETRIEVAL_SCHEMA_VERSION 2
#define RETRIEVAL_SCHEMA_OWNERS	 2 /* the version from which document has owner_id, expires_at */

/* A row of the tenant's `document`. Strings are borrowed: whoever fills one in says where they
 * live. */
struct document {
	const char	*id;		/* 1..DOCUMENT_ID_MAX bytes */
	const char	*title;		/* may be "" */
	const char	*file_name;	/* may be "" */
	const char	*mime_type;
	const char	*owner;		/* the user's id; NULL: nobody's */
	const char	*metadata;	/* JSON object text */
	const char	*sha256;	/* hex, of the original bytes */
	uint64_t	 bytes;		/* of the original */
	unsigned	 pages;		/* 0 where the format has none */
	unsigned	 chunks;
	const char	*created_at;	/* RFC 3339, filled by store and find */
	/* RFC 3339: when it goes by itself; "" never. NULL: as it is, where it is stored
	 * already. In the catalog alone. */
	const char	*expires_at;
	unsigned	 warnings;	/* enum extract_warning; told to the sender, not stored */
};

/* The document of that id in the tenant's database; *found false when there is none. Strings in the
 * flow's arena. The lease may be exchanged (pool_read). Fails as pg_check() and pool_read() do. */
enum flow_rc	store_find(struct flow *, struct pool_lease *, const char *id, struct document *,
		    bool *found) __attribute__((warn_unused_result));
/* Title, file name, type and metadata of the document of that id and digest, whose chunks stay as
 * they are. *found false when it is gone, or of other bytes now. Fails as pg_check() does. */
enum flow_rc	store_describe(struct flow *, struct pool_lease *, const struct document *,
		    bool *found) __attribute__((warn_unused_result));
/* Called as rows go out: so many chunks have been sent. It writes at most, and wakes no flow. */
typedef void	store_progress_fn(void *arg, size_t chunks);
/* Document and chunks in one transaction, the old chunks of that id replaced; vectors: one of
 * `dimensions` floats for each chunk, sent by binary COPY. Fills d->created_at. A connection that
 * is found dead at its first statement is exchanged. Fails as pg_check() and pool_read() do, and
 * then nothing changed, unless the connection was lost during the
 * commit: only the database knows then. */
enum flow_rc	store_document(struct flow *, struct pool_lease *, struct document *,
		    const struct chunk_list *, const float *const *vectors, unsigned dimensions,
		    store_progress_fn *, void *arg) __attribute__((warn_unused_result));

struct hit {
	const char	*document_id;
	const char	*title;
	const char	*file_name;
	const char	*mime_type;
	unsigned	 page;		/* 0: none */
	unsigned	 index;		/* of the chunk in its document */
	struct slice	 content;
	double		 score;		/* cosine similarity, 1 best */
};

struct hits {
	struct hit	*items;		/* arena */
	unsigned	 count;
};

#define SEARCH_K_MAX		50
#define SEARCH_DOCUMENTS_MAX	64

/* The k nearest chunks, nearest first, their strings in the flow's arena. Of the given documents:
 * exact. Of all (no ids): exact up to a few thousand chunks, beyond that by the HNSW index, which
 * may miss some (vector_search.c). The lease may be exchanged (pool_read). Fails as pg_check() and
 * pool_read() do. */
enum flow_rc	search_chunks(struct flow *, struct pool_lease *, const float *query,
		    unsigned dimensions, const char *const *document_ids, unsigned document_count,
		    unsigned k, struct hits *) __attribute__((warn_unused_result));

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

#include "tenantgate/retrieval/documents.h" /* the rest of this door */

#endif
