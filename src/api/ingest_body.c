/* SPDX-License-Identifier: MIT */
/*
 * ingest_body: three forms of body, one list of items.
 *
 * Names and ids are shown in pages and logs and stored in two databases: they are checked once,
 * here. The declared type decides what a document is; its bytes are not looked at where one is
 * declared.
 */
#include "api/ingest_body.h"

#include "api/parameter.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/random.h"

#define TITLE_MAX     512	  /* bytes */
#define FILE_NAME_MAX 255	  /* bytes, as file systems have it */
#define METADATA_MAX  (16u << 10) /* bytes of JSON */
#define ID_RANDOM     14	  /* characters, as the reference app's doc_ ids */

/* What a request says of each of its documents; p NULL where it does not. */
struct form {
	struct slice document_id;
	struct slice title;
	struct slice metadata; /* JSON text */
	struct slice password;
};

/* Why an arena gave nothing: no memory is ours (503), its ceiling is the body's (413). The first
 * reason set is kept. Always false, to be returned. */
static bool
ingest_body_too_large(const struct arena *arena, struct err *err)
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

/* NULL with err set when the arena gives nothing. */
static const char *
field_copy(struct arena *arena, struct slice s, struct err *err)
{
	const char *copy = s.len == 0 ? "" : arena_slice(arena, s);

	if (copy == NULL)
		ingest_body_too_large(arena, err);
	return copy;
}

/* The client's id, or a random one: of the 54^14 there are, two do not
 * coincide in practice. NULL with err set. */
