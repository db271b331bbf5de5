/* SPDX-License-Identifier: MIT */
/*
 * chat_extract: a PDF that came with a message of /chat, read in the sandbox as a document is.
 */
#ifndef API_CHAT_EXTRACT_H
#define API_CHAT_EXTRACT_H

#include "api/chat_file.h"
#include "api/request.h"

/* Waits for an extractor, in the order of tenants, and runs it: file->extracted, for
 * chat_extract_read(). Does not fail the flow: *why has the reason, or ERR_NONE. All is borrowed
 * until the wait is over. */
enum flow_rc	chat_extract(struct flow *, struct chat_file *, struct err *why)
		    __attribute__((warn_unused_result));
/* What was extracted becomes the file's text, or the file is judged by *why: one of an earlier turn
 * that cannot be read is named from then on. Pure, for a helper when the text is long. False with
 * *why: the chat is refused. */
bool		chat_extract_read(const struct extract_conf *, struct chat_file *, struct arena *,
		    struct err *why);

#endif
