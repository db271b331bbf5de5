/* SPDX-License-Identifier: MIT */
/*
 * ingest_item: one document of a body. Names and ids are shown in pages and logs and stored in two
 * databases: they are checked once, here. The declared type decides what a document is; its bytes
 * are not looked at where one is declared.
 */
#include "api/ingest_item.h"

#include "api/expires_at.h"
#include "api/label.h"
#include "api/parameter.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/random.h"
#include "tenantgate/base/utf8.h"

#define TITLE_MAX	512 /* bytes */
#define TITLE_FOUND_MAX 200 /* bytes of a title that is the text's own first line */
#define FILE_NAME_MAX	255 /* bytes, as file systems have it */
#define ID_RANDOM	14  /* characters, as the reference app's doc_ ids */
/* What Postgres stores of a number in JSON (jsonb): its manual, 8.1.2, "Arbitrary Precision
 * Numbers". */
#define FRACTION_MAX 16383 /* digits behind the point */

bool
ingest_fields_too_large(const struct arena *arena, struct err *err)
{
	if (arena_no_memory(arena))
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the body's fields");
	err_set(err, ERR_TOO_LARGE, "The body's fields are too large together; send shorter ones.");
	return false;
}

/* Text that is shown, logged and stored: UTF-8 without control characters (NUL, which Postgres
 * refuses, is one of them). */
static bool
text_field(struct slice s, const char *field, size_t min, size_t max, struct err *err)
{
	bool ok = s.len >= min && s.len <= max && json_utf8_valid(s);

	for (size_t i = 0; ok && i < s.len; i++)
		ok = (unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f;
	if (!ok)
		err_set(err, ERR_INVALID_FIELD,
		    "The %s must be %zu to %zu bytes of UTF-8 without control characters.", field,
		    min, max);
	return ok;
}

const char *
ingest_field_copy(struct arena *arena, struct slice s, struct err *err)
{
	const char *copy = s.len == 0 ? "" : arena_slice(arena, s);

	if (copy == NULL)
		ingest_fields_too_large(arena, err);
	return copy;
}

/* An id stays as it is, or is refused. Browsers take "." and ".." out of a URL, escaped or not (the
 * WHATWG URL standard, "double-dot URL path segment"): such a document could not be named again. */
static bool
document_id_fits(struct slice id, struct err *err)
{
	if (!text_field(id, "documentId", 1, DOCUMENT_ID_MAX, err))
		return false;
	if (label_has_unseen(id))
		err_set(err, ERR_INVALID_FIELD,
		    "The documentId has characters that are not seen (marks of direction, or "
		    "controls); send another.");
	else if (slice_is(id, ".") || slice_is(id, ".."))
		err_set(err, ERR_INVALID_FIELD,
		    "A documentId \".\" or \"..\" would be taken out of URLs; send another.");
	return !err_is(err);
}

/* The client's id, or a random one: of the 54^14 there are, two do not
 * coincide in practice. NULL with err set. */
static const char *
document_id(struct arena *arena, struct slice given, struct err *err)
{
	char *made;

	if (given.p != NULL)
		return document_id_fits(given, err) ? ingest_field_copy(arena, given, err) : NULL;
	made = arena_alloc(arena, sizeof("doc_") + ID_RANDOM);
	if (made == NULL) {
		ingest_fields_too_large(arena, err);
		return NULL;
	}
	memcpy(made, "doc_", 4);
	id_random(made + 4, ID_RANDOM);
	return made;
}

/* Browsers send a bare name; some clients a whole path. Only the last part is kept. */
static struct slice
base_name(struct slice s)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.p[i - 1] == '/' || s.p[i - 1] == '\\')
			return slice_of(s.p + i, s.len - i);
	return s;
}

/* The JSON text of an object, checked; it goes to Postgres (jsonb) as it was sent. NULL with err
 * set. */
static const char *
metadata_text(struct arena *arena, struct slice text, struct err *err)
{
	struct err bad = { 0 };
	json_t *parsed;

	if (text.p == NULL)
		return "{}";
	if (text.len > INGEST_METADATA_MAX) {
		err_set(err, ERR_INVALID_FIELD, "The metadata must be at most %u bytes of JSON.",
		    INGEST_METADATA_MAX);
		return NULL;
	}
	if (json_fraction_digits(text) > FRACTION_MAX) {
		err_set(err, ERR_INVALID_FIELD,
		    "A number of the metadata has more than %d digits behind its point; send "
		    "fewer, or a string.",
		    FRACTION_MAX);
		return NULL;
	}
	parsed = json_read_object(text, &bad);
	if (parsed == NULL) {
		err_set(err, ERR_INVALID_FIELD, "The metadata must be a JSON object. %s",
		    bad.detail);
		return NULL;
	}
	json_decref(parsed);
	return ingest_field_copy(arena, text, err);
}

