/* SPDX-License-Identifier: MIT */
/*
 * chat_body: the JSON of POST /chat into a struct chat_input.
 *
 * Everything here comes from a client: each type is checked before it is used, each number has a
 * range, each text a ceiling; what is not understood in a user's message is refused, and nothing is
 * passed on to the model unread.
 */
#include "api/chat_parts.h"

#include <stdio.h>

#include "tenantgate/base/id.h"
#include "tenantgate/base/json.h"

#define MODEL_NAME_MAX	  128 /* bytes */
#define ANSWER_TOKENS_MAX 10000000

/* The text parts of a `parts` (or array `content`), joined. Two passes: the length, then
 * the copy; json_string_length() of what is no string is 0. */
static bool
parts_text(const json_t *parts, struct arena *arena, struct slice *out)
{
	size_t i, len = 0, at = 0;
	json_t *part;
	char *text;

	json_array_foreach(parts, i, part) {
		if (strcmp(json_string_value(json_object_get(part, "type")) ?: "", "text") == 0)
			len += json_string_length(json_object_get(part, "text"));
	}
	text = arena_alloc(arena, len + 1);
	if (text == NULL)
		return false;
	json_array_foreach(parts, i, part) {
		const json_t *t = json_object_get(part, "text");
		const char *type = json_string_value(json_object_get(part, "type"));

		if (type == NULL || strcmp(type, "text") != 0 || !json_is_string(t))
			continue;
		memcpy(text + at, json_string_value(t), json_string_length(t));
		at += json_string_length(t);
	}
	*out = slice_of(text, at);
	return true;
}

/* The text of a message: `content` as a string (AI SDK 3 and 4) or an array of parts, else `parts`
 * (5 and later). */
static bool
message_text(const json_t *message, size_t index, struct arena *arena, struct slice *out,
    struct err *err)
{
	const json_t *content = json_object_get(message, "content");
	const json_t *parts = json_object_get(message, "parts");
	char *copy;

	if (json_is_string(content)) {
		copy = arena_slice(arena,
		    slice_of(json_string_value(content), json_string_length(content)));
		*out = slice_of(copy, json_string_length(content));
		return copy != NULL || chat_body_too_large(arena, err);
	}
	if (json_is_array(content))
		return parts_text(content, arena, out) || chat_body_too_large(arena, err);
	if (json_is_array(parts))
		return parts_text(parts, arena, out) || chat_body_too_large(arena, err);
	err_set(err, ERR_INVALID_FIELD,
	    "Field \"messages[%zu]\" must have content (a string) or parts (an array).", index);
	return false;
}

/* The static copy of a role: the client's text goes with its JSON. */
static const char *
role_among(const char *role, const char *const *roles)
{
	for (; role != NULL && *roles != NULL; roles++)
		if (strcmp(role, *roles) == 0)
			return *roles;
	return NULL;
}

/* A known role, or NULL with err set. AI SDK 3 and 4 also keep messages of a page's own (data) and
 * of tools in the list: *kept is false for them, and they are left out. */
static const char *
message_role(const json_t *message, size_t index, bool *kept, struct err *err)
{
	static const char *const kept_roles[] = { "user", "assistant", "system", NULL };
	static const char *const ignored_roles[] = { "data", "tool", "function", NULL };
	const char *role = json_string_value(json_object_get(message, "role"));
	const char *known = role_among(role, kept_roles);

	*kept = known != NULL;
	if (known == NULL)
		known = role_among(role, ignored_roles);
	if (known == NULL)
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"messages[%zu].role\" must be user, assistant or system.", index);
	return known;
}

/* A client's own system message, by client_system_messages: left out, refused, or kept for the end
 * of ours. */
static bool
read_system(struct message_reader *r, struct slice text, size_t index)
{
	struct chat_input *input = r->input;
	const char *joined;

	if (r->conf->client_system_messages == CLIENT_SYSTEM_REFUSE) {
		err_set(r->err, ERR_INVALID_FIELD,
		    "Field \"messages[%zu].role\" must be user or assistant; system is not taken "
		    "here (client_system_messages).",
		    index);
		return false;
	}
	if (r->conf->client_system_messages != CLIENT_SYSTEM_AFTER || text.len == 0)
		return true;
	if (input->application.len + text.len > CHAT_APPLICATION_MAX) {
		err_set(r->err, ERR_INVALID_FIELD,
		    "Field \"messages[%zu]\" makes the system messages longer than %u bytes.",
		    index, CHAT_APPLICATION_MAX);
		return false;
	}
	if (input->application.len == 0) {
		input->application = text;
		return true;
	}
	joined =
	    arena_printf(r->arena, "%.*s\n\n%.*s", SLICE_ARG(input->application), SLICE_ARG(text));
	if (joined == NULL)
		return chat_body_too_large(r->arena, r->err);
	input->application = slice_str(joined);
	return true;
}

