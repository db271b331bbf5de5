/* SPDX-License-Identifier: MIT */
/* chat_extract.c: see the header. An earlier PDF that cannot be read does not end the chat. */
#include "api/chat_extract.h"

#include "api/chat_turns.h"

#define CHAT_PDF "application/pdf" /* the row of formats.c */

enum flow_rc
chat_extract(struct flow *f, struct chat_file *file, struct err *why)
{
	const struct request *req = request_of(f);
	const struct api_context *ctx = req->ctx;

	return extract_run(f, &req->conf->extract, ctx->shared->budgets.parsers,
	    slice_str(req->tenant_id), CHAT_PDF, file->bytes, NULL, &file->extracted, why);
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
	    extract_read(conf, CHAT_PDF, file->bytes, slice_of(NULL, 0), arena, &file->extracted,
		why) &&
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
