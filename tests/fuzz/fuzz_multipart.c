/* SPDX-License-Identifier: MIT */
/*
 * fuzz_multipart: bodies of POST /ingest. The first line is the Content-Type, the rest the body.
 * Documents and parts are ranges of the body, read within its bounds; what is refused is refused
 * for a reason that is the caller's fault.
 *
 * sources: src/api/multipart.c src/api/multipart_base64.c src/api/ingest_body.c
 * sources: src/api/ingest_form.c src/api/ingest_item.c src/api/parameter.c src/api/expires_at.c
 * sources: src/api/label.c src/base/clock_read.c src/base/language.c src/auth/tenant_named.c
 * sources: src/auth/tenant_of.c src/base/alloc.c src/base/arena.c src/base/b64.c src/base/buf.c
 * sources: src/base/clock.c src/base/digest.c src/base/err.c src/base/json.c src/base/json_count.c
 * sources: src/base/json_put.c src/base/log.c src/base/log_repeat.c src/base/random.c
 * sources: src/base/utf8.c src/base/spool.c src/retrieval/formats.c src/base/json_memory.c
 * sources: src/base/spool_window.c src/api/ingest_json.c src/base/json_long.c
 * libs: -ljansson -lcrypto
 */
#include "api/ingest_body.h"
#include "tenantgate/base/json.h"
#include "tests/fuzz/fuzz_check.h"

#define ARENA_MAX (1u << 20)

static bool
within(struct slice inner, struct slice outer)
{
	return inner.p == NULL ||
	    (inner.p >= outer.p && inner.len <= outer.len &&
		(size_t)(inner.p - outer.p) <= outer.len - inner.len);
}

static void
check_refusal(const struct err *err)
{
	fuzz_check(err_status(err->code) >= 400 && err_status(err->code) < 500);
	fuzz_check(err->detail[0] != '\0' && json_utf8_valid(slice_str(err->detail)));
}

static void
fuzz_parts(struct slice type, char *bytes, size_t n)
{
	struct slice body = slice_of(bytes, n), boundary = multipart_boundary(type);
	struct err err = { 0 };
	static struct parts parts;

	fuzz_check(within(boundary, type));
	if (boundary.p == NULL)
		return;
	if (!multipart_read(bytes, n, false, boundary, &parts, &err)) {
		check_refusal(&err);
		return;
	}
	fuzz_check(parts.count > 0 && parts.count <= MULTIPART_PARTS_MAX);
	for (unsigned i = 0; i < parts.count; i++) {
		const struct part *p = &parts.items[i];

		fuzz_check(p->name.p != NULL && within(p->name, body) && within(p->bytes, body));
		fuzz_check(within(p->file_name, body) && within(p->content_type, body));
		fuzz_check(within(p->encoding, body));
		fuzz_check(i == 0 || p->name.p > parts.items[i - 1].bytes.p);
	}
}

static void
check_item(const struct ingest_item *item)
{
	const struct document *d = &item->document;

	if (err_is(&item->err)) { /* one of several files */
		check_refusal(&item->err);
		fuzz_check(json_utf8_valid(slice_str(d->file_name)));
		return;
	}
	fuzz_check(d->id[0] != '\0' && json_utf8_valid(slice_str(d->id)));
	fuzz_check(json_utf8_valid(slice_str(d->title)));
	fuzz_check(json_utf8_valid(slice_str(d->file_name)));
	fuzz_check(strchr(d->file_name, '/') == NULL && strchr(d->file_name, '\\') == NULL);
	fuzz_check(strlen(d->sha256) == 64 && d->metadata[0] != '\0');
}

/* A tenant that is known stays, whatever a form names; one that is not may be named. */
static void
fuzz_documents(struct slice type, char *bytes, size_t n)
{
	bool known = n % 2 == 0;
	char tenant[TENANT_ID_MAX + 1] = { 0 };
	struct ingest_head head = { .content_type = type, .tenant = tenant };
	struct arena *arena = arena_new(ARENA_MAX);
	const struct ingest_source source = { .body = bytes, .len = n };
	static struct ingest_items items;
	struct err err = { 0 };

	if (known)
		memcpy(tenant, "acme", sizeof("acme"));
	if (ingest_body_read(&head, &source, arena, &items, &err)) {
		fuzz_check(items.count > 0 && items.count <= INGEST_FILES_MAX && !err_is(&err));
		for (unsigned i = 0; i < items.count; i++)
			check_item(&items.items[i]);
	} else {
		check_refusal(&err);
	}
	fuzz_check(!known || strcmp(tenant, "acme") == 0);
	arena_free(arena);
}

/* In a block of its own: a read before or past the body is a read outside of it. Each reader gets
 * the body anew, for it decodes there. */
static void
fuzz_read(void (*read)(struct slice, char *, size_t), struct slice type, const uint8_t *body,
    size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	fuzz_check(copy != NULL);
	memcpy(copy, body, n);
	read(type, copy, n);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *end = n > 0 ? memchr(bytes, '\n', n) : NULL;
	size_t used = end != NULL ? (size_t)(end - bytes) : 0;
	struct slice type;

	if (end == NULL)
		return 0;
	type = slice_of((const char *)bytes, used);
	fuzz_read(fuzz_parts, type, end + 1, n - used - 1);
	fuzz_read(fuzz_documents, type, end + 1, n - used - 1);
	return 0;
}