/* Adds one message; the last one of the user becomes the question. Messages without text or files
 * (an assistant turn that was only tool calls, say) are left out: they have nothing for the
 * model. */
static bool
read_message(struct message_reader *r, const json_t *message, size_t index)
{
	struct chat_input *input = r->input;
	struct model_message *m = &input->messages[input->message_count];
	const struct chat_file *before = input->files;
	bool kept;

	if (!json_is_object(message)) {
		err_set(r->err, ERR_INVALID_FIELD, "Field \"messages[%zu]\" must be an object.",
		    index);
		return false;
	}
	m->role = message_role(message, index, &kept, r->err);
	if (m->role == NULL)
		return false;
	if (!kept)
		return true;
	if (!message_text(message, index, r->arena, &m->content, r->err))
		return false;
	if (strcmp(m->role, "system") == 0)
		return read_system(r, m->content, index);
	if (strcmp(m->role, "user") == 0) {
		if (!chat_parts_read(r, message, index))
			return false;
		if (m->content.len > 0 || input->files != before)
			input->question = m->content;
	}
	if (m->content.len > 0 || input->files != before)
		input->message_count++;
	return true;
}

/* The client's list may be long, but is walked once for this. */
static size_t
last_user_index(const json_t *messages)
{
	for (size_t i = json_array_size(messages); i > 0; i--) {
		const json_t *role = json_object_get(json_array_get(messages, i - 1), "role");

		if (json_is_string(role) && strcmp(json_string_value(role), "user") == 0)
			return i - 1;
	}
	return 0;
}

size_t
chat_characters(struct slice text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += ((unsigned char)text.p[i] & 0xC0) != 0x80;
	return n;
}

/* Cut at a character's start, so that what is embedded stays UTF-8. */
static struct slice
question_cut(struct slice s)
{
	if (s.len <= CHAT_QUESTION_MAX)
		return s;
	s.len = CHAT_QUESTION_MAX;
	while (s.len > 0 && ((unsigned char)s.p[s.len] & 0xC0) == 0x80)
		s.len--;
	return s;
}

/* messages[0] stays free for the system prompt, so that no list is copied later. */
static bool
read_messages(const json_t *root, const struct api_conf *conf, struct arena *arena,
    struct chat_input *input, struct err *err)
{
	const json_t *messages = json_object_get(root, "messages");
	struct message_reader r = { conf, arena, input, err, last_user_index(messages) };
	size_t i, count = json_array_size(messages);
	json_t *message;

	if (!json_is_array(messages) || count == 0 || count > CHAT_MESSAGES_MAX) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"messages\" must be an array of 1 to %d messages.", CHAT_MESSAGES_MAX);
		return false;
	}
	input->messages = arena_array(arena, count + 1, sizeof(*input->messages));
	if (input->messages == NULL)
		return chat_body_too_large(arena, err);
	input->message_count = 1;
	json_array_foreach(messages, i, message) {
		if (!read_message(&r, message, i))
			return false;
	}
	if (input->question.len == 0) {
		err_set(err, ERR_INVALID_FIELD,
		    input->last_files > 0
			? "Field \"messages\" ends with files and no question; send text with them."
			: "Field \"messages\" must hold a user message with text.");
		return false;
	}
	input->question_characters = chat_characters(input->question);
	input->question = question_cut(input->question);
	return true;
}

/* maxTokens, or max_tokens as OpenAI's clients say. */
static bool
read_max_tokens(const json_t *root, struct chat_input *input, struct err *err)
{
	int64_t n = 0;

	if (!json_opt_int(root, "max_tokens", 1, ANSWER_TOKENS_MAX, &n, err) ||
	    !json_opt_int(root, "maxTokens", 1, ANSWER_TOKENS_MAX, &n, err))
		return false;
	input->max_tokens = (unsigned)n;
	return true;
}

/* model and temperature; whether the model may be named is for request_model_allowed() to say. */
static bool
read_model(const json_t *root, struct arena *arena, struct chat_input *input, struct err *err)
{
	struct slice name = { 0 };

	input->temperature = -1;
	if (!json_opt_number(root, "temperature", 0, 2, &input->temperature, err) ||
	    !json_opt_string(root, "model", &name, err))
		return false;
	if (name.len == 0)
		return true;
	if (name.len > MODEL_NAME_MAX) {
		err_set(err, ERR_INVALID_FIELD, "Field \"model\" must be at most %d bytes.",
		    MODEL_NAME_MAX);
		return false;
	}
	input->model = arena_slice(arena, name);
	return input->model != NULL || chat_body_too_large(arena, err);
}

bool
chat_body_read(const json_t *root, const struct api_conf *conf, struct arena *arena,
    struct chat_input *input, struct err *err)
{
	return read_messages(root, conf, arena, input, err) &&
	    chat_body_scope(root, conf->top_k, conf->search_mode, arena, input, err) &&
	    read_model(root, arena, input, err) && read_max_tokens(root, input, err);
}
