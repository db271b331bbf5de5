/* SPDX-License-Identifier: MIT */
/*
 * chat_extract: see the header. The extraction is a child flow, so that a PDF of an earlier turn
 * that cannot be read is not the end of the chat.
 */
#include "api/chat_extract.h"

#include "api/chat_turns.h"

#define CHAT_PDF "application/pdf" /* the row of formats.c */

struct chat_extraction {
	struct flow flow;
	const struct request *req; /* borrowed: the parent's */
	struct chat_file *file;	   /* borrowed */
};

static flow_step_fn chat_extraction_run;

static const struct flow_step chat_extraction_steps[] = {
	{ "chat_extract", chat_extraction_run },
	{ NULL, NULL },
};

static const struct flow_kind chat_extraction_kind = {
	.name = "chat_extract",
	.steps = chat_extraction_steps,
};

static enum flow_rc
chat_extraction_run(struct flow *f)
{
	struct chat_extraction *x = FLOW_OF(f, struct chat_extraction, &chat_extraction_kind);
	const struct api_context *ctx = x->req->ctx;

	return extract_run(f, &ctx->conf->extract, ctx->shared->budgets.parsers,
	    slice_str(x->req->tenant_id), CHAT_PDF, x->file->bytes, &x->file->extracted);
}

enum flow_rc
chat_extract(struct flow *f, struct chat_file *file, struct err *why)
{
	struct chat_extraction *x = arena_alloc(f->arena, sizeof(*x));

	if (x == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the extractor");
	x->req = request_of(f);
	x->file = file;
	return flow_try(f, &x->flow, &chat_extraction_kind, why);
}

/* What is the document's fault, not ours. */
static bool
is_unreadable(const struct err *why)
{
	return err_is(why) && err_status(why->code) == 422;
}

bool
chat_extract_read(const struct extract_conf *conf, struct chat_file *file, struct arena *arena,
    struct err *why)
{
	if (!err_is(why) &&
	    extract_read(conf, CHAT_PDF, file->bytes, arena, &file->extracted, why) &&
	    !chat_turns_pdf_text(file, arena))
		err_set(why, arena_no_memory(arena) ? ERR_OVERLOADED : ERR_TOO_LARGE,
		    "The files have too much text together; send fewer or shorter ones.");
	extract_free(&file->extracted);
	if (is_unreadable(why) && !file->is_last) {
		file->kind = CHAT_FILE_NAMED;
		*why = (struct err){ .code = ERR_NONE };
	}
	return !err_is(why);
}
