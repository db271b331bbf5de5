/* SPDX-License-Identifier: MIT */
/*
 * statement_print: the SQL of searches, for search-plans.test.mjs, which asks a server for its
 * plans.
 *
 *	statement_print schema DIMENSIONS	a tenant's database, statement by statement
 *	statement_print settings		of a session
 *	statement_print local WAY K [pooled]	of a transaction; nothing where none are needed
 *	statement_print store			what keeps a document's words
 *	statement_print missing			... of documents that have none
 *	statement_print stage			... of a segment of a document on its way
 *	statement_print take			what makes those count
 *	statement_print sketch BOUND		what makes sketches of the tail, of 1,536 numbers
 *	statement_print copy			a batch of an app's own table of vectors
 *	statement_print forget			what takes away what an attempt has staged
 *	statement_print WAY DIMENSIONS INDEX BOUND [hybrid] [before] [places] [ids] [owner] [own]
 *		[FILTER]
 *
 * WAY: of enum vector_way, as a number. before: of RETRIEVAL_SCHEMA_TAIL;
 * places: of RETRIEVAL_SCHEMA_PLACES. FILTER: JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/embeddings_copy.h"
#include "retrieval/index.h"
#include "retrieval/sketch.h"
#include "retrieval/staging_forget.h"
#include "retrieval/text_store.h"
#include "retrieval/vector_settings.h"
#include "tenantgate/base/json.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/search_filter.h"

static int
schema_print(unsigned dimensions)
{
	struct arena *arena = arena_new(1u << 20);
	const char *const *s = retrieval_schema(arena, dimensions);

	for (; s != NULL && *s != NULL; s++)
		printf("%s;\n", *s);
	arena_free(arena);
	return 0;
}

static int
local_print(const char *way, const char *k, bool pooled)
{
	char settings[VECTOR_SETTINGS_SIZE];

	if (vector_settings((enum vector_way)strtoul(way, NULL, 10), (unsigned)strtoul(k, NULL, 10),
		!pooled, settings))
		printf("%s;", settings);
	return 0;
}

static int
sketch_print(const char *bound)
{
	const struct vector_column column = { .schema = "public", .dimensions = 1536 };
	struct buf out;

	buf_init(&out, 1u << 16);
	sketch_statement_write(&out, &column, strtoll(bound, NULL, 10));
	printf("%.*s\n", (int)out.len, out.data);
	buf_free(&out);
	return 0;
}

static const struct search_filter *
filter_of(const char *text, struct arena *arena)
{
	const struct search_filter *filter = NULL;
	struct err err = { 0 };
	json_t *value = json_read(slice_str(text), &err);

	if (!search_filter_read(value, "filter", arena, &filter, &err) || filter == NULL)
		abort();
	json_decref(value);
	return filter;
}

static int
statement_print(int argc, char **argv)
{
	static const char *const ids[] = { "a" };
	struct vector_index index = { .indexed_to = strtoll(argv[4], NULL, 10) };
	struct search_request request = { .dimensions = (unsigned)strtoul(argv[2], NULL, 10),
		.schema_version = RETRIEVAL_SCHEMA_VERSION };
	struct arena *arena = arena_new(1u << 20);
	struct buf out;

	snprintf(index.name, sizeof(index.name), "%s", argv[3]);
	index.is_halfvec = strncmp(argv[3], INDEX_OF_HALFVEC, strlen(INDEX_OF_HALFVEC)) == 0;
	for (int i = 5; i < argc; i++) {
		if (strcmp(argv[i], "ids") == 0) {
			request.document_ids = ids;
			request.document_count = 1;
		} else if (strcmp(argv[i], "hybrid") == 0) {
			request.mode = SEARCH_HYBRID;
			request.text_weight = 85;
		} else if (strcmp(argv[i], "before") == 0) {
			request.schema_version = RETRIEVAL_SCHEMA_TAIL;
		} else if (strcmp(argv[i], "places") == 0) {
			request.schema_version = RETRIEVAL_SCHEMA_PLACES;
		} else if (strcmp(argv[i], "owner") == 0) {
			request.owner = "a";
		} else if (strcmp(argv[i], "own") == 0) {
			request.own_only = true;
		} else {
			request.filter = filter_of(argv[i], arena);
		}
	}
	buf_init(&out, 1u << 20);
	if (!vector_statement(&out, (enum vector_way)strtoul(argv[1], NULL, 10), "public", &index,
		&request))
		return 1;
	printf("%.*s\n", (int)out.len, out.data);
	buf_free(&out);
	arena_free(arena);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "schema") == 0)
		return schema_print((unsigned)strtoul(argv[2], NULL, 10));
	if (argc == 2 && strcmp(argv[1], "settings") == 0)
		return puts(search_settings()) < 0;
	if (argc == 2 && strcmp(argv[1], "store") == 0)
		return puts(text_store_statement) < 0;
	if (argc == 2 && strcmp(argv[1], "missing") == 0)
		return puts(text_store_owed_statement) < 0;
	if (argc == 2 && strcmp(argv[1], "stage") == 0)
		return puts(text_stage_statement) < 0;
	if (argc == 2 && strcmp(argv[1], "take") == 0)
		return puts(text_take_statement) < 0;
	if (argc == 2 && strcmp(argv[1], "forget") == 0)
		return puts(staging_forget_statement) < 0;
	if (argc == 2 && strcmp(argv[1], "copy") == 0)
		return puts(embeddings_copy_sql) < 0;
	if (argc == 3 && strcmp(argv[1], "sketch") == 0)
		return sketch_print(argv[2]);
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "local") == 0)
		return local_print(argv[2], argv[3], argc == 5);
	if (argc >= 5)
		return statement_print(argc, argv);
	return 2;
}
