/* SPDX-License-Identifier: MIT */
/*
 * chat_file: see the header.
 */
#include "api/chat_file.h"

#include <string.h>

#include "tenantgate/base/b64.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/json.h"

#define NAMELESS "without a name"

/* The members of a part, whoever wrote it; p NULL where absent. */
struct file_fields {
	struct slice url;
	struct slice type;
	struct slice name;
	bool is_image; /* by the part's own type */
};

struct data_url {
	struct slice type; /* media type, without parameters; may be empty */
	bool is_base64;
	struct slice data;
};

static struct slice
string_member(const json_t *o, const char *name)
{
	const json_t *s = json_object_get(o, name);

	return slice_of(json_string_value(s), json_string_length(s));
}

enum chat_part
chat_part_kind(const json_t *part)
{
	/* What clients send back of earlier answers, and what a page keeps with a message. */
	static const char *const echoes[] = { "source", "data-", "step-start", "reasoning", "tool-",
		"dynamic-tool", NULL };
	static const char *const files[] = { "file", "image", "image_url", NULL };
	const char *type = json_string_value(json_object_get(part, "type"));

	if (type == NULL)
		return PART_UNKNOWN;
	if (strcmp(type, "text") == 0)
		return PART_TEXT;
	for (size_t i = 0; files[i] != NULL; i++)
		if (strcmp(type, files[i]) == 0)
			return PART_FILE;
	for (size_t i = 0; echoes[i] != NULL; i++)
		if (strncmp(type, echoes[i], strlen(echoes[i])) == 0)
			return PART_PASSED_OVER;
	return PART_UNKNOWN;
}

/* AI SDK 5 and later: url, mediaType, filename; 4: url, contentType, name in an attachment, image
 * or data and mimeType in a part. OpenAI: image_url.url (or image_url itself), file.file_data and
 * file.filename. */
static struct file_fields
fields_of(const json_t *part)
{
	static const char *const urls[] = { "url", "image_url", "file_data", "image", "data" };
	static const char *const types[] = { "mediaType", "contentType", "mimeType" };
	static const char *const names[] = { "filename", "name" };
	const char *type = json_string_value(json_object_get(part, "type"));
	struct file_fields f = { .is_image = type != NULL && strncmp(type, "image", 5) == 0 };
	const json_t *inner = json_object_get(part, f.is_image ? "image_url" : "file");

	if (json_is_object(inner))
		part = inner;
	for (size_t i = 0; f.url.p == NULL && i < sizeof(urls) / sizeof(urls[0]); i++)
		f.url = string_member(part, urls[i]);
	for (size_t i = 0; f.type.p == NULL && i < sizeof(types) / sizeof(types[0]); i++)
		f.type = string_member(part, types[i]);
	for (size_t i = 0; f.name.p == NULL && i < sizeof(names) / sizeof(names[0]); i++)
		f.name = string_member(part, names[i]);
	return f;
}

/* On one line, without quotes of its own, cut at a character's start: it cannot look like anything
 * but a name. NULL when the arena is full. */
static const char *
name_copy(struct slice name, struct arena *arena)
{
	char *copy;

	if (name.len == 0)
		name = slice_str(NAMELESS);
	if (name.len > CHAT_FILE_NAME_MAX) {
		name.len = CHAT_FILE_NAME_MAX;
		while (name.len > 0 && ((unsigned char)name.p[name.len] & 0xC0) == 0x80)
			name.len--;
	}
	copy = arena_slice(arena, name);
	for (size_t i = 0; copy != NULL && i < name.len; i++) {
		unsigned char c = (unsigned char)copy[i];

		if (c < 0x20 || c == 0x7f || c == '"')
			copy[i] = ' ';
	}
	return copy;
}

/* RFC 2397: data:[type][;parameter]*[;base64],data. False when it is no data: URL. */
static bool
data_url_read(struct slice url, struct data_url *out)
{
	static const struct slice scheme = SLICE_LIT("data:"), base64 = SLICE_LIT(";base64");
	const char *comma, *semicolon;
	struct slice head;

	if (url.len < scheme.len || !slice_is_nocase(slice_of(url.p, scheme.len), scheme.p))
		return false;
	comma = memchr(url.p, ',', url.len);
	if (comma == NULL)
		return false;
	head = slice_of(url.p + scheme.len, (size_t)(comma - url.p) - scheme.len);
	out->data = slice_of(comma + 1, url.len - (size_t)(comma + 1 - url.p));
	out->is_base64 = head.len >= base64.len &&
	    slice_is_nocase(slice_of(head.p + head.len - base64.len, base64.len), base64.p);
	semicolon = head.len == 0 ? NULL : memchr(head.p, ';', head.len);
	out->type = semicolon == NULL ? head : slice_of(head.p, (size_t)(semicolon - head.p));
	return true;
}

