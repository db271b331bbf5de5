/* SPDX-License-Identifier: MIT */
/*
 * ingest_body: three forms of body, one list of items.
 */
#include "api/ingest_body.h"

#include "api/ingest_form.h"
#include "api/ingest_item.h"
#include "api/ingest_json.h"

#include "tenantgate/auth/tenant_named.h"
#include "tenantgate/base/hex.h"
#include "tenantgate/base/json.h"

/* Where a form's part goes; NULL: it is no field of ours. */
static struct slice *
form_field(struct ingest_form *form, struct slice name)
{
	const struct {
		const char *name;
		struct slice *value;
	} fields[] = { { "documentId", &form->document_id }, { "title", &form->title },
		{ "metadata", &form->metadata }, { "password", &form->password },
		{ "expiresAt", &form->expires_at }, { "language", &form->language },
		{ "ifNew", &form->if_new } };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (slice_is(name, fields[i].name))
			return fields[i].value;
	return NULL;
}

/* Other fields are passed over. An empty one is a form's input that was left blank, and means none.
 * One that comes twice is refused: what was meant is not known, and a proxy in front of us may have
 * read the other. What a form says counts before what the URL says. */
static bool
form_fields(const struct parts *parts, struct ingest_form *out, struct err *err)
{
	struct ingest_form form = { 0 };

	for (unsigned i = 0; i < parts->count && !err_is(err); i++) {
		const struct part *p = &parts->items[i];
		struct slice *value = form_field(&form, p->name);

		if (value != NULL && value->p != NULL)
			err_set(err, ERR_INVALID_FIELD,
			    "The form has the field %.*s twice; send it once.", SLICE_ARG(p->name));
		else if (value != NULL)
			*value = p->bytes;
	}
	if (form.document_id.len > 0)
		out->document_id = form.document_id;
	if (form.title.len > 0)
		out->title = form.title;
	if (form.metadata.len > 0)
		out->metadata = form.metadata;
	if (form.password.len > 0)
		out->password = form.password;
	if (form.expires_at.len > 0)
		out->expires_at = form.expires_at;
	if (form.language.len > 0)
		out->language = form.language;
	if (form.if_new.len > 0)
		out->if_new = form.if_new;
	return !err_is(err);
}

static bool
form_names_agree(const struct parts *parts, char *tenant, struct err *err)
{
	for (unsigned i = 0; i < parts->count; i++)
		if (!tenant_named_agrees(parts->items[i].name, parts->items[i].bytes, tenant, err))
			return false;
	return true;
}

static unsigned
count_files(const struct parts *parts)
{
	unsigned n = 0;

	for (unsigned i = 0; i < parts->count; i++)
		n += slice_is(parts->items[i].name, "file");
	return n;
}

/* Of several files one that is refused does not refuse the others: the reason is kept with it. */
static bool
add_files(const struct parts *parts, const struct ingest_form *form, struct arena *arena,
    struct ingest_items *out, struct err *err)
{
	bool is_single = count_files(parts) == 1;

	for (unsigned i = 0; i < parts->count; i++) {
		const struct part *p = &parts->items[i];
		struct err why = { .code = ERR_NONE };

		if (!slice_is(p->name, "file") ||
		    ingest_item_add(out, form, p->bytes, p->content_type, p->file_name, arena,
			&why))
			continue;
		if (is_single || out->count == INGEST_FILES_MAX || err_status(why.code) >= 500 ||
		    why.code == ERR_TOO_LARGE) {
			*err = why;
			return false;
		}
		out->items[out->count++].err = why;
	}
	return true;
}

/* A form's fields hold for each of its files. One id for several files would store each in the
 * place of the one before. */
static bool
read_multipart(const struct ingest_head *head, const struct ingest_source *source,
    struct arena *arena, struct ingest_items *out, struct err *err)
{
	struct slice boundary = multipart_boundary(head->content_type);
	struct ingest_form form = ingest_form_of(head);
	struct parts *parts = arena_alloc(arena, sizeof(*parts));

	if (parts == NULL)
		return ingest_fields_too_large(arena, err);
	if (boundary.p == NULL) {
		err_set(err, ERR_BAD_REQUEST,
		    "Content-Type multipart/form-data must have one boundary, of 1 to 70 "
		    "characters.");
		return false;
	}
	if (!multipart_read(source->body, source->len, source->decoded != NULL, boundary, parts,
		err) ||
	    !ingest_form_decode(parts, source, err))
		return false;
	if (!form_names_agree(parts, head->tenant, err) || !form_fields(parts, &form, err))
		return false;
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
	return add_files(parts, &form, arena, out, err);
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
ingest_query_decodes(struct slice query, struct err *err)
{
	for (size_t i = 0; i < query.len && !err_is(err); i++) {
		if (query.p[i] != '%')
			continue;
		if (i + 2 >= query.len || hex_value(query.p[i + 1]) < 0 ||
		    hex_value(query.p[i + 2]) < 0)
			err_set(err, ERR_BAD_REQUEST,
			    "The URL's query has a %% without two hexadecimal digits; write %%25 "
			    "for it.");
		else if (query.p[i + 1] == '0' && query.p[i + 2] == '0')
			err_set(err, ERR_BAD_REQUEST,
			    "The URL's query has a NUL (%%00); send a text without it.");
	}
	return !err_is(err);
}

/* How many pairs of the query have that name. */
static unsigned
query_count(struct slice query, const char *name)
{
	size_t length = strlen(name);
	unsigned count = 0;
	bool begins = true;

	for (size_t i = 0; i < query.len; i++) {
		struct slice rest = slice_of(query.p + i, query.len - i);

		count += begins && rest.len > length && slice_starts(rest, name) &&
		    rest.p[length] == '=';
		begins = query.p[i] == '&';
	}
	return count;
}

bool
ingest_query_check(struct slice query, struct err *err)
{
	static const char *const names[] = { "documentId", "title", "fileName", "password",
		"expiresAt", "language", "ifNew" };

	if (!ingest_query_decodes(query, err))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !err_is(err); i++)
		if (query_count(query, names[i]) > 1)
			err_set(err, ERR_INVALID_FIELD,
			    "The URL's query has %s twice; send it once.", names[i]);
	return !err_is(err);
}

bool
ingest_body_is_json(struct slice content_type)
{
	return media_type_is(content_type, "application/json");
}

bool
ingest_body_read(const struct ingest_head *head, const struct ingest_source *source,
    struct arena *arena, struct ingest_items *out, struct err *err)
{
	struct slice text = slice_of(source->body, source->len);
	struct ingest_form form = ingest_form_of(head);

	out->count = 0;
	out->copied = out->is_mapped = false;
	if (ingest_body_is_json(head->content_type))
		return ingest_json_read(head, source, arena, out, err);
	out->is_mapped = source->decoded != NULL;
	if (media_type_is(head->content_type, "multipart/form-data"))
		return read_multipart(head, source, arena, out, err);
	return ingest_item_add(out, &form, text, head->content_type, head->file_name, arena, err);
}
