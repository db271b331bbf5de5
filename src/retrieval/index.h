/* SPDX-License-Identifier: MIT */
/*
 * index: what the kinds of indexes of vectors have in common, so that another extension's is one
 * file (index_hnsw.c is the first). An index covers the chunks of INDEX_COVERS; the search's
 * statement has the same condition, and the distance as the kind's index has it, or the index would
 * not be used.
 *
 * An index is known by its name, which says its kind, its form and the bound: so that any replica,
 * and a restored database, can tell what is there without a list of it. Pure; any thread.
 */
#ifndef RETRIEVAL_INDEX_H
#define RETRIEVAL_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "tenantgate/base/buf.h"
#include "tenantgate/wire/pg.h"
#include "tenantgate/wire/pg_sql.h"

#define INDEX_NAME_SIZE (PG_NAME_MAX + 1)

/* A format with the bound, an int64_t as PRId64. */
#define INDEX_COVERS "(NOT tail OR id" PG_AT_MOST "%" PRId64 ")"

/* public.chunk.embedding, and the extension that it is of. */
struct vector_column {
	char	 schema[PG_NOTE_SIZE]; /* the extension's, quoted */
	unsigned dimensions;
	unsigned version; /* of the extension: 802 for 0.8.2 */
};

struct index_kind {
	/* False: there is none for such a column. */
	bool (*serves)(const struct vector_column *);
	void (*name)(const struct vector_column *, int64_t bound, char out[INDEX_NAME_SIZE]);
	/* The bound in a name that the above has made; -1 in any other. */
	int64_t (*bound)(const char *name);
	/* The statement that builds it beside its users. False: past the buffer's ceiling. */
	bool (*create)(const struct vector_column *, int64_t bound, struct buf *);
	/* Bytes that a build of so many rows needs so as not to go row by row. */
	uint64_t (*memory)(const struct vector_column *, uint64_t rows);
	/* Whether the server may build with several processes. */
	bool (*in_parallel)(const struct vector_column *);
};

extern const struct index_kind index_hnsw;

#endif
