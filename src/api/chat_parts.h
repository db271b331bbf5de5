/* SPDX-License-Identifier: MIT */
/*
 * chat_parts: the parts of a user's message: what is a file is read, what clients send back of
 * earlier answers passed over, anything else refused. Private to chat_body.
 */
#ifndef API_CHAT_PARTS_H
#define API_CHAT_PARTS_H

#include "api/chat_body.h"

/* Everything that the messages are read with. */
struct message_reader {
	const struct api_conf *conf;
	struct arena *arena;
	struct chat_input *input;
	struct err *err;
	size_t last_user; /* index of the last user message in the client's list */
};

/* Adds the files of the client's message `index`, which becomes turn input->message_count. False
 * with err set. */
bool	chat_parts_read(struct message_reader *, const json_t *message, size_t index);

/* Why an arena gave nothing: no memory is ours (503), its ceiling is the body's (413). The first
 * reason set is kept. Always false, to be returned. */
bool	chat_body_too_large(const struct arena *, struct err *);

#endif
