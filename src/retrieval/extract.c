/* SPDX-License-Identifier: MIT */
/*
 * extract: a document's text, page by page, by the reader that formats.c names. Text is checked and
 * taken as it is. A PDF goes to tenantgate-extract, a sandboxed process of its own (src/extract/):
 * PDF readers are large and have had many holes, so none runs in this process, which holds every
 * tenant's secrets.
 *
 *	[extract_enter] --> [extract_run] --> [extract_classify] --> [extract_look] --> done
 *	     waits, in the order of tenants       |                       | no text
 *	   failed, the document's or our fault <--+                       +--> [extract_looked]
 *
 * The extraction is a child flow in the request's arena; extract_end.c reads how the program ended,
 * extract_read.c makes pages of what it has brought.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "retrieval/extract_internal.h"
#include "tenantgate/retrieval.h"

#define STDERR_MAX  4096 /* bytes kept of the extractor's stderr */
#define ARGS_MAX    12
#define BLANK_MAX   (64u << 10) /* bytes of a text that is looked through for a letter */
#define LIST_MAX    (16u << 10) /* bytes of a list of pictures */
#define WAITING_MAX 1000 /* documents of one tenant that wait for a parser; more are refused */

static flow_step_fn extraction_enter, extraction_run, extraction_end, extraction_look,
    extraction_looked;

static const struct flow_step extraction_steps[] = {
	{ "extract_enter", extraction_enter },
	{ "extract_run", extraction_run },
	{ "extract_classify", extraction_end },
	{ "extract_look", extraction_look },
	{ "extract_looked", extraction_looked },
	{ NULL, NULL },
};

static const struct flow_kind extraction_kind = { .name = "extract", .steps = extraction_steps };

/* One for each core, for parsing is all CPU; two at least, so that one slow document of a tenant
 * holds up no other of its own. */
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
		.text_max = (size_t)10 << 20,
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
		.capacity = c->parallel_max > 0 ? c->parallel_max + 1 : 0,
		.has_headroom = true,
		.waiting_max = WAITING_MAX,
		.wait_timeout_us = c->timeout_us,
	};

	return share_open(&conf);
}

void
extract_parsers_configure(struct share_budget *parsers, const struct extract_conf *c)
{
	share_set_waiting(parsers, WAITING_MAX, c->timeout_us);
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
	buf_free(&x->list.out);
	buf_free(&x->list.err);
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
 * are too many. `mode` is one option more; NULL for none. */
static bool
extract_args(struct extraction *x, const char *mode, const char *args[ARGS_MAX])
{
	struct arena *a = x->flow.arena;
	const struct extract_conf *c = x->conf;
	unsigned n = 0;

	args[n++] = "tenantgate-extract";
	args[n++] = "--input-max";
	args[n++] = arena_printf(a, "%zu", x->in.body.len);
	args[n++] = "--memory-max";
	args[n++] = arena_printf(a, "%zu", c->memory_max);
	args[n++] = "--cpu";
	args[n++] = arena_printf(a, "%llu", (unsigned long long)(c->timeout_us / 1000000 + 1));
	args[n++] = "--pages-max";
	args[n++] = arena_printf(a, "%u", c->pages_max + 1);
	assert(n + 2 <= ARGS_MAX);
	for (unsigned i = 0; i < n; i++) {
		if (args[i] == NULL)
			return false;
	}
	args[n] = mode;
	args[n + 1] = NULL;
	return true;
}

/* A document in a file is read there: each run has a descriptor of its own, and so a place in it of
 * its own. */
static enum flow_rc
extractor_run(struct flow *f, struct proc_conf *conf, const struct extract_in *in,
    struct proc_result *result)
{
	enum flow_rc rc;

	if (in->file == NULL)
		return proc_run(f, conf, in->body, result);
	conf->input_file = spool_reader(in->file);
	if (conf->input_file < 0) {
		result->end = PROC_NOT_STARTED;
		result->code = errno;
		return FLOW_NEXT;
	}
	rc = proc_run(f, conf, (struct slice){ 0 }, result);
	close(conf->input_file);
	return rc;
}

/* The extractor, its output of so many bytes at most. */
static enum flow_rc
extractor_start(struct flow *f, const char *mode, size_t out_max, struct proc_result *result)
{
	struct extraction *x = extraction_of(f);
	const char *args[ARGS_MAX], *envp[2] = { NULL, NULL };
	struct proc_conf conf = { .path = x->conf->program,
		.argv = args,
		.timeout_us = x->conf->timeout_us,
		.envp = envp };
	bool ok = extract_args(x, mode, args);

	buf_init(&result->out, out_max);
	buf_init(&result->err, STDERR_MAX);
	if (x->in.password != NULL) {
		envp[0] = arena_printf(f->arena, EXTRACT_PASSWORD_ENV "=%s", x->in.password);
		ok = ok && envp[0] != NULL;
	}
	if (!ok)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the extractor");
	return extractor_run(f, &conf, &x->in, result);
}

static enum flow_rc
extraction_run(struct flow *f)
{
	struct extraction *x = extraction_of(f);

	flow_defer(f, extraction_clear, x);
	return extractor_start(f, NULL, x->conf->text_max, &x->result);
}

/* What ended the program becomes the client's reason; only a good end goes on. */
static enum flow_rc
extraction_end(struct flow *f)
{
	return extraction_classify(f, extraction_of(f));
}

/* Without a letter in its first bytes; a longer blank text is left to extract_read(). */
static bool
text_is_blank(const struct buf *text)
{
	static const char blanks[] = " \t\r\n\f";

	for (size_t i = 0; i < text->len && i < BLANK_MAX; i++)
		if (memchr(blanks, text->data[i], sizeof(blanks) - 1) == NULL)
			return false;
	return text->len <= BLANK_MAX;
}

/* Pages without text are pictures, or blank: what to do about them differs. */
static enum flow_rc
extraction_look(struct flow *f)
{
	struct extraction *x = extraction_of(f);

	if (!text_is_blank(&x->out->text) || x->out->warnings != 0)
		return FLOW_DONE;
	return extractor_start(f, "--pictures", LIST_MAX, &x->list);
}

/* A head of two lines, then a line for each picture. A list that could not be made tells nothing,
 * and one that was cut off is long. */
static enum flow_rc
extraction_looked(struct flow *f)
{
	struct extraction *x = extraction_of(f);
	const struct buf *list = &x->list.out;
	unsigned lines = 0;

	for (size_t i = 0; i < list->len; i++)
		lines += list->data[i] == '\n';
	x->out->has_pictures = x->list.end == PROC_OUT_LARGE || lines > 2;
	return FLOW_NEXT;
}

enum flow_rc
extract_run(struct flow *f, const struct extract_conf *c, struct share_budget *parsers,
    struct slice tenant, const struct extract_in *in, struct extract_out *out, struct err *why)
{
	const struct document_format *format = format_find(in->mime);
	struct extraction *x;

	*out = (struct extract_out){ 0 };
	err_clear(why);
	buf_init(&out->text, c->text_max);
	if (format == NULL) {
		format_refuse(why);
		return FLOW_NEXT;
	}
	if (in->body.len == 0)
		err_set(why, ERR_DOC_EMPTY, "The document has no bytes; send one that has some.");
	if (in->body.len == 0 || format->reader == READER_TEXT)
		return FLOW_NEXT;
	x = arena_alloc(f->arena, sizeof(*x));
	if (x == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the extractor");
	x->conf = c;
	x->parsers = parsers;
	x->tenant = tenant;
	x->in = *in;
	x->out = out;
	return flow_try(f, &x->flow, &extraction_kind, why);
}
