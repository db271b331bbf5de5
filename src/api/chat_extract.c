/* SPDX-License-Identifier: MIT */
/* chat_extract.c: see the header. An earlier PDF that cannot be read does not end the chat. */
#include "api/chat_extract.h"

#include "api/chat_turns.h"

static struct extract_in
chat_pdf(const struct chat_file *file)
{
	return (struct extract_in){ .mime = "application/pdf", .body = file->bytes };
}

enum flow_rc
chat_extract(struct flow *f, struct chat_file *file, struct err *why)
{
	const struct request *req = request_of(f);
	const struct api_context *ctx = req->ctx;
	const struct extract_in in = chat_pdf(file);

	return extract_run(f, &req->conf->extract, ctx->shared->budgets.parsers,
	    slice_str(req->tenant_id), &in, &file->extracted, why);
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
	const struct extract_in in = chat_pdf(file);

	if (!err_is(why) && extract_read(conf, &in, arena, &file->extracted, why) &&
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
