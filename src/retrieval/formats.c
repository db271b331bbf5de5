/* SPDX-License-Identifier: MIT */
/*
 * formats: what a document may be: the table, and how a row is found: by what the sender declares,
 * else by the first bytes, else by the file's name. A new format is a new row here; where none of
 * the readers can read it, a new reader in extract.c too.
 *
 * The declared type is believed, for only the sender knows that bytes are Markdown; a wrong one
 * does no harm, since each reader checks what it gets. octet-stream declares nothing: it is what
 * clients send for a file they do not know.
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>

#include "tenantgate/retrieval.h"

static const char *const pdf_types[] = { "application/x-pdf", NULL };
static const char *const pdf_suffixes[] = { ".pdf", NULL };
static const char *const plain_types[] = { "text/x-log", NULL };
static const char *const plain_suffixes[] = { ".txt", ".text", ".log", NULL };
static const char *const markdown_types[] = { "text/x-markdown", NULL };
static const char *const markdown_suffixes[] = { ".md", ".markdown", NULL };
static const char *const mdx_types[] = { "text/x-mdx", NULL };
static const char *const mdx_suffixes[] = { ".mdx", NULL };
static const char *const rst_types[] = { "text/prs.fallenstein.rst", NULL };
static const char *const rst_suffixes[] = { ".rst", NULL };
static const char *const csv_types[] = { "application/csv", NULL };
static const char *const csv_suffixes[] = { ".csv", NULL };
static const char *const json_types[] = { "text/json", NULL };
static const char *const json_suffixes[] = { ".json", NULL };

static const struct document_format formats[] = {
	/* Readers look for the mark in the first KiB, for some mailers put lines before it. */
	{ "application/pdf", pdf_types, pdf_suffixes, SLICE_LIT("%PDF-"), 1024, CHUNK_TEXT,
	    READER_PDFTOTEXT, true },
	{ "text/plain", plain_types, plain_suffixes, { NULL, 0 }, 0, CHUNK_TEXT, READER_TEXT,
	    false },
	{ "text/markdown", markdown_types, markdown_suffixes, { NULL, 0 }, 0, CHUNK_MARKDOWN,
	    READER_TEXT, false },
	{ "text/mdx", mdx_types, mdx_suffixes, { NULL, 0 }, 0, CHUNK_MARKDOWN, READER_TEXT, false },
	{ "text/x-rst", rst_types, rst_suffixes, { NULL, 0 }, 0, CHUNK_TEXT, READER_TEXT, false },
	{ "text/csv", csv_types, csv_suffixes, { NULL, 0 }, 0, CHUNK_TEXT, READER_TEXT, false },
	/* A file of a form: a raw body of this type says what the document is. */
	{ "application/json", json_types, json_suffixes, { NULL, 0 }, 0, CHUNK_TEXT, READER_TEXT,
	    false },
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

static bool
has_type(const struct document_format *d, struct slice type)
{
	if (slice_is_nocase(type, d->media_type))
		return true;
	for (const char *const *alias = d->aliases; *alias != NULL; alias++)
		if (slice_is_nocase(type, *alias))
			return true;
	return false;
}

static bool
has_magic(const struct document_format *d, struct slice body)
{
	size_t most = body.len < d->magic_within ? body.len : d->magic_within;

	return d->magic.len > 0 && most >= d->magic.len &&
	    memmem(body.p, most, d->magic.p, d->magic.len) != NULL;
}

/* Case does not matter. A suffix alone is no name: ".md" is a hidden file. */
static bool
has_suffix(const struct document_format *d, struct slice name)
{
	for (const char *const *suffix = d->suffixes; *suffix != NULL; suffix++) {
		size_t n = strlen(*suffix);

		if (name.len > n && slice_is_nocase(slice_of(name.p + name.len - n, n), *suffix))
			return true;
	}
	return false;
}

typedef bool format_test_fn(const struct document_format *, struct slice);

/* The first row of which the test is true. */
static const struct document_format *
first_with(format_test_fn *has, struct slice what)
{
	for (size_t i = 0; i < FORMAT_COUNT; i++)
		if (has(&formats[i], what))
			return &formats[i];
	return NULL;
}

/* The media type without its parameters (RFC 9110, 8.3.1). */
static struct slice
without_parameters(struct slice declared)
{
	const char *semicolon = declared.len == 0 ? NULL : memchr(declared.p, ';', declared.len);

	if (semicolon != NULL)
		declared.len = (size_t)(semicolon - declared.p);
	return slice_trim(declared);
}

const struct document_format *
format_detect(struct slice declared, struct slice file_name, struct slice body)
{
	struct slice type = without_parameters(declared);
	const struct document_format *found;

	if (type.len > 0 && !slice_is_nocase(type, "application/octet-stream"))
		return first_with(has_type, type);
	found = first_with(has_magic, body);
	return found != NULL ? found : first_with(has_suffix, file_name);
}

const struct document_format *
format_find(const char *media_type)
{
	for (size_t i = 0; media_type != NULL && i < FORMAT_COUNT; i++)
		if (strcmp(formats[i].media_type, media_type) == 0)
			return &formats[i];
	return NULL;
}

const struct document_format *
format_at(size_t i)
{
	return i < FORMAT_COUNT ? &formats[i] : NULL;
}

/* The list is made from the table, so a new row is named at once. */
void
format_refuse(struct err *err)
{
	char list[sizeof(err->detail)] = "";
	size_t used = 0;

	for (size_t i = 0; i < FORMAT_COUNT && used < sizeof(list); i++) {
		const char *before = i == 0 ? "" : i + 1 == FORMAT_COUNT ? " or " : ", ";

		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", before,
		    formats[i].media_type);
	}
	err_set(err, ERR_MEDIA_TYPE, "Documents may be %s; declare one of these.", list);
}
