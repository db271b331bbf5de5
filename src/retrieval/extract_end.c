/* SPDX-License-Identifier: MIT */
/*
 * extract_end: how tenantgate-extract ended: the document's fault, the server's, or well, and what
 * it complained of then.
 */
#define _GNU_SOURCE /* memmem */
#include <signal.h>

#include "retrieval/extract_internal.h"
#include "tenantgate/base/log.h"

static bool
stderr_has(const struct extraction *x, const char *words)
{
	const struct buf *b = &x->result.err;

	return b->len > 0 && memmem(b->data, b->len, words, strlen(words)) != NULL;
}

/* It may be an attack or only a large drawing: nothing shows which. */
static enum flow_rc
extraction_over_limit(struct flow *f)
{
	return flow_fail(f, ERR_DOC_LIMIT,
	    "Reading the PDF took too much memory or time; split it, or raise extract_timeout and "
	    "extract_max_memory.");
}

/* The extractor's fault, not the document's: the log gets the first line of its stderr, the client
 * only the fact, for that line names files of this machine. */
static enum flow_rc
extractor_failed(struct flow *f, struct extraction *x)
{
	struct slice why = buf_view(&x->result.err);
	const char *newline = why.len == 0 ? NULL : memchr(why.p, '\n', why.len);

	if (newline != NULL)
		why.len = (size_t)(newline - why.p);
	if (why.len == 0)
		why = slice_str(x->result.end == PROC_NOT_STARTED ? strerror(x->result.code) : "");
	log_event(LOG_ERR, "extract.failed", f->request_id,
	    "The extractor %s failed, see extract_program: %.*s", x->conf->program, SLICE_ARG(why));
	return flow_fail(f, ERR_EXTRACT,
	    "The document could not be read here; the server's log says why (extract.failed).");
}

/* SIGXCPU is the CPU limit, SIGKILL the kernel's want of memory (proc_run() has an end of its own
 * for the kill at its deadline), bad_alloc how poppler dies at the address space's limit. SIGSYS is
 * the system call filter's: the parser asked for what only an attacker needs, and the operator
 * should look at that document. */
static enum flow_rc
classify_signal(struct flow *f, struct extraction *x, int signal)
{
	if (signal == SIGXCPU || signal == SIGKILL || stderr_has(x, "bad_alloc"))
		return extraction_over_limit(f);
	log_event(LOG_WARNING, signal == SIGSYS ? "extract.sandboxed" : "extract.crashed",
	    f->request_id,
	    "The PDF parser was ended by signal %d; the client is told that the PDF is broken.",
	    signal);
	return flow_fail(f, ERR_PDF_BROKEN,
	    "The PDF makes its reader crash; export it again with another program.");
}

/* Its text is the caller's from here on: a later failure leaves nothing. */
static enum flow_rc
extraction_good(struct flow *f, struct extraction *x)
{
	if (stderr_has(x, "cannot be preloaded"))
		return extractor_failed(f, x);
	x->out->text = x->result.out;
	buf_init(&x->result.out, 0);
	if (stderr_has(x, "Missing language pack") || stderr_has(x, "Unknown character collection"))
		x->out->warnings = EXTRACT_NO_LANGUAGE;
	else if (stderr_has(x, "Error"))
		x->out->warnings = EXTRACT_DAMAGED;
	if (x->out->warnings == EXTRACT_NO_LANGUAGE)
		log_event(LOG_ERR, "extract.language", f->request_id,
		    "Chinese, Japanese or Korean text of a PDF was left out: install "
		    "poppler-data.");
	return FLOW_NEXT;
}

static enum flow_rc
extraction_encrypted(struct flow *f, struct extraction *x)
{
	if (stderr_has(x, "security handler"))
		return flow_fail(f, ERR_PDF_ENCRYPTED,
		    "The PDF is encrypted in a way that is not read here; send it without "
		    "encryption.");
	if (x->in.password != NULL)
		return flow_fail(f, ERR_PDF_PASSWORD,
		    "The password does not open the PDF; send the right one as password.");
	return flow_fail(f, ERR_PDF_ENCRYPTED,
	    "The PDF is encrypted; send its password as password, or the PDF without one.");
}

/* pdftotext has no exit status of its own for these, so its stderr tells which: these words are in
 * poppler's sources, and it gets no locale, so they are English. 127 is the status of a child that
 * could not run its program. */
static enum flow_rc
classify_exit(struct flow *f, struct extraction *x, int status)
{
	if (status == 0)
		return extraction_good(f, x);
	if ((status >= EXTRACT_EXIT_USAGE && status <= EXTRACT_EXIT_LARGE) || status == 127)
		return extractor_failed(f, x);
	if (stderr_has(x, "Incorrect password") || stderr_has(x, "security handler"))
		return extraction_encrypted(f, x);
	if (stderr_has(x, "Document stream is empty"))
		return flow_fail(f, ERR_DOC_EMPTY, EXTRACT_NO_PAGES);
	if (stderr_has(x, "Wrong page range"))
		return flow_fail(f, ERR_PDF_BROKEN,
		    "The PDF's list of pages is broken, or names none; export the document again "
		    "and retry.");
	if (stderr_has(x, "Out of memory"))
		return extraction_over_limit(f);
	return flow_fail(f, ERR_PDF_BROKEN,
	    "The bytes are not a PDF that can be read; export the document again and retry.");
}

/* The key is for the operator's log; the client reads numbers alone. */
void
extract_too_much_text(struct err *err, size_t text_max)
{
	err_set(err, ERR_DOC_LIMIT, "The document has more than %zu bytes of text; split it.",
	    text_max);
	err_cause(err, "max_document_text");
}

enum flow_rc
extraction_classify(struct flow *f, struct extraction *x)
{
	struct err err = { .code = ERR_NONE };

	switch (x->result.end) {
	case PROC_EXITED:
		return classify_exit(f, x, x->result.code);
	case PROC_SIGNALED:
		return classify_signal(f, x, x->result.code);
	case PROC_TIMEOUT:
		return extraction_over_limit(f);
	case PROC_OUT_LARGE:
		if (x->result.out.no_memory)
			return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's text");
		extract_too_much_text(&err, x->conf->text_max);
		return flow_fail_err(f, &err);
	case PROC_NOT_STARTED:
		break;
	}
	return extractor_failed(f, x);
}
