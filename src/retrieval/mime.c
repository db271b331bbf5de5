/* SPDX-License-Identifier: MIT */
/*
 * mime: what a document is, by what its sender says, else by its first bytes, else by its name.
 */
#include "tenantgate/base/json.h"
#include "tenantgate/retrieval.h"

static const char pdf[] = "application/pdf";
static const char plain[] = "text/plain";
static const char markdown[] = "text/markdown";

struct known {
	const char *word;
	const char *mime;
};

static const struct known types[] = {
	{ "application/pdf", pdf },
	{ "application/x-pdf", pdf },
	{ "text/plain", plain },
	{ "text/markdown", markdown },
	{ "text/x-markdown", markdown },
	{ NULL, NULL },
};

static const struct known suffixes[] = {
	{ ".pdf", pdf },
	{ ".txt", plain },
	{ ".text", plain },
	{ ".md", markdown },
	{ ".markdown", markdown },
	{ NULL, NULL },
};

/* Readers look for the mark in the first KiB, for some mailers put lines before it. */
#define MAGIC_WITHIN 1024

static const char *
by_magic(struct slice body)
{
	size_t most = body.len < MAGIC_WITHIN ? body.len : MAGIC_WITHIN;

	for (size_t i = 0; i + 5 <= most; i++) {
		if (memcmp(body.p + i, "%PDF-", 5) == 0)
			return pdf;
	}
	return NULL;
}

static const char *
by_name(struct slice name)
{
	for (const struct known *k = suffixes; k->word != NULL; k++) {
		size_t n = strlen(k->word);

		if (name.len > n && slice_is_nocase(slice_of(name.p + name.len - n, n), k->word))
			return k->mime;
	}
	return NULL;
}

static bool
says_nothing(struct slice type)
{
	return type.len == 0 || slice_is_nocase(type, "application/octet-stream");
}

const char *
extract_mime(struct slice declared, struct slice file_name, struct slice body)
{
	const char *semicolon = declared.len == 0 ? NULL : memchr(declared.p, ';', declared.len);
	const char *found;

	if (semicolon != NULL)
		declared.len = (size_t)(semicolon - declared.p);
	declared = slice_trim(declared);
	if (says_nothing(declared)) {
		found = by_magic(body);
		return found != NULL ? found : by_name(file_name);
	}
	for (const struct known *k = types; k->word != NULL; k++) {
		if (slice_is_nocase(declared, k->word))
			return k->mime;
	}
	return NULL;
}