/* As much of a name as is kept, cut between two characters: it is a label, and no reason to refuse
 * a document. */
static struct slice
name_shortened(struct slice s)
{
	size_t n = 0;

	if (s.len <= FILE_NAME_MAX)
		return s;
	for (;;) {
		uint32_t point;
		size_t width = utf8_next(s.p + n, s.len - n, &point);

		if (n + width > FILE_NAME_MAX)
			return slice_of(s.p, n);
		n += width;
	}
}

/* A document without a title is listed by its file's name; without either it gets a title when its
 * text is known (ingest_item_entitle()). */
static bool
set_names(struct ingest_item *item, struct slice title, struct slice file_name, struct arena *arena,
    struct err *err)
{
	struct document *d = &item->document;

	file_name = base_name(file_name);
	if (!label_clean(arena, &title) || !label_clean(arena, &file_name))
		return ingest_fields_too_large(arena, err);
	file_name = name_shortened(file_name);
	if (!text_field(title, "title", 0, TITLE_MAX, err) ||
	    !text_field(file_name, "file name", 0, FILE_NAME_MAX, err))
		return false;
	item->has_title = title.len > 0;
	d->title = ingest_field_copy(arena, item->has_title ? title : file_name, err);
	file_name = slice_str(ingest_field_copy(arena, file_name, err));
	if (d->title != NULL && file_name.p != NULL)
		d->file_name = file_name.p;
	return d->title != NULL && file_name.p != NULL;
}

/* The first line of a text that has a letter, without Markdown's marks of a heading. */
static struct slice
first_line(struct slice text)
{
	struct slice line = { 0 };

	while (text.len > 0 && line.len == 0) {
		const char *end = memchr(text.p, '\n', text.len);

		line = slice_of(text.p, end == NULL ? text.len : (size_t)(end - text.p));
		text = slice_of(text.p + line.len, text.len - line.len);
		if (text.len > 0)
			text = slice_of(text.p + 1, text.len - 1);
		while (line.len > 0 && memchr("# \t\r\f", line.p[0], 5) != NULL)
			line = slice_of(line.p + 1, line.len - 1);
	}
	while (line.len > 0 && memchr("# \t\r\f", line.p[line.len - 1], 5) != NULL)
		line.len--;
	return line;
}

bool
ingest_item_entitle(struct ingest_item *item, struct slice text, struct arena *arena,
    struct err *err)
{
	char title[TITLE_FOUND_MAX + 1], *line;
	struct slice found;

	if (item->document.title[0] != '\0')
		return true;
	found = first_line(text);
	if (found.len > 2 * TITLE_FOUND_MAX)
		found.len = 2 * TITLE_FOUND_MAX;
	if (!label_clean(arena, &found))
		return ingest_fields_too_large(arena, err);
	line = arena_slice(arena, found);
	if (found.len == 0 || line == NULL)
		return found.len == 0 || ingest_fields_too_large(arena, err);
	for (char *p = line; *p != '\0'; p++)
		if (*p == '\t' || *p == '\r' || *p == '\f')
			*p = ' ';
	err_text_copy(title, sizeof(title), line);
	item->document.title = ingest_field_copy(arena, slice_str(title), err);
	return item->document.title != NULL;
}

/* The digest by which the same bytes are known again; over the bytes as they were sent. */
static bool
set_digest(struct ingest_item *item, bool is_mapped, struct arena *arena, struct err *err)
{
	char *hex = arena_alloc(arena, SHA256_HEX_SIZE);

	if (hex == NULL)
		return ingest_fields_too_large(arena, err);
	if (is_mapped)
		spool_sha256_hex(item->bytes, hex);
	else
		sha256_hex(item->bytes, hex);
	item->document.sha256 = hex;
	item->document.bytes = item->bytes.len;
	return true;
}

/* What pdftotext takes. Its bytes are what they are: PDFs before version 2 know no UTF-8. */
static bool
set_password(struct ingest_item *item, struct slice given, struct arena *arena, struct err *err)
{
	if (given.len == 0)
		return true;
	if (given.len > EXTRACT_PASSWORD_MAX || memchr(given.p, 0, given.len) != NULL) {
		err_set(err, ERR_INVALID_FIELD,
		    "The password must be at most %u bytes without a NUL; send the PDF without "
		    "one.",
		    EXTRACT_PASSWORD_MAX);
		return false;
	}
	item->password = ingest_field_copy(arena, given, err);
	return item->password != NULL;
}

/* None is said: it never goes by itself. */
static bool
set_expiry(struct ingest_item *item, struct slice given, struct arena *arena, struct err *err)
{
	item->has_expiry = given.len > 0;
	item->document.expires_at = item->has_expiry ? expires_at_read(given, arena, err) : "";
	return item->document.expires_at != NULL;
}

