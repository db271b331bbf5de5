/* SPDX-License-Identifier: MIT */
/*
 * chat_turns: a client's messages as turns that any model takes: user and assistant in turn, the
 * user first. The templates of several model families refuse anything else (400), and a chat in
 * which one answer failed would stay refused for good. Pure; any thread.
 */
#ifndef API_CHAT_TURNS_H
#define API_CHAT_TURNS_H

#include "api/chat_body.h"

/* The next file, after `file` or from the newest when it is NULL, whose PDF is still to be read;
 * NULL when there is none. What is past CHAT_FILES_MAX or comes when the texts already fill
 * text_max is no longer read, but named: those of the last turn are judged by chat_turns_make(). */
struct chat_file *chat_turns_pdf(struct chat_input *, size_t text_max);
/* The pages that extract_read() has found become the file's text. False when the arena is full. */
bool chat_turns_pdf_text(struct chat_file *, struct arena *);

/* Adjacent turns of one role become one, with a blank line between; files stand after the text that
 * they came with, fenced as passages are; assistant turns before the first of the user are left
 * out: a page's greeting answers nothing. input->messages is replaced (arena), [0] stays free.
 * False with err set: ERR_INVALID_FIELD when the files of the last user turn have more text than
 * text_max, ERR_TOO_LARGE, ERR_OVERLOADED. */
bool chat_turns_make(struct chat_input *, size_t text_max, struct arena *, struct err *);

/* How many messages to leave out after [0] so that the rest, with a system message of so many
 * bytes, is estimated at no more than `tokens` (0: no limit): pairs of a question and its answer,
 * the oldest first, never the last question. False with err set when that alone is too long. */
bool chat_turns_trim(const struct chat_input *, size_t system_bytes, unsigned tokens,
    size_t *left_out, struct err *);

/* What the model is asked, of all turns but the first ones that are left out. The system message
 * goes first: in the place that chat_body_read() left free, or that of the last turn left out. All
 * is borrowed. */
struct model_chat chat_turns_request(struct chat_input *, struct slice prompt, size_t left_out);

/* The system message: an operator's own words (NULL: none), the passages found, and what else it
 * says by what came with the question. False with ERR_OVERLOADED or ERR_INTERNAL. */
bool chat_turns_prompt(const struct chat_input *, const char *words, const struct hits *,
    struct buf *prompt, struct err *);

#endif
