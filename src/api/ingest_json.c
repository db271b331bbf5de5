/* SPDX-License-Identifier: MIT */
/*
 * ingest_json: see the header. What is shortened of a long field is still longer than the field may
 * be: a text alone is taken whole.
 */
#include "api/ingest_json.h"

#include "api/ingest_item.h"
#include "tenantgate/auth/tenant_named.h"
#include "tenantgate/base/json.h"
#include "tenantgate/base/json_long.h"

/* The longest escape of one byte has six. */
#define STRING_KEPT ((size_t)100 << 10)
_Static_assert(STRING_KEPT / 6 > INGEST_METADATA_MAX, "what is kept of a string is too long");

static const struct json_long_conf long_conf = {
	.string_max = (size_t)128 << 10,
	.string_kept = STRING_KEPT,
	.rest_max = INGEST_JSON_REST,
	.piece = (size_t)64 << 10,
};

/* One body, while it is read. */
struct json_body {
	const struct ingest_head *head;
	const struct ingest_source *source;
	struct json_long strings; /* of one on the disk */
	struct arena *arena;
	struct ingest_items *out;
};

static bool
is_on_disk(const struct json_body *b)
{
	return b->source->decoded != NULL;
}

/* The metadata of a JSON body as text again, for the column and its ceiling are the text's. */
static bool
json_metadata(const json_t *root, struct arena *arena, struct ingest_form *form, struct err *err)
{
	json_t *metadata = NULL;
	struct buf b;

	if (!json_opt_object(root, "metadata", &metadata, err))
		return false;
	if (metadata == NULL)
		return true;
	buf_init(&b, INGEST_METADATA_MAX);
	json_put(&b, metadata);
	if (b.failed && !b.no_memory)
		err_set(err, ERR_INVALID_FIELD, "The metadata must be at most %u bytes of JSON.",
		    INGEST_METADATA_MAX);
	else if (b.failed)
		err_set(err, ERR_OVERLOADED, ERR_NO_MEMORY, "the metadata");
	else
		form->metadata = slice_of(ingest_field_copy(arena, buf_view(&b), err), b.len);
	buf_free(&b);
	return !err_is(err);
}

/* A text's name may say that it is Markdown, say; but it is no PDF. */
static struct slice
json_media_type(struct slice file_name)
{
	const struct document_format *format =
	    format_detect((struct slice){ 0 }, file_name, (struct slice){ 0 });

	return format != NULL && format->reader == READER_TEXT ? slice_str(format->media_type)
							       : SLICE_LIT("text/plain");
}

/* To where it stays when the parsed JSON goes. */
static bool
text_keep(struct json_body *b, struct slice *text, struct err *err)
{
	unsigned which = is_on_disk(b) ? json_long_which(&b->strings, *text) : JSON_LONG_NONE;

	if (is_on_disk(b) &&
	    !json_long_read(&b->strings, which, b->source->add, b->source->arg, err))
		return false;
	b->out->is_mapped = which != JSON_LONG_NONE;
	if (b->out->is_mapped)
		return spool_map(b->source->decoded, text, err);
	*text = slice_of(arena_slice(b->arena, *text), text->len);
	return text->p != NULL || ingest_fields_too_large(b->arena, err);
}

/* What the body says counts before what the URL says. */
static bool
read_fields(struct json_body *b, const json_t *root, struct err *err)
{
	struct ingest_form form = ingest_form_of(b->head);
	struct slice text = { 0 }, file_name = b->head->file_name;
	bool if_new = false;

	if (!json_get_string(root, "text", &text, err) ||
	    !json_opt_string(root, "documentId", &form.document_id, err) ||
	    !json_opt_string(root, "title", &form.title, err) ||
	    !json_opt_string(root, "fileName", &file_name, err) ||
	    !json_opt_string(root, "expiresAt", &form.expires_at, err) ||
	    !json_opt_string(root, "language", &form.language, err) ||
	    !json_opt_bool(root, "ifNew", &if_new, err) ||
	    !json_metadata(root, b->arena, &form, err))
		return false;
	if (json_object_get(root, "ifNew") != NULL)
		form.if_new = slice_str(if_new ? "1" : "0");
	return text_keep(b, &text, err) &&
	    ingest_item_add(b->out, &form, text, json_media_type(file_name), file_name, b->arena,
		err);
}

/* A NUL of the text becomes a blank; ids and names with one are refused as they are read. */
static json_t *
read_object(struct json_body *b, struct err *err)
{
	struct slice text = slice_of(b->source->body, b->source->len);

	if (is_on_disk(b))
		return json_long_begin(&b->strings, &long_conf, text, err)
		    ? json_long_object(&b->strings, INGEST_NODES_MAX, err)
		    : NULL;
	return json_nodes_fit(text, INGEST_NODES_MAX, err) ? json_read_object_with_nul(text, err)
							   : NULL;
}

bool
ingest_json_read(const struct ingest_head *head, const struct ingest_source *source,
    struct arena *arena, struct ingest_items *out, struct err *err)
{
	struct json_body b = { .head = head, .source = source, .arena = arena, .out = out };
	json_t *root = read_object(&b, err);
	bool ok = root != NULL && tenant_named_in_json(root, head->tenant, err) &&
	    read_fields(&b, root, err);

	json_decref(root);
	json_long_free(&b.strings);
	out->copied = true;
	return ok;
}
