/* SPDX-License-Identifier: MIT */
/*
 * extract: a document's text, page by page, by the reader that formats.c names. Text is checked and
 * taken as it is. A PDF goes to tenantgate-extract, a sandboxed process of its own (src/extract/):
 * PDF readers are large and have had many holes, so none runs in this process, which holds every
 * tenant's secrets.
 *
 *	[extract_enter] --> [extract_run] --> [extract_classify] --> done; then extract_read()
 *	     waits, in the order of tenants     \___ failed, with the document's or our fault
 *
 * The extraction is a child flow in the request's arena; extract_read.c makes pages of what it has
 * brought.
 */
#define _GNU_SOURCE /* memmem */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "retrieval/extract_internal.h"
#include "tenantgate/base/log.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/wire/proc.h"

#define STDERR_MAX 4096 /* bytes kept of the extractor's stderr */
#define ARGS_MAX   12
#define WAITING_MAX 1000 /* documents of one tenant that wait for a parser; more are refused */

struct extraction {
	struct flow flow;
	const struct extract_conf *conf; /* borrowed */
	struct slice body;	   /* borrowed */
	struct extract_out *out;   /* borrowed: the caller frees it */
	struct proc_result result; /* owned bufs; out moves to the caller when it is good */
	struct share_budget *parsers;	 /* borrowed */
	struct slice tenant;		 /* borrowed */
	struct share_grant parser;
};

static flow_step_fn extraction_enter, extraction_run, extraction_classify;

static const struct flow_step extraction_steps[] = {
	{ "extract_enter", extraction_enter },
	{ "extract_run", extraction_run },
	{ "extract_classify", extraction_classify },
	{ NULL, NULL },
};

static const struct flow_kind extraction_kind = { .name = "extract", .steps = extraction_steps };

/* One for each core, for parsing is all CPU; two at least, so that one slow document holds up no
 * other. */
static unsigned
default_parallel(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 2 ? 2 : (unsigned)cores;
}

void
extract_conf_init(struct extract_conf *c)
{
	*c = (struct extract_conf){
		.program = PKGLIBEXECDIR "/tenantgate-extract",
		.text_max = (size_t)32 << 20,
		.pages_max = 5000,
		.timeout_us = 60 * 1000000ull,
		.memory_max = (size_t)512 << 20,
		.parallel_max = default_parallel(),
	};
}

struct share_budget *
extract_parsers_open(const struct extract_conf *c)
{
	const struct share_conf conf = {
		.noun = "extractors",
		.setting = "extract_max_parallel",
		.capacity = c->parallel_max,
		.waiting_max = WAITING_MAX,
		.wait_timeout_us = c->timeout_us,
	};

	return share_open(&conf);
}

void
extract_free(struct extract_out *out)
{
	buf_free(&out->text);
	out->pages = NULL;
	out->page_count = out->pages_in_all = 0;
}

static struct extraction *
extraction_of(struct flow *f)
{
	return FLOW_OF(f, struct extraction, &extraction_kind);
}

static void
extraction_clear(void *arg)
{
	struct extraction *x = arg;

	buf_free(&x->result.out);
	buf_free(&x->result.err);
}

/* A parser is all CPU and as much memory as it may have, so there are few, for all workers. */
static enum flow_rc
extraction_enter(struct flow *f)
{
	struct extraction *x = extraction_of(f);

	flow_defer(f, share_give_later, &x->parser);
	return share_take(f, x->parsers, x->tenant, 1, 1, &x->parser);
}

/* Limits of its own for what it can measure better: CPU a second past the wall clock's, so that the
 * deadline of proc_run() decides; a page past the ceiling, so that extract_read() sees that there
 * are too many. */
static bool
extract_args(struct extraction *x, const char *args[ARGS_MAX])
{
	struct arena *a = x->flow.arena;
	const struct extract_conf *c = x->conf;
	unsigned n = 0;

	args[n++] = "tenantgate-extract";
	args[n++] = "--input-max";
	args[n++] = arena_printf(a, "%zu", x->body.len);
	args[n++] = "--memory-max";
	args[n++] = arena_printf(a, "%zu", c->memory_max);
	args[n++] = "--cpu";
	args[n++] = arena_printf(a, "%llu", (unsigned long long)(c->timeout_us / 1000000 + 1));
	args[n++] = "--pages-max";
	args[n++] = arena_printf(a, "%u", c->pages_max + 1);
	args[n] = NULL;
	assert(n < ARGS_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (args[i] == NULL)
			return false;
	}
	return true;
}

