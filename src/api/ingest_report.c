/* SPDX-License-Identifier: MIT */
/*
 * ingest_report: JSON or server-sent events (the WHATWG HTML standard, "Server-sent events").
 */
#define _GNU_SOURCE /* memmem */
#include "api/ingest_report.h"

#include "api/respond.h"
#include "tenantgate/base/json.h"

#define DOCUMENTS_MAX (256u << 10) /* bytes of a JSON response */
#define STORE_EVENTS  20	   /* of the stage "store", about */
#define EVENT_MAX     (32u << 10)  /* bytes of one event */

/* Accept lists the type somewhere, with or without parameters: an exact reading of weights (RFC
 * 9110, 12.4.2) would only matter to a client that names events and wants none. */
static bool
accepts_events(struct slice accept)
{
	static const char type[] = "text/event-stream";

	return accept.len > 0 && memmem(accept.p, accept.len, type, sizeof(type) - 1) != NULL;
}

void
ingest_report_init(struct ingest_report *r, struct http_exchange *x, const char *request_id)
{
	r->x = x;
	r->request_id = request_id;
	r->events = accepts_events(http_header(x, "Accept"));
	buf_init(&r->documents, DOCUMENTS_MAX);
	buf_init(&r->errors, DOCUMENTS_MAX);
}

void
ingest_report_free(struct ingest_report *r)
{
	buf_free(&r->documents);
	buf_free(&r->errors);
}

bool
ingest_report_begin(struct ingest_report *r, const struct ingest_items *items, struct arena *arena)
{
	for (r->count = 0; r->count < items->count; r->count++) {
		const char *name = items->items[r->count].document.file_name;

		r->names[r->count] = arena_strdup(arena, name);
		if (r->names[r->count] == NULL)
			return false;
	}
	if (!r->events)
		return true;
	http_set(r->x, "Cache-Control", "no-cache, no-transform");
	http_set(r->x, "X-Accel-Buffering", "no");
	http_stream_begin(r->x, 200, "text/event-stream");
	return true;
}

void
ingest_report_file(struct ingest_report *r)
{
	struct buf b;

	if (!r->events || r->count < 2)
		return;
	buf_init(&b, EVENT_MAX);
	buf_printf(&b, "event: file\ndata: {\"index\":%u,\"fileName\":", r->at);
	json_put_string(&b, slice_str(r->names[r->at]));
	buf_puts(&b, "}\n\n");
	http_stream_add(r->x, buf_view(&b));
	buf_free(&b);
}

/* Queued without waiting for the client: a document has a few small events, and one for each call
 * of the model. */
void
ingest_report_progress(struct ingest_report *r, const char *stage, size_t done, size_t total)
{
	struct buf b;

	if (!r->events)
		return;
	buf_init(&b, EVENT_MAX);
	buf_printf(&b, "event: progress\ndata: {\"stage\":\"%s\",\"done\":%zu,\"total\":%zu}\n\n",
	    stage, done, total);
	http_stream_add(r->x, buf_view(&b));
	buf_free(&b);
}

void
ingest_report_sent(struct ingest_report *r, size_t chunks, size_t all)
{
	if (chunks < r->told)
		r->told = 0; /* another document's */
	if (chunks >= all || chunks < r->told + all / STORE_EVENTS + 1)
		return;
	r->told = chunks;
	ingest_report_progress(r, "store", chunks, all);
}

static void
report_put_string(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, ",\"%s\":", name);
	json_put_string(b, slice_str(value));
}

/* None is no member. */
static void
report_put_warnings(struct buf *b, unsigned warnings)
{
	const char *before = ",\"warnings\":[";

	for (unsigned bit = 1; bit <= warnings; bit <<= 1) {
		if ((warnings & bit) == 0)
			continue;
		buf_puts(b, before);
		json_put_string(b, slice_str(extract_warning_text((enum extract_warning)bit)));
		before = ",";
	}
	if (warnings != 0)
		buf_putc(b, ']');
}