static bool
set_language(struct ingest_item *item, struct slice given, struct err *err)
{
	item->has_language = given.len > 0;
	item->language = item->has_language ? language_find(given) : LANGUAGE_USUAL;
	if (item->language == LANGUAGES)
		err_set(err, ERR_INVALID_FIELD, "The language may be: %s.", language_list());
	return !err_is(err);
}

static bool
set_if_new(struct ingest_item *item, struct slice said, struct err *err)
{
	item->if_new = slice_is(said, "1") || slice_is(said, "true");
	if (said.len > 0 && !item->if_new && !slice_is(said, "0") && !slice_is(said, "false"))
		err_set(err, ERR_INVALID_FIELD, "The ifNew must be 1 or 0; send one of them.");
	return !err_is(err);
}

struct ingest_form
ingest_form_of(const struct ingest_head *head)
{
	return (struct ingest_form){ .document_id = head->document_id,
		.title = head->title,
		.password = head->password,
		.expires_at = head->expires_at,
		.language = head->language,
		.if_new = head->if_new };
}

bool
ingest_item_add(struct ingest_items *out, const struct ingest_form *form, struct slice bytes,
    struct slice declared, struct slice file_name, struct arena *arena, struct err *err)
{
	struct ingest_item *item = &out->items[out->count];
	struct document *d = &item->document;
	const struct document_format *format;

	if (out->count == INGEST_FILES_MAX) {
		err_set(err, ERR_INVALID_FIELD,
		    "A request may have at most %d files; send the others in another.",
		    INGEST_FILES_MAX);
		return false;
	}
	*item = (struct ingest_item){ .bytes = bytes,
		.charset = header_parameter(declared, "charset"),
		.document.file_name = "" };
	if (!set_names(item, form->title, file_name, arena, err) ||
	    !set_if_new(item, form->if_new, err) || !set_language(item, form->language, err))
		return false;
	if (bytes.len == 0) {
		err_set(err, ERR_DOC_EMPTY, "The document has no bytes; send one that has some.");
		return false;
	}
	format = format_detect(declared, file_name, bytes);
	if (format == NULL) {
		format_refuse(err);
		return false;
	}
	d->mime_type = format->media_type;
	item->has_metadata = form->metadata.p != NULL;
	d->id = document_id(arena, form->document_id, err);
	d->metadata = metadata_text(arena, form->metadata, err);
	if (d->id == NULL || d->metadata == NULL ||
	    !set_expiry(item, form->expires_at, arena, err) ||
	    !set_password(item, form->password, arena, err) ||
	    !set_digest(item, out->is_mapped, arena, err))
		return false;
	out->count++;
	return true;
}

/* It counts for nothing any more, and another may have been admitted in its place: it is not made
 * to stay, but stored as if it was new (document_begin.c). */
static bool
stored_is_over(const struct document *stored)
{
	const char *at = stored->stored_expires_at;

	return at != NULL && at[0] != '\0' && clock_iso_read(slice_str(at)) <= clock_wall_us();
}

bool
ingest_item_is(const struct ingest_item *item, const struct document *stored)
{
	const struct document_format *now = format_find(item->document.mime_type);
	const struct document_format *then = format_find(stored->mime_type);

	return strcmp(stored->sha256, item->document.sha256) == 0 && now != NULL && then != NULL &&
	    now->reader == then->reader && !stored_is_over(stored);
}

/* One that is not said stays, unless it is over by now, which the database sees. */
static bool
expiry_may_change(const struct ingest_item *item, const struct document *stored)
{
	if (!item->has_expiry)
		return stored->stored_expires_at != NULL && stored->stored_expires_at[0] != '\0';
	return stored->stored_expires_at == NULL ||
	    strcmp(stored->stored_expires_at, item->document.expires_at) != 0;
}

/* A name that is the title too, for want of one, is not said to be the title. */
bool
ingest_item_merge(struct ingest_item *item, const struct document *stored)
{
	const struct document said = item->document;
	struct document *d = &item->document;

	*d = *stored;
	d->mime_type = said.mime_type;
	if (item->has_title)
		d->title = said.title;
	if (said.file_name[0] != '\0')
		d->file_name = said.file_name;
	if (item->has_metadata)
		d->metadata = said.metadata;
	d->expires_at = item->has_expiry ? said.expires_at : NULL;
	return expiry_may_change(item, stored) || strcmp(d->mime_type, stored->mime_type) != 0 ||
	    strcmp(d->title, stored->title) != 0 || strcmp(d->file_name, stored->file_name) != 0 ||
	    strcmp(d->metadata, stored->metadata) != 0;
}