static enum flow_rc
extraction_run(struct flow *f)
{
	struct extraction *x = extraction_of(f);
	const char *args[ARGS_MAX];
	struct proc_conf conf = { .path = x->conf->program,
		.argv = args,
		.timeout_us = x->conf->timeout_us };

	buf_init(&x->result.out, x->conf->text_max);
	buf_init(&x->result.err, STDERR_MAX);
	flow_defer(f, extraction_clear, x);
	if (!extract_args(x, args))
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the extractor");
	return proc_run(f, &conf, x->body, &x->result);
}

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
extractor_failed(struct flow *f)
{
	struct extraction *x = extraction_of(f);
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
classify_signal(struct flow *f, int signal)
{
	struct extraction *x = extraction_of(f);

	if (signal == SIGXCPU || signal == SIGKILL || stderr_has(x, "bad_alloc"))
		return extraction_over_limit(f);
	log_event(LOG_WARNING, signal == SIGSYS ? "extract.sandboxed" : "extract.crashed",
	    f->request_id,
	    "The PDF parser was ended by signal %d; the client is told that the PDF is broken.",
	    signal);
	return flow_fail(f, ERR_PDF_BROKEN,
	    "The PDF makes its reader crash; export it again with another program.");
}

/* pdftotext has no exit status of its own for these, so its stderr tells which: these words are in
 * poppler's sources, and its environment is empty, so they are English. 127 is the status of
 * a child that could not run its program. */
static enum flow_rc
classify_exit(struct flow *f, int status)
{
	struct extraction *x = extraction_of(f);

	if (status == 0) {
		x->out->text = x->result.out; /* the caller's: a later failure leaves nothing */
		buf_init(&x->result.out, 0);
		return FLOW_NEXT;
	}
	if ((status >= EXTRACT_EXIT_USAGE && status <= EXTRACT_EXIT_LARGE) || status == 127)
		return extractor_failed(f);
	if (stderr_has(x, "Incorrect password") || stderr_has(x, "security handler"))
		return flow_fail(f, ERR_PDF_ENCRYPTED,
		    "The PDF is encrypted; send it without a password.");
	if (stderr_has(x, "Wrong page range") || stderr_has(x, "Document stream is empty"))
		return flow_fail(f, ERR_DOC_EMPTY, EXTRACT_NO_PAGES);
	if (stderr_has(x, "Out of memory"))
		return extraction_over_limit(f);
	return flow_fail(f, ERR_PDF_BROKEN,
	    "The bytes are not a PDF that can be read; export the document again and retry.");
}

/* What ended the program becomes the client's reason; only a good end goes on. */
static enum flow_rc
extraction_classify(struct flow *f)
{
	struct extraction *x = extraction_of(f);

	switch (x->result.end) {
	case PROC_EXITED:
		return classify_exit(f, x->result.code);
	case PROC_SIGNALED:
		return classify_signal(f, x->result.code);
	case PROC_TIMEOUT:
		return extraction_over_limit(f);
	case PROC_OUT_LARGE:
		if (x->result.out.no_memory)
			return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document's text");
		return flow_fail(f, ERR_DOC_LIMIT, EXTRACT_TOO_MUCH_TEXT, x->conf->text_max);
	case PROC_NOT_STARTED:
		break;
	}
	return extractor_failed(f);
}

enum flow_rc
extract_run(struct flow *f, const struct extract_conf *c, struct share_budget *parsers,
    struct slice tenant, const char *mime, struct slice body, struct extract_out *out)
{
	const struct document_format *format = format_find(mime);
	struct err err = { 0 };
	struct extraction *x;

	*out = (struct extract_out){ 0 };
	buf_init(&out->text, c->text_max);
	if (format == NULL) {
		format_refuse(&err);
		return flow_fail_err(f, &err);
	}
	if (body.len == 0)
		return flow_fail(f, ERR_DOC_EMPTY,
		    "The document has no bytes; send one that has some.");
	if (format->reader == READER_TEXT)
		return FLOW_NEXT;
	x = arena_alloc(f->arena, sizeof(*x));
	if (x == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the extractor");
	x->conf = c;
	x->parsers = parsers;
	x->tenant = tenant;
	x->body = body;
	x->out = out;
	return flow_call(f, &x->flow, &extraction_kind);
}