/* The metadata is left out: the caller has just sent it. */
static void
report_put_document(struct buf *b, const struct document *d)
{
	buf_puts(b, "{\"id\":");
	json_put_string(b, slice_str(d->id));
	report_put_string(b, "title", d->title);
	report_put_string(b, "fileName", d->file_name);
	report_put_string(b, "mimeType", d->mime_type);
	buf_printf(b, ",\"bytes\":%llu,\"pages\":%u,\"chunks\":%u", (unsigned long long)d->bytes,
	    d->pages, d->chunks);
	report_put_string(b, "sha256", d->sha256);
	report_put_string(b, "status", "ready");
	if (d->owner == NULL)
		buf_puts(b, ",\"ownerId\":null");
	else
		report_put_string(b, "ownerId", d->owner);
	report_put_string(b, "createdAt", d->created_at);
	if (d->expires_at != NULL && d->expires_at[0] != '\0')
		report_put_string(b, "expiresAt", d->expires_at);
	report_put_warnings(b, d->warnings);
	buf_putc(b, '}');
}

static void
send_document(struct ingest_report *r, const struct document *d)
{
	struct buf b;

	buf_init(&b, EVENT_MAX);
	buf_puts(&b, "event: document\ndata: ");
	report_put_document(&b, d);
	buf_puts(&b, "\n\n");
	http_stream_add(r->x, buf_view(&b));
	buf_free(&b);
}

static void
report_document(struct ingest_report *r, const struct document *d, bool created)
{
	r->created = r->created || created;
	r->at++;
	if (r->events) {
		send_document(r, d);
		return;
	}
	if (r->documents.len > 0)
		buf_putc(&r->documents, ',');
	report_put_document(&r->documents, d);
}

static void
send_error(struct ingest_report *r, const struct err *err)
{
	struct buf b;

	buf_init(&b, EVENT_MAX);
	buf_puts(&b, "event: error\ndata: ");
	http_problem_put(&b, err, r->request_id);
	buf_puts(&b, "\n\n");
	http_stream_add(r->x, buf_view(&b));
	buf_free(&b);
}

static void
report_failed(struct ingest_report *r, const struct err *err)
{
	struct buf *b = &r->errors;

	if (!err_is(&r->first))
		r->first = *err;
	if (r->events)
		send_error(r, err);
	buf_puts(b, b->len > 0 ? ",{\"fileName\":" : "{\"fileName\":");
	json_put_string(b, slice_str(r->names[r->at]));
	report_put_string(b, "code", err_slug(err->code));
	report_put_string(b, "detail", err->detail);
	buf_putc(b, '}');
	r->at++;
}

void
ingest_report_item(struct ingest_report *r, const struct ingest_item *item, bool created)
{
	if (err_is(&item->err))
		report_failed(r, &item->err);
	else
		report_document(r, &item->document, created);
}

/* All of several files were refused. */
static void
put_problem(struct ingest_report *r, struct buf *b)
{
	http_problem_put(b, &r->first, r->request_id);
	if (b->len > 0)
		buf_cut(b, b->len - 1); /* its brace */
	buf_puts(b, ",\"errors\":[");
	buf_slice(b, buf_view(&r->errors));
	buf_puts(b, "]}");
}

static void
put_documents(const struct ingest_report *r, struct buf *b)
{
	buf_puts(b, r->count > 1 ? "{\"documents\":[" : "{\"document\":");
	buf_slice(b, buf_view(&r->documents));
	buf_puts(b, r->count > 1 ? "]" : "");
	if (r->errors.len > 0) {
		buf_puts(b, ",\"errors\":[");
		buf_slice(b, buf_view(&r->errors));
		buf_putc(b, ']');
	}
	buf_putc(b, '}');
}

bool
ingest_report_finish(struct ingest_report *r)
{
	bool is_none = r->documents.len == 0;
	struct buf b;

	if (r->events) {
		http_stream_end(r->x);
		return true;
	}
	buf_init(&b, 2 * DOCUMENTS_MAX + 4096);
	if (is_none)
		put_problem(r, &b);
	else
		put_documents(r, &b);
	if (!b.failed && !r->documents.failed && !r->errors.failed && is_none)
		http_reply(r->x, err_status(r->first.code), "application/problem+json",
		    buf_view(&b));
	else if (!b.failed && !r->documents.failed && !r->errors.failed)
		respond_json(r->x, r->errors.len > 0 ? 207 : r->created ? 201 : 200, &b);
	buf_free(&b);
	return http_status(r->x) != 0;
}

void
ingest_report_rest(struct ingest_report *r, const struct err *err)
{
	if (r->events || r->count < 2 || r->documents.len == 0)
		return;
	while (r->at < r->count)
		report_failed(r, err);
	ingest_report_finish(r);
}

void
ingest_report_error(struct ingest_report *r, const struct err *err)
{
	send_error(r, err);
	http_stream_end(r->x);
}
