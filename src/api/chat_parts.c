/* SPDX-License-Identifier: MIT */
/*
 * chat_parts: see the header.
 */
#include "api/chat_parts.h"

#include <stdio.h>

bool
chat_body_too_large(const struct arena *arena, struct err *err)
{
	if (arena_no_memory(arena))
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the body's messages");
	err_set(err, ERR_TOO_LARGE,
	    "The messages are too large together; send fewer or shorter ones.");
	return false;
}

/* One file of a user's message; where it is of no use, see chat_file.h. */
static bool
read_file(struct message_reader *r, const json_t *part, const char *where, bool is_last)
{
	struct chat_file *file = arena_alloc(r->arena, sizeof(*file));
	struct err why = { .code = ERR_NONE };

	if (file == NULL)
		return chat_body_too_large(r->arena, r->err);
	file->turn = r->input->message_count;
	file->is_last = is_last;
	if (is_last && r->input->last_files++ == CHAT_FILES_MAX) {
		err_set(r->err, ERR_INVALID_FIELD,
		    "Field \"%s\" is one file too many; a message may hold %d.", where,
		    CHAT_FILES_MAX);
		return false;
	}
	if (!chat_file_read(part, where, r->conf->chat_accepts_images, r->arena, file, &why) &&
	    (is_last || why.code != ERR_INVALID_FIELD)) {
		*r->err = why;
		return false;
	}
	file->next = r->input->files;
	r->input->files = file;
	return true;
}

/* Of a user's message: every part is a text, a file, or of a kind that clients are known to send
 * back; what is neither might change the answer, and is refused. Nothing of an answer's parts but
 * its text is used. */
static bool
read_parts(struct message_reader *r, const json_t *parts, size_t index, const char *list)
{
	char where[96];
	json_t *part;
	size_t i;

	json_array_foreach(parts, i, part) {
		enum chat_part kind = chat_part_kind(part);

		snprintf(where, sizeof(where), "messages[%zu].%s[%zu]", index, list, i);
		if (kind == PART_UNKNOWN ||
		    (kind == PART_TEXT && !json_is_string(json_object_get(part, "text")))) {
			err_set(r->err, ERR_INVALID_FIELD,
			    "Field \"%s\" must be a part of type text or file.", where);
			return false;
		}
		if (kind == PART_FILE && !read_file(r, part, where, index == r->last_user))
			return false;
	}
	return true;
}

/* AI SDK 4's: each is a file, without a type of part. */
static bool
read_attachments(struct message_reader *r, const json_t *list, size_t index)
{
	char where[96];
	json_t *part;
	size_t i;

	json_array_foreach(list, i, part) {
		snprintf(where, sizeof(where), "messages[%zu].experimental_attachments[%zu]", index,
		    i);
		if (!read_file(r, part, where, index == r->last_user))
			return false;
	}
	return true;
}

bool
chat_parts_read(struct message_reader *r, const json_t *message, size_t index)
{
	return read_parts(r, json_object_get(message, "content"), index, "content") &&
	    read_parts(r, json_object_get(message, "parts"), index, "parts") &&
	    read_attachments(r, json_object_get(message, "experimental_attachments"), index);
}
