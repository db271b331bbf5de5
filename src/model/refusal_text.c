/* SPDX-License-Identifier: MIT */
/*
 * refusal_text: see the header.
 */
#include "model/refusal_text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "tenantgate/base/json.h"

#define REFUSAL_TEXT_MAX  (20u * 1024) /* bytes of either text */
#define REFUSAL_DEPTH_MAX 8	       /* brackets around a string that is read */

bool
text_has(const struct buf *text, const char *const *words)
{
	for (; text->len > 0 && *words != NULL; words++)
		if (strstr(text->data, *words) != NULL)
			return true;
	return false;
}

/* One string, as a line in lower case; any quote becomes '. NUL cannot be among what jansson
 * accepts, and becomes a blank in what is no JSON. */
static void
refusal_line(struct buf *to, const char *text, size_t len)
{
	size_t room = to->max - to->len;

	if (len + 1 > room)
		len = room == 0 ? 0 : room - 1;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '"' || c == '`')
			c = '\'';
		buf_putc(to, c == '\0' ? ' ' : (char)tolower((unsigned char)c));
	}
	buf_putc(to, '\n');
}

/* ["body", "messages", 0, "role"] as body.messages.0.role. */
static void
refusal_place(struct buf *to, json_t *loc)
{
	json_t *part;
	size_t i;

	json_array_foreach(loc, i, part) {
		if (i > 0)
			buf_putc(to, '.');
		if (json_is_string(part))
			buf_puts(to, json_string_value(part));
		else if (json_is_integer(part))
			buf_uint(to, (uint64_t)json_integer_value(part));
	}
	buf_putc(to, '\n');
}

/* Members that repeat what the request has. */
static bool
is_echo(const char *key)
{
	return strcmp(key, "input") == 0 || strcmp(key, "ctx") == 0 || strcmp(key, "url") == 0;
}

static void
refusal_gather(struct refusal_text *t, json_t *value, unsigned depth)
{
	json_t *item;
	const char *key;
	size_t i;

	if (depth > REFUSAL_DEPTH_MAX)
		return;
	if (json_is_string(value))
		refusal_line(&t->words, json_string_value(value), json_string_length(value));
	json_array_foreach(value, i, item)
		refusal_gather(t, item, depth + 1);
	json_object_foreach(value, key, item) {
		if (strcmp(key, "param") == 0 && json_is_string(item))
			refusal_line(&t->places, json_string_value(item), json_string_length(item));
		else if (strcmp(key, "loc") == 0 && json_is_array(item))
			refusal_place(&t->places, item);
		else if (!is_echo(key))
			refusal_gather(t, item, depth + 1);
	}
}

static bool
is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

const char *
text_find(const struct buf *text, const char *words)
{
	size_t len = strlen(words);

	for (const char *at = text->data; text->len > 0 && (at = strstr(at, words)) != NULL; at++)
		if ((at == text->data || !is_name_byte(at[-1]) || !is_name_byte(words[0])) &&
		    !is_name_byte(at[len]))
			return at;
	return NULL;
}

/* Does the text before p end in this? */
static bool
comes_after(struct slice text, const char *p, const char *front)
{
	size_t len = strlen(front);

	return (size_t)(p - text.p) >= len && memcmp(p - len, front, len) == 0;
}

/* A name that the request has by its form, {"name": or "role":"name", is its own: no text of a
 * client can be in such a place, for a quote within a string has a backslash before it. */
static bool
is_own(struct slice request, const char *at, size_t len)
{
	const char *end = request.p + request.len;

	if (at + len + 1 >= end || at[len] != '"')
		return false;
	if (comes_after(request, at, "\"role\":\"") ||
	    comes_after(request, at, "\"encoding_format\":\""))
		return true;
	return at[len + 1] == ':' &&
	    (comes_after(request, at, ",\"") || comes_after(request, at, "{\""));
}

struct request_uses
request_search(struct slice request, const char *word)
{
	struct request_uses found = { false, false };
	size_t len = strlen(word);

	if (request.len > REQUEST_SEARCH_MAX) {
		found.own = found.echoes = true;
		return found;
	}
	for (size_t i = 0; i + len <= request.len; i++) {
		const char *at = request.p + i;

		if (tolower((unsigned char)*at) != word[0] || strncasecmp(at, word, len) != 0)
			continue;
		if (is_own(request, at, len))
			found.own = true;
		else
			found.echoes = true;
	}
	return found;
}

bool
refusal_text_read(struct refusal_text *t, struct slice body)
{
	struct err unused = { .code = ERR_NONE };
	json_t *top = json_read(body, &unused);

	buf_init(&t->places, REFUSAL_TEXT_MAX);
	buf_init(&t->words, REFUSAL_TEXT_MAX);
	if (top != NULL)
		refusal_gather(t, top, 0);
	else
		refusal_line(&t->words, body.p, body.len);
	refusal_line(&t->places, "", 0);
	refusal_line(&t->words, "", 0);
	json_decref(top);
	return t->places.data != NULL && t->words.data != NULL;
}

void
refusal_text_free(struct refusal_text *t)
{
	buf_free(&t->places);
	buf_free(&t->words);
}
