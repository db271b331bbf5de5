/* SPDX-License-Identifier: MIT */
/*
 * extract: the text of a document. A PDF is parsed in a sandboxed process of its own
 * (src/extract/).
 */
#ifndef TENANTGATE_RETRIEVAL_EXTRACT_H
#define TENANTGATE_RETRIEVAL_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/base/spool.h"
#include "tenantgate/loop/flow.h"
#include "tenantgate/loop/share.h"

struct extract_conf {
	const char	*program;	/* path of tenantgate-extract */
	size_t		 text_max;	/* bytes of text in all */
	unsigned	 pages_max;
	uint64_t	 timeout_us;	/* wall clock, and (rounded up) CPU */
	size_t		 memory_max;	/* bytes of the parser's address space */
	unsigned	 parallel_max;	/* parsers at a time, whole process, and one; others wait */
};
void	extract_conf_init(struct extract_conf *);

/* parallel_max places, for all workers, and one more that is kept for a tenant that has no parser
 * running: a document that was made to take long takes all of its time. Of those who wait the
 * tenant that has least is next. One wait takes timeout_us at most. share_close() it. */
struct share_budget	*extract_parsers_open(const struct extract_conf *);
/* Another wait, of those who come from now on; parallel_max stays. */
void			 extract_parsers_configure(struct share_budget *,
			    const struct extract_conf *);

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

/* A document. All is borrowed. */
struct extract_in {
	const char		*mime;		/* a row of the formats */
	struct slice		 body;
	struct slice		 charset;	/* that its sender declared; p NULL: none */
	const char		*password;	/* of a PDF; NULL: none */
	/* The body is in the mapping of a spool, which may go before the text: that is copied. */
	bool			 is_mapped;
	/* That spool, when it has nothing else; NULL: a reader that is a process is sent the
	 * body. */
	const struct spool	*file;
};

/* The reader of the document's format is run, where it is a process; what it has written goes to
 * extract_read(), which does the rest. *why says what became of it, or ERR_NONE; the flow goes on
 * either way: ERR_PDF_ENCRYPTED, ERR_PDF_PASSWORD, ERR_PDF_BROKEN, ERR_DOC_EMPTY, ERR_DOC_LIMIT,
 * ERR_MEDIA_TYPE; with ERR_EXTRACT when the extractor is at fault, which is logged; with
 * ERR_OVERLOADED without memory or a free parser. What the document and the tenant's id point to is
 * borrowed until the wait is over. *out is set at once; extract_free() it in any case. */
enum flow_rc	extract_run(struct flow *, const struct extract_conf *,
		    struct share_budget *parsers, struct slice tenant, const struct extract_in *,
		    struct extract_out *, struct err *why)
		    __attribute__((warn_unused_result));
/* Makes what extract_run() has left, or the body where that is the text, UTF-8 that is clean
 * (retrieval/text.h), and cuts it into pages; of a body in memory that is so they are ranges. Pure,
 * any thread; some passes over up to text_max bytes, so large ones belong on a helper
 * (loop/offload.h). False with err set: ERR_PDF_BROKEN (no charset fits), ERR_DOC_EMPTY,
 * ERR_PDF_NO_TEXT, ERR_DOC_LIMIT; ERR_OVERLOADED without memory. */
bool		extract_read(const struct extract_conf *, const struct extract_in *, struct arena *,
		    struct extract_out *, struct err *)
		    __attribute__((warn_unused_result));
/* The bytes of memory that extract_read() takes for the text of a body: 0 where it stays where it
 * is. Pure, a pass over the body. */
size_t		extract_text_bytes(const struct extract_conf *, const struct extract_in *);
void		extract_free(struct extract_out *);	/* idempotent */

#endif