static const char *
document_id(struct arena *arena, struct slice given, struct err *err)
{
	char *made;

	if (given.p != NULL)
		return text_field(given, "documentId", 1, DOCUMENT_ID_MAX, err)
		    ? field_copy(arena, given, err)
		    : NULL;
	made = arena_alloc(arena, sizeof("doc_") + ID_RANDOM);
	if (made == NULL) {
		ingest_body_too_large(arena, err);
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
	if (text.len > METADATA_MAX) {
		err_set(err, ERR_INVALID_FIELD, "The metadata must be at most %u bytes of JSON.",
		    METADATA_MAX);
		return NULL;
	}
	parsed = json_read_object(text, &bad);
	if (parsed == NULL) {
		err_set(err, ERR_INVALID_FIELD, "The metadata must be a JSON object. %s",
		    bad.detail);
		return NULL;
	}
	json_decref(parsed);
	return field_copy(arena, text, err);
}

/* A document without a title is listed by its file's name. */
static bool
set_names(struct document *d, struct slice title, struct slice file_name, struct arena *arena,
    struct err *err)
{
	if (!text_field(title, "title", 0, TITLE_MAX, err) ||
	    !text_field(file_name, "file name", 0, FILE_NAME_MAX, err))
		return false;
	d->file_name = field_copy(arena, file_name, err);
	d->title = title.len > 0 ? field_copy(arena, title, err) : d->file_name;
	return d->title != NULL && d->file_name != NULL;
}

/* The digest by which the same bytes are known again; over the bytes as they were sent. */
static bool
set_digest(struct ingest_item *item, struct arena *arena, struct err *err)
{
	char *hex = arena_alloc(arena, SHA256_HEX_SIZE);

	if (hex == NULL)
		return ingest_body_too_large(arena, err);
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
	item->password = field_copy(arena, given, err);
	return item->password != NULL;
}

/* One document more: its type, its id, its names, its digest. */
static bool
add_item(struct ingest_items *out, const struct form *form, struct slice bytes,
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
	if (bytes.len == 0) {
		err_set(err, ERR_DOC_EMPTY, "The document has no bytes; send one that has some.");
		return false;
	}
	*item = (struct ingest_item){ .bytes = bytes,
		.charset = header_parameter(declared, "charset") };
	format = format_detect(declared, file_name, bytes);
	if (format == NULL) {
		format_refuse(err);
		return false;
	}
	d->mime_type = format->media_type;
	d->id = document_id(arena, form->document_id, err);
	d->metadata = metadata_text(arena, form->metadata, err);
	if (d->id == NULL || d->metadata == NULL ||
	    !set_names(d, form->title, base_name(file_name), arena, err) ||
	    !set_password(item, form->password, arena, err) || !set_digest(item, arena, err))
		return false;
	out->count++;
	return true;
}

/* What the URL says, which a form's own fields may say again. */
static struct form
form_of(const struct ingest_head *head)
{
	return (struct form){ .document_id = head->document_id,
		.title = head->title,
		.password = head->password };
}

/* Other fields are passed over. An empty documentId or metadata is a form's input that was left
 * blank, and means none. Of a field that comes twice the last counts. */
static void
form_fields(const struct parts *parts, struct form *form)
{
	for (unsigned i = 0; i < parts->count; i++) {
		const struct part *p = &parts->items[i];

		if (slice_is(p->name, "documentId") && p->bytes.len > 0)
			form->document_id = p->bytes;
		else if (slice_is(p->name, "title"))
			form->title = p->bytes;
		else if (slice_is(p->name, "metadata") && p->bytes.len > 0)
			form->metadata = p->bytes;
		else if (slice_is(p->name, "password"))
			form->password = p->bytes;
	}
}

static unsigned
count_files(const struct parts *parts)
{
	unsigned n = 0;

	for (unsigned i = 0; i < parts->count; i++)
		n += slice_is(parts->items[i].name, "file");
	return n;
}

/* A form's fields hold for each of its files. One id for several files would store each in the
 * place of the one before. */
static bool
read_multipart(const struct ingest_head *head, char *body, size_t len, struct arena *arena,
    struct ingest_items *out, struct err *err)
{
	struct slice boundary = multipart_boundary(head->content_type);
	struct form form = form_of(head);
	struct parts *parts = arena_alloc(arena, sizeof(*parts));

	if (parts == NULL)
		return ingest_body_too_large(arena, err);
	if (boundary.p == NULL) {
		err_set(err, ERR_BAD_REQUEST,
		    "Content-Type multipart/form-data must have one boundary, of 1 to 70 "
		    "characters.");
		return false;
	}
	if (!multipart_read(body, len, boundary, parts, err))
		return false;
	form_fields(parts, &form);
	if (count_files(parts) == 0) {
		err_set(err, ERR_INVALID_FIELD,
		    "The form has no file; name the part of each document \"file\".");
		return false;
	}
	if (count_files(parts) > 1 && form.document_id.p != NULL) {
		err_set(err, ERR_INVALID_FIELD,
		    "A documentId goes with one file; send one file, or no documentId.");
		return false;
	}
	for (unsigned i = 0; i < parts->count; i++) {
		const struct part *p = &parts->items[i];

		if (slice_is(p->name, "file") &&
		    !add_item(out, &form, p->bytes, p->content_type, p->file_name, arena, err))
			return false;
	}
	return true;
}

/* The metadata of a JSON body as text again, for the column and its ceiling are the text's. */
static bool
json_metadata(const json_t *root, struct arena *arena, struct form *form, struct err *err)
{
	json_t *metadata = NULL;
	struct buf b;

	if (!json_opt_object(root, "metadata", &metadata, err))
		return false;
	if (metadata == NULL)
		return true;
	buf_init(&b, METADATA_MAX);
	json_put(&b, metadata);
	if (b.failed && !b.no_memory)
		err_set(err, ERR_INVALID_FIELD, "The metadata must be at most %u bytes of JSON.",
		    METADATA_MAX);
	else if (b.failed)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the metadata");
	else
		form->metadata = slice_of(field_copy(arena, buf_view(&b), err), b.len);
	buf_free(&b);
	return !err_is(err);
}

/* The text is copied, for the parsed JSON goes before the document is stored. */
static bool
read_json_fields(const json_t *root, struct arena *arena, struct ingest_items *out, struct err *err)
{
	struct form form = { 0 };
	struct slice text = { 0 };

	if (!json_get_string(root, "text", &text, err) ||
	    !json_opt_string(root, "documentId", &form.document_id, err) ||
	    !json_opt_string(root, "title", &form.title, err) ||
	    !json_metadata(root, arena, &form, err))
		return false;
	text = slice_of(arena_slice(arena, text), text.len);
	if (text.p == NULL)
		return ingest_body_too_large(arena, err);
	return add_item(out, &form, text, SLICE_LIT("text/plain"), (struct slice){ 0 }, arena, err);
}

/* Parameters may follow the type (RFC 9110, 8.3.1), and its case does not matter. */
static bool
media_type_is(struct slice content_type, const char *want)
{
	size_t n = strlen(want);

	return content_type.len >= n && strncasecmp(content_type.p, want, n) == 0 &&
	    (content_type.len == n || content_type.p[n] == ';' || content_type.p[n] == ' ');
}

bool
ingest_query_decodes(struct slice query)
{
	for (size_t i = 0; i < query.len; i++) {
		if (query.p[i] != '%')
			continue;
		if (i + 2 >= query.len || hex_value(query.p[i + 1]) < 0 ||
		    hex_value(query.p[i + 2]) < 0)
			return false;
	}
	return true;
}

bool
ingest_body_read(const struct ingest_head *head, char *body, size_t len, struct arena *arena,
    struct ingest_items *out, struct err *err)
{
	struct slice text = slice_of(body, len);
	struct form form = form_of(head);
	json_t *root;
	bool ok;

	out->count = 0;
	out->copied = false;
	if (media_type_is(head->content_type, "multipart/form-data"))
		return read_multipart(head, body, len, arena, out, err);
	if (!media_type_is(head->content_type, "application/json"))
		return add_item(out, &form, text, head->content_type, head->file_name, arena, err);
	root = json_nodes_fit(text, INGEST_NODES_MAX, err) ? json_read_object(text, err) : NULL;
	if (root == NULL)
		return false;
	ok = read_json_fields(root, arena, out, err);
	json_decref(root);
	out->copied = true;
	return ok;
}
