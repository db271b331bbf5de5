/* SPDX-License-Identifier: MIT */
/*
 * test_api_ingest_body: three forms of body into one list of documents; a refusal names the field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/ingest_body.h"

#define FORM	    "multipart/form-data; boundary=B"
#define FIELD(name) "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define A_FILE(name) \
	"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" name "\"\r\n" \
	"Content-Type: text/plain\r\n\r\n"
#define END "\r\n--B--\r\n"

static struct arena *arena;
static char *copy; /* of the last body, which the items are in */
static struct ingest_items items;
static const struct document *first = &items.items[0].document;

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new(1u << 20);
	memset(&items, 0xa5, sizeof(items));
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	free(copy);
	copy = NULL;
	return 0;
}

static bool
reads_head(struct ingest_head head, const char *type, struct slice body, struct err *err)
{
	struct ingest_source source = { .len = body.len };
	bool ok;

	free(copy);
	copy = source.body = malloc(body.len > 0 ? body.len : 1);
	assert_non_null(copy);
	memcpy(copy, body.p, body.len);
	head.content_type = slice_str(type);
	ok = ingest_body_read(&head, &source, arena, &items, err);
	assert_int_equal(ok, !err_is(err));
	return ok;
}

#define NO_HEAD ((struct ingest_head){ 0 })

static void
takes(struct ingest_head head, const char *type, struct slice body, unsigned count)
{
	struct err err = { 0 };

	if (!reads_head(head, type, body, &err))
		fail_msg("%.*s: %s", SLICE_ARG(body), err.detail);
	assert_int_equal(items.count, count);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(strlen(items.items[i].document.sha256), 64);
		assert_int_equal(items.items[i].document.bytes, items.items[i].bytes.len);
		assert_int_equal(items.items[i].document.pages, 0);
		assert_null(items.items[i].document.created_at);
	}
}

static void
refuses_head(struct ingest_head head, const char *type, struct slice body, enum err_code code,
    const char *named)
{
	struct err err = { 0 };

	if (reads_head(head, type, body, &err))
		fail_msg("%.*s was read", SLICE_ARG(body));
	if (err.code != code || strstr(err.detail, named) == NULL)
		fail_msg("%.*s: %s: %s", SLICE_ARG(body), err_slug(err.code), err.detail);
}

#define TAKES_FORM(text, count)		takes(NO_HEAD, FORM, SLICE_LIT(text), count)
#define TAKES_JSON(text)		takes(NO_HEAD, "application/json", SLICE_LIT(text), 1)
#define REFUSES_FORM(text, code, named) refuses_head(NO_HEAD, FORM, SLICE_LIT(text), code, named)
#define REFUSES_JSON(text, code, named) \
	refuses_head(NO_HEAD, "application/json; charset=utf-8", SLICE_LIT(text), code, named)