/* RFC 3986, 2.1; bytes of any value, for a PDF may be written so. */
static bool
percent_bytes(struct slice text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		int high, low;

		if (text.p[i] != '%') {
			buf_putc(out, text.p[i]);
			continue;
		}
		if (text.len - i < 3)
			return false;
		high = hex_value(text.p[i + 1]);
		low = hex_value(text.p[i + 2]);
		if (high < 0 || low < 0)
			return false;
		buf_putc(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

/* The bytes of a data: URL. False with err set. */
static bool
data_url_bytes(const struct data_url *url, const char *where, struct arena *arena,
    struct slice *out, struct err *err)
{
	struct buf bytes;
	bool ok;

	buf_init(&bytes, url->data.len + 1);
	ok = url->is_base64 ? b64_get(&bytes, url->data) : percent_bytes(url->data, &bytes);
	if (bytes.no_memory)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "a file of the message");
	else if (!ok || bytes.failed)
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"%s\" has a data: URL that does not decode; send base64 with padding.",
		    where);
	else if (bytes.len == 0)
		err_set(err, ERR_INVALID_FIELD, "Field \"%s\" has no bytes; send a file that has.",
		    where);
	else
		*out = slice_of(arena_slice(arena, buf_view(&bytes)), bytes.len);
	buf_free(&bytes);
	if (!err_is(err) && out->p == NULL)
		err_set(err, arena_no_memory(arena) ? ERR_OVERLOADED : ERR_TOO_LARGE,
		    "The files are too large together; send fewer or smaller ones.");
	return !err_is(err);
}

/* Any text is taken, not only what can be ingested: the model reads CSV and JSON as they are. */
static bool
is_text(struct slice type)
{
	static const char *const others[] = { "application/json", "application/xml",
		"application/yaml", "application/x-yaml", "application/javascript", NULL };

	if (type.len > 5 && slice_is_nocase(slice_of(type.p, 5), "text/"))
		return true;
	for (size_t i = 0; others[i] != NULL; i++)
		if (slice_is_nocase(type, others[i]))
			return true;
	return false;
}

static bool
file_read_document(const struct data_url *url, struct slice type, const char *where,
    struct arena *arena, struct chat_file *file, struct err *err)
{
	const struct document_format *format;

	if (!data_url_bytes(url, where, arena, &file->bytes, err))
		return false;
	format = format_detect(type, slice_str(file->name), file->bytes);
	if (format != NULL && format->reader != READER_TEXT) {
		file->kind = CHAT_FILE_PDF;
		return true;
	}
	if (format == NULL && !is_text(type)) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"%s\" is a file of a kind that is not read; send text, PDF or an "
		    "image.",
		    where);
		return false;
	}
	if (json_utf8_valid(file->bytes)) {
		file->kind = CHAT_FILE_TEXT;
		return true;
	}
	err_set(err, ERR_INVALID_FIELD,
	    "Field \"%s\" is text that is not UTF-8, or has a NUL byte; save it as UTF-8.", where);
	return false;
}

/* Decoded only to see that it can be: what goes on is the URL, written anew, so that nothing of the
 * client's stands before its data. Other kinds than these four no model takes. */
static bool
file_read_image(const struct data_url *url, struct slice type, const char *where,
    struct arena *arena, struct chat_file *file, struct err *err)
{
	static const char *const types[] = { "image/png", "image/jpeg", "image/gif", "image/webp",
		NULL };
	struct slice bytes;
	size_t i;
	char *text;

	for (i = 0; types[i] != NULL && !slice_is_nocase(type, types[i]); i++)
		continue;
	if (types[i] == NULL || !url->is_base64) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"%s\" is an image that is not passed on; send PNG, JPEG, GIF or WebP "
		    "in base64.",
		    where);
		return false;
	}
	if (!data_url_bytes(url, where, arena, &bytes, err))
		return false;
	text = arena_printf(arena, "data:%s;base64,%.*s", types[i], SLICE_ARG(url->data));
	if (text == NULL) {
		err_set(err, arena_no_memory(arena) ? ERR_OVERLOADED : ERR_TOO_LARGE,
		    "The images are too large together; send fewer or smaller ones.");
		return false;
	}
	file->kind = CHAT_FILE_IMAGE;
	file->bytes = slice_str(text);
	return true;
}

bool
chat_file_read(const json_t *part, const char *where, bool accepts_images, struct arena *arena,
    struct chat_file *file, struct err *err)
{
	struct file_fields f = fields_of(part);
	struct data_url url;
	struct slice type;

	file->kind = CHAT_FILE_NAMED;
	file->name = name_copy(f.name, arena);
	if (file->name == NULL) {
		err_set(err, arena_no_memory(arena) ? ERR_OVERLOADED : ERR_TOO_LARGE,
		    "The files are too many together; send fewer.");
		return false;
	}
	if (f.url.p == NULL || !data_url_read(f.url, &url)) {
		err_set(err, ERR_INVALID_FIELD,
		    "Field \"%s\" must hold a file as a data: URL; other addresses are not "
		    "fetched.",
		    where);
		return false;
	}
	type = f.type.len > 0 ? f.type : url.type;
	if (f.is_image && url.type.len > 0)
		type = url.type;
	if (!f.is_image && !(type.len > 6 && slice_is_nocase(slice_of(type.p, 6), "image/")))
		return file_read_document(&url, type, where, arena, file, err);
	if (accepts_images)
		return file_read_image(&url, type, where, arena, file, err);
	err_set(err, ERR_INVALID_FIELD,
	    "Field \"%s\" is an image, and images are not accepted here (chat_accepts_images).",
	    where);
	return false;
}
