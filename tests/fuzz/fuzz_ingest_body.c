/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ingest_body: bodies of POST /ingest: up to the first line's end the Content-Type, up to the
 * second's the URL's query, then the body, in memory of its own, for a form's parts are decoded
 * where they are; every other one lies in a file, too, where it must be the same. Each item holds
 * to ingest_body.h; a refusal is the sender's fault.
 *
 * sources: src/api/expires_at.c src/api/ingest_body.c src/api/ingest_form.c src/api/ingest_item.c
 * sources: src/api/label.c src/api/multipart.c src/api/multipart_base64.c src/api/parameter.c
 * sources: src/auth/tenant_named.c src/base/alloc.c src/base/arena.c src/base/b64.c src/base/buf.c
 * sources: src/base/clock.c src/base/clock_read.c src/base/digest.c src/base/err.c src/base/json.c
 * sources: src/base/json_count.c src/base/json_put.c src/base/language.c src/base/log.c
 * sources: src/base/log_repeat.c src/base/random.c src/base/spool.c src/base/utf8.c
 * sources: src/retrieval/formats.c src/api/ingest_json.c src/base/json_long.c
 * sources: src/base/json_memory.c src/base/spool_window.c
 * libs: -ljansson -lcrypto -lm
 */
#include "api/ingest_body.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_folder.h"

#define ARENA_MAX (4u << 20)

/* Up to the line's end, which is taken off too. */
static struct slice
take_line(struct slice *rest)
{
	const char *end = rest->len == 0 ? NULL : memchr(rest->p, '\n', rest->len);
	struct slice line = *rest;

	if (end == NULL) {
		*rest = slice_of(rest->p + rest->len, 0);
		return line;
	}
	line.len = (size_t)(end - rest->p);
	*rest = slice_of(end + 1, rest->len - line.len - 1);
	return line;
}

static void
check_ingest_item(const struct ingest_item *item)
{
	const struct document *d = &item->document;

	if (err_is(&item->err)) {
		fuzz_check(err_status(item->err.code) >= 400 && item->err.detail[0] != '\0');
		return;
	}
	fuzz_check(d->id != NULL && d->id[0] != '\0' && strlen(d->id) <= DOCUMENT_ID_MAX);
	fuzz_check(d->title != NULL && json_utf8_valid(slice_str(d->title)));
	fuzz_check(d->file_name == NULL || json_utf8_valid(slice_str(d->file_name)));
	fuzz_check(d->mime_type != NULL && d->mime_type[0] != '\0');
	fuzz_check(strlen(d->sha256) == 64);
	for (size_t i = 0; i < item->bytes.len; i++)
		(void)*(volatile const char *)(item->bytes.p + i);
}

static void
check_ingest(const struct ingest_items *items)
{
	fuzz_check(items->count >= 1 && items->count <= INGEST_FILES_MAX);
	for (unsigned i = 0; i < items->count; i++)
		check_ingest_item(&items->items[i]);
}

static bool
fuzz_add_decoded(void *arg, struct slice bytes, struct err *err)
{
	return spool_add(arg, fuzz_folder(), bytes, err);
}

/* The same body in a file: read, or refused, as the one in memory was. */
static void
check_on_disk(struct ingest_head head, struct slice body, const struct ingest_items *want,
    enum err_code code)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct spool file, decoded;
	struct ingest_source source = { .decoded = &decoded,
		.add = fuzz_add_decoded,
		.arg = &decoded };
	static struct ingest_items items;
	struct err err = { 0 };
	struct slice all;

	spool_init(&file);
	spool_init(&decoded);
	fuzz_check(spool_add(&file, fuzz_folder(), body, &err) && spool_map(&file, &all, &err));
	source.body = file.map;
	source.len = all.len;
	(void)ingest_body_read(&head, &source, arena, &items, &err);
	fuzz_check(err.code == code);
	for (unsigned i = 0; code == ERR_NONE && i < items.count; i++) {
		check_ingest_item(&items.items[i]);
		fuzz_check(items.count == want->count &&
		    items.items[i].err.code == want->items[i].err.code);
		if (!err_is(&items.items[i].err))
			fuzz_check(strcmp(items.items[i].document.sha256,
				       want->items[i].document.sha256) == 0);
	}
	spool_close(&file);
	spool_close(&decoded);
	arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct slice rest = slice_of((const char *)bytes, n);
	char tenant[TENANT_ID_MAX + 1] = "acme", *body;
	struct ingest_head head = { .tenant = tenant };
	struct ingest_source source = { 0 };
	struct ingest_items items = { 0 };
	struct err err = { 0 };
	bool ok, was_read;

	head.content_type = take_line(&rest);
	ok = ingest_query_check(take_line(&rest), &err);
	body = source.body = malloc(rest.len + 1);
	source.len = rest.len;
	memcpy(body, rest.p, rest.len);
	was_read = ok;
	ok = ok && ingest_body_read(&head, &source, arena, &items, &err);
	fuzz_check(ok == !err_is(&err));
	fuzz_check(strcmp(tenant, "acme") == 0);
	if (ok)
		check_ingest(&items);
	else
		fuzz_check(err_status(err.code) >= 400 && err_status(err.code) < 500 &&
		    err.detail[0] != '\0');
	if (rest.len % 2 == 1 && was_read)
		check_on_disk(head, rest, &items, err.code);
	free(body);
	arena_free(arena);
	return 0;
}
