/* SPDX-License-Identifier: MIT */
/*
 * chat_file: what a part of a user's message brings besides text: a text file, a PDF, an image, as
 * the AI SDKs and OpenAI's clients write them, all as `data:` URLs (RFC 2397). Pure; what is kept
 * is copied into the arena.
 *
 * A file of the last user turn that is of no use is refused: an answer without it would be a wrong
 * one. One of an earlier turn was answered, or refused, in its time and comes back with every
 * request: it is named, and the chat goes on.
 */
#ifndef API_CHAT_FILE_H
#define API_CHAT_FILE_H

#include <jansson.h>
#include <stdbool.h>

#include "tenantgate/base/arena.h"
#include "tenantgate/base/err.h"
#include "tenantgate/base/slice.h"
#include "tenantgate/retrieval.h"

#define CHAT_FILES_MAX		16	/* read of one body; earlier ones beyond are named */
#define CHAT_FILE_NAME_MAX	120	/* bytes shown to the model */

enum chat_file_kind {
	CHAT_FILE_NAMED,	/* of no use any more: its name stands for it */
	CHAT_FILE_TEXT,
	CHAT_FILE_PDF,		/* bytes are the PDF, until it is a text */
	CHAT_FILE_IMAGE,	/* bytes are its data: URL */
};

struct chat_file {
	struct chat_file	*next;		/* arena: the one before it in the chat */
	size_t			 turn;		/* index in chat_input.messages */
	bool			 is_last;	/* of the last user turn: never left out */
	enum chat_file_kind	 kind;
	const char		*name;		/* arena; one line without quotes; never empty */
	struct slice		 bytes;		/* arena */
	struct extract_out	 extracted;	/* owned: of a PDF */
};

/* What a part of a user's message is. */
enum chat_part { PART_TEXT, PART_FILE, PART_PASSED_OVER, PART_UNKNOWN };
enum chat_part	chat_part_kind(const json_t *part);

/* Fills kind, name and bytes from a part of any client's form, or one of AI SDK 4's
 * experimental_attachments. `where` names the part, for the client. False with err set: the part is
 * of no use. file->name is set also then. */
bool		chat_file_read(const json_t *part, const char *where, bool accepts_images,
		    struct arena *, struct chat_file *, struct err *);

#endif
