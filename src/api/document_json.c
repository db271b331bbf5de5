/* SPDX-License-Identifier: MIT */
/*
 * document_json: see the header.
 */
#include "api/document_json.h"

#include "api/respond.h"
#include "tenantgate/base/json.h"

static void
put_member(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, ",\"%s\":", name);
	json_put_string(b, slice_str(value));
}

void
document_json(struct buf *b, const struct listed_document *l)
{
	const struct document *d = &l->document;

	buf_puts(b, "{\"id\":");
	json_put_string(b, slice_str(d->id));
	put_member(b, "title", d->title);
	put_member(b, "fileName", d->file_name);
	put_member(b, "mimeType", d->mime_type);
	buf_printf(b, ",\"bytes\":%llu,\"pages\":%u,\"chunks\":%u,\"metadata\":",
	    (unsigned long long)d->bytes, d->pages, d->chunks);
	buf_puts(b, d->metadata); /* JSON already, as the database has written it */
	if (d->sha256[0] == '\0')
		buf_puts(b, ",\"sha256\":null");
	else
		put_member(b, "sha256", d->sha256);
	put_member(b, "status", l->status);
	if (l->reason[0] != '\0')
		put_member(b, "reason", l->reason);
	if (d->owner == NULL)
		buf_puts(b, ",\"ownerId\":null");
	else
		put_member(b, "ownerId", d->owner);
	put_member(b, "createdAt", d->created_at);
	if (d->expires_at[0] != '\0')
		put_member(b, "expiresAt", d->expires_at);
	buf_putc(b, '}');
}

void
document_not_found(struct err *err)
{
	err_set(err, ERR_NO_DOCUMENT,
	    "There is no document of this id; see GET /documents for those that there are.");
}

const char *
document_path_id(struct request *req, struct err *err)
{
	struct slice id = http_path_param(&req->params, "id", req->flow.arena);
	const char *text = NULL;

	if (id.len > 0 && id.len <= DOCUMENT_ID_MAX && json_utf8_valid(id))
		text = arena_slice(req->flow.arena, id);
	if (text == NULL)
		document_not_found(err);
	return text;
}

enum flow_rc
document_respond(struct flow *f, const struct pg_result *rows)
{
	struct listed_document listed;
	struct err err = { 0 };
	struct buf b;

	if (documents_count(rows) == 0) {
		document_not_found(&err);
		return flow_fail_err(f, &err);
	}
	documents_row(rows, 0, &listed);
	buf_init(&b, DOCUMENT_JSON_MAX);
	buf_puts(&b, "{\"document\":");
	document_json(&b, &listed);
	buf_putc(&b, '}');
	if (!b.failed)
		respond_json(request_of(f)->x, 200, &b);
	buf_free(&b);
	return http_status(request_of(f)->x) != 0
	    ? FLOW_DONE
	    : flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the document");
}