static void
a_raw_document_is_read(void **state)
{
	struct ingest_head head = { .document_id = SLICE_LIT("d1"), .title = SLICE_LIT("T") };

	(void)state;
	takes(head, "text/plain; charset=utf-8", SLICE_LIT("hello"), 1);
	assert_string_equal(first->id, "d1");
	assert_string_equal(first->title, "T");
	assert_string_equal(first->file_name, "");
	assert_string_equal(first->mime_type, "text/plain");
	assert_string_equal(first->metadata, "{}");
	assert_string_equal(first->sha256,
	    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	takes(NO_HEAD, "application/pdf", SLICE_LIT("%PDF"), 1);
	assert_int_equal(strlen(first->id), 18);
	assert_true(slice_starts(slice_str(first->id), "doc_"));
	refuses_head(head, "text/plain", SLICE_LIT(""), ERR_DOC_EMPTY, "no bytes");
	refuses_head(head, "image/png", SLICE_LIT("x"), ERR_MEDIA_TYPE, "application/pdf");
	refuses_head(head, "multipart/form-data", SLICE_LIT("x"), ERR_BAD_REQUEST, "boundary");
	refuses_head(head, "multipart/form-datax", SLICE_LIT("x"), ERR_MEDIA_TYPE, "");
	head.document_id = SLICE_LIT("");
	refuses_head(head, "text/plain", SLICE_LIT("x"), ERR_INVALID_FIELD, "documentId");
	head.document_id = SLICE_LIT("a\0b");
	refuses_head(head, "text/plain", SLICE_LIT("x"), ERR_INVALID_FIELD, "documentId");
	head.document_id = SLICE_LIT("d");
	head.title = SLICE_LIT("\xff");
	refuses_head(head, "text/plain", SLICE_LIT("x"), ERR_INVALID_FIELD, "title");
	head.title = SLICE_LIT("T");
	head.file_name = SLICE_LIT("a\x1b[0m");
	refuses_head(head, "text/plain", SLICE_LIT("x"), ERR_INVALID_FIELD, "file name");
}

static void
a_form_is_read(void **state)
{
	(void)state;
	TAKES_FORM(FIELD("documentId") "d1\r\n" A_FILE("C:\\x\\t\xc3\xa9.txt") "one\r\n" FIELD(
		       "title") "T\r\n" FIELD("metadata") "{\"a\": [1]}\r\n" FIELD("other") "?" END,
	    1);
	assert_string_equal(first->id, "d1");
	assert_string_equal(first->title, "T");
	assert_string_equal(first->file_name, "t\xc3\xa9.txt");
	assert_string_equal(first->metadata, "{\"a\": [1]}");
	assert_true(slice_is(items.items[0].bytes, "one"));
	TAKES_FORM(A_FILE("../../etc/passwd") "one\r\n" FIELD("documentId") END, 1);
	assert_string_equal(first->file_name, "passwd");
	assert_string_equal(first->title, "passwd");
	TAKES_FORM(A_FILE("%22q%22.txt") "one" END, 1);
	assert_string_equal(first->file_name, "%22q%22.txt");
	TAKES_FORM("--B\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''x\r\n"
		   "Content-Type: text/plain\r\n\r\none" END,
	    1);
	assert_string_equal(first->file_name, "x");
	TAKES_FORM("--B\r\nContent-Disposition: form-data; name=file; "
		   "filename*=UTF-8''a%2Fb.txt\r\n"
		   "Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=" END,
	    1);
	assert_string_equal(first->file_name, "b.txt");
	assert_true(slice_is(items.items[0].bytes, "hello"));
	assert_string_equal(first->sha256,
	    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	REFUSES_FORM("--B\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''%ff\r\n"
		     "Content-Type: text/plain\r\n\r\none" END,
	    ERR_INVALID_FIELD, "file name");
}

static void
a_form_of_several_files_is_read(void **state)
{
	struct ingest_head head = { .document_id = SLICE_LIT("d1") };

	(void)state;
	TAKES_FORM(A_FILE("a") "one\r\n" A_FILE("b") "two\r\n" FIELD("title") "T" END, 2);
	assert_string_not_equal(items.items[0].document.id, items.items[1].document.id);
	assert_string_equal(items.items[1].document.file_name, "b");
	assert_string_equal(items.items[1].document.title, "T");
	assert_string_not_equal(items.items[0].document.sha256, items.items[1].document.sha256);
	REFUSES_FORM(A_FILE("a") "one\r\n" A_FILE("b") "two\r\n" FIELD("documentId") "d" END,
	    ERR_INVALID_FIELD, "documentId");
	refuses_head(head, FORM, SLICE_LIT(A_FILE("a") "one\r\n" A_FILE("b") "two" END),
	    ERR_INVALID_FIELD, "documentId");
	memset(&items, 0, sizeof(items));
	assert_true(reads_head(NO_HEAD, FORM, SLICE_LIT(A_FILE("a") "one\r\n" A_FILE("b") END),
	    &(struct err){ 0 }));
	assert_int_equal(items.items[0].err.code, ERR_NONE);
	assert_int_equal(items.items[1].err.code, ERR_DOC_EMPTY);
	assert_string_equal(items.items[1].document.file_name, "b");
}

static void
a_field_that_comes_twice_is_refused(void **state)
{
	(void)state;
	REFUSES_FORM(FIELD("documentId") "a\r\n" FIELD("documentId") "b\r\n" A_FILE("a") "x" END,
	    ERR_INVALID_FIELD, "documentId twice");
	REFUSES_FORM(FIELD("title") "\r\n" FIELD("title") "b\r\n" A_FILE("a") "x" END,
	    ERR_INVALID_FIELD, "title twice");
	REFUSES_FORM(FIELD("password") "a\r\n" FIELD("password") "a\r\n" A_FILE("a") "x" END,
	    ERR_INVALID_FIELD, "password twice");
}

static void
bad_forms_are_refused(void **state)
{
	(void)state;
	REFUSES_FORM("", ERR_BAD_REQUEST, "multipart");
	REFUSES_FORM(FIELD("title") "T" END, ERR_INVALID_FIELD, "file");
	REFUSES_FORM(FIELD("File") "T" END, ERR_INVALID_FIELD, "file");
	REFUSES_FORM(FIELD("file") "T" END, ERR_MEDIA_TYPE, "Documents");
	REFUSES_FORM(A_FILE("a") END, ERR_DOC_EMPTY, "no bytes");
	REFUSES_FORM(A_FILE("a") "x\r\n" FIELD("metadata") "[1]" END, ERR_INVALID_FIELD,
	    "metadata");
	REFUSES_FORM(A_FILE("a") "x\r\n" FIELD("metadata") "{" END, ERR_INVALID_FIELD, "metadata");
	REFUSES_FORM(A_FILE("a") "x\r\n" FIELD("metadata") "{\"a\":1e-99999}" END,
	    ERR_INVALID_FIELD, "16383 digits");
	REFUSES_FORM(A_FILE("a") "x\r\n" FIELD("metadata") "{\"a\":\"\\u0000\"}" END,
	    ERR_INVALID_FIELD, "metadata");
	REFUSES_FORM(A_FILE("a") "x\r\n" FIELD("metadata") "{\"a\":\"\xff\"}" END,
	    ERR_INVALID_FIELD, "metadata");
	REFUSES_FORM(A_FILE("a") "x\r\n" FIELD("documentId") "a\nb" END, ERR_INVALID_FIELD,
	    "documentId");
	REFUSES_FORM(A_FILE("a") "x\r\n" FIELD("title") "\xed\xa0\x80" END, ERR_INVALID_FIELD,
	    "title");
	REFUSES_FORM(A_FILE("a\0b") "x" END, ERR_INVALID_FIELD, "file name");
}

static void
a_json_document_is_read(void **state)
{
	(void)state;
	TAKES_JSON("{\"text\":\"h\\u00e9llo\",\"documentId\":\"d1\",\"title\":\"T\","
		   "\"metadata\":{\"a\":[true]},\"more\":1}");
	assert_true(slice_is(items.items[0].bytes, "h\xc3\xa9llo"));
	assert_string_equal(first->id, "d1");
	assert_string_equal(first->title, "T");
	assert_string_equal(first->mime_type, "text/plain");
	assert_string_equal(first->metadata, "{\"a\":[true]}");
	TAKES_JSON("{\"text\":\"x\",\"documentId\":null,\"title\":null,\"metadata\":null}");
	assert_string_equal(first->title, "");
	assert_string_equal(first->metadata, "{}");
	TAKES_JSON("{\"text\":\"x\",\"fileName\":\"a/notes.md\"}");
	assert_string_equal(first->file_name, "notes.md");
	assert_string_equal(first->title, "notes.md");
	assert_string_equal(first->mime_type, "text/markdown");
	TAKES_JSON("{\"text\":\"x\",\"fileName\":\"a.pdf\"}");
	assert_string_equal(first->mime_type, "text/plain");
	takes((struct ingest_head){ .document_id = SLICE_LIT("q"), .title = SLICE_LIT("Q") },
	    "application/json", SLICE_LIT("{\"text\":\"x\",\"title\":\"B\"}"), 1);
	assert_string_equal(first->id, "q");
	assert_string_equal(first->title, "B");
}

static void
bad_json_documents_are_refused(void **state)
{
	(void)state;
	REFUSES_JSON("", ERR_INVALID_JSON, "too early");
	REFUSES_JSON("[]", ERR_INVALID_JSON, "object");
	REFUSES_JSON("{}", ERR_INVALID_FIELD, "text");
	REFUSES_JSON("{\"text\":null}", ERR_INVALID_FIELD, "text");
	REFUSES_JSON("{\"text\":[\"x\"]}", ERR_INVALID_FIELD, "text");
	REFUSES_JSON("{\"text\":\"\"}", ERR_DOC_EMPTY, "no bytes");
	REFUSES_JSON("{\"text\":\"x\",\"documentId\":\"a\\u0000b\"}", ERR_INVALID_FIELD,
	    "documentId");
	REFUSES_JSON("{\"text\":\"x\",\"title\":\"\\u0000\"}", ERR_INVALID_FIELD, "title");
	REFUSES_JSON("{\"text\":\"x\",\"fileName\":\"a\\u0000\"}", ERR_INVALID_FIELD, "file name");
	REFUSES_JSON("{\"text\":\"x\",\"metadata\":{\"a\":\"\\u0000\"}}", ERR_INVALID_FIELD,
	    "metadata");
	REFUSES_JSON("{\"te\\u0000xt\":\"x\"}", ERR_INVALID_JSON, "NUL");
	REFUSES_JSON("{\"text\":\"x\",\"documentId\":5}", ERR_INVALID_FIELD, "documentId");
	REFUSES_JSON("{\"text\":\"x\",\"documentId\":\"\"}", ERR_INVALID_FIELD, "documentId");
	REFUSES_JSON("{\"text\":\"x\",\"documentId\":\"a\\nb\"}", ERR_INVALID_FIELD, "documentId");
	REFUSES_JSON("{\"text\":\"x\",\"title\":{}}", ERR_INVALID_FIELD, "title");
	REFUSES_JSON("{\"text\":\"x\",\"metadata\":[]}", ERR_INVALID_FIELD, "metadata");
	REFUSES_JSON("{\"text\":\"x\",\"metadata\":\"{}\"}", ERR_INVALID_FIELD, "metadata");
}

/* `count` bytes 'x' in a JSON body's field of that name. */
static struct slice
long_field(const char *before, size_t count, const char *after)
{
	char *x = arena_alloc(arena, count + 1);

	assert_non_null(x);
	memset(x, 'x', count);
	return slice_str(arena_printf(arena, "%s%s%s", before, x, after));
}

static void
ingest_fields_have_ceilings(void **state)
{
	static const char id[] = "{\"text\":\"x\",\"documentId\":\"";
	static const char title[] = "{\"text\":\"x\",\"title\":\"";
	static const char metadata[] = "{\"text\":\"x\",\"metadata\":{\"a\":\"";

	(void)state;
	takes(NO_HEAD, "application/json", long_field(id, 128, "\"}"), 1);
	refuses_head(NO_HEAD, "application/json", long_field(id, 129, "\"}"), ERR_INVALID_FIELD,
	    "documentId");
	takes(NO_HEAD, "application/json", long_field(title, 512, "\"}"), 1);
	refuses_head(NO_HEAD, "application/json", long_field(title, 513, "\"}"), ERR_INVALID_FIELD,
	    "title");
	takes(NO_HEAD, "application/json", long_field(metadata, 16000, "\"}}"), 1);
	refuses_head(NO_HEAD, "application/json", long_field(metadata, 16384, "\"}}"),
	    ERR_INVALID_FIELD, "metadata");
	refuses_head(NO_HEAD, FORM,
	    long_field(A_FILE("a") "x\r\n" FIELD("metadata") "{\"a\":\"", 16384, "\"}" END),
	    ERR_INVALID_FIELD, "metadata");
	takes(NO_HEAD, FORM,
	    long_field("--B\r\nContent-Disposition: form-data; name=file; filename=", 256,
		"\r\nContent-Type: text/plain\r\n\r\nx" END),
	    1);
	assert_int_equal(strlen(first->file_name), 255);
}

static void
files_have_a_ceiling(void **state)
{
	static const char one[] = A_FILE("a") "x\r\n";
	char body[(INGEST_FILES_MAX + 1) * sizeof(one) + 8];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i <= INGEST_FILES_MAX; i++, n += sizeof(one) - 1) {
		memcpy(body + n, "--B--", 5);
		if (i > 0)
			takes(NO_HEAD, FORM, slice_of(body, n + 5), i);
		memcpy(body + n, one, sizeof(one) - 1);
	}
	memcpy(body + n, "--B--", 5);
	refuses_head(NO_HEAD, FORM, slice_of(body, n + 5), ERR_INVALID_FIELD, "files");
}

static void
a_full_arena_refuses_an_ingest(void **state)
{
	struct arena *large = arena;
	struct slice body = long_field("{\"text\":\"", 9000, "\"}");

	(void)state;
	arena = arena_new(4096);
	refuses_head(NO_HEAD, "application/json", body, ERR_TOO_LARGE, "large");
	arena_free(arena);
	arena = large;
}

/* At every ceiling of the arena: refused for its size, or read whole; nothing between. */
static void
an_ingest_at_every_ceiling_is_read_whole_or_refused(void **state)
{
	static const struct {
		const char *type;
		struct slice body;
	} rows[] = {
		{ FORM, SLICE_LIT(A_FILE("a.txt") "one\r\n" A_FILE("b.txt") "two" END) },
		{ "application/json", SLICE_LIT("{\"text\":\"abc\",\"metadata\":{\"a\":1}}") },
		{ "text/plain", SLICE_LIT("plain") },
	};
	struct arena *large = arena;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool ok = false;

		for (size_t ceiling = 0; !ok; ceiling += 48) {
			struct err err = { 0 };

			assert_true(ceiling < 1u << 20);
			arena = arena_new(ceiling);
			ok = reads_head(NO_HEAD, rows[i].type, rows[i].body, &err);
			assert_int_equal(err.code, ok ? ERR_NONE : ERR_TOO_LARGE);
			arena_free(arena);
		}
	}
	arena = large;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_raw_document_is_read),
		TEST(a_form_is_read),
		TEST(a_form_of_several_files_is_read),
		TEST(bad_forms_are_refused),
		TEST(a_field_that_comes_twice_is_refused),
		TEST(a_json_document_is_read),
		TEST(bad_json_documents_are_refused),
		TEST(ingest_fields_have_ceilings),
		TEST(files_have_a_ceiling),
		TEST(a_full_arena_refuses_an_ingest),
		TEST(an_ingest_at_every_ceiling_is_read_whole_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
