/* SPDX-License-Identifier: MIT */
/*
 * index_hnsw: pgvector's graph. Of vectors rounded to 16 bits (halfvec, from 0.7 on): half the
 * size, and the same recall, since the distances that are shown are those of the full vectors.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "retrieval/index.h"
#include "retrieval/vector_statement.h"

#define HALFVEC_FROM	   700
#define HALFVEC_DIMENSIONS 4000 /* that it indexes at most; README of pgvector */
#define VECTOR_DIMENSIONS  2000
/* Before it a parallel build may write past its memory (pgvector's changelog, 0.8.2). */
#define PARALLEL_FROM 802
/* Beside the vector, measured: an element, its neighbours, and what the allocation rounds up. */
#define ELEMENT_BYTES 820

static bool
hnsw_is_halfvec(const struct vector_column *c)
{
	return c->version >= HALFVEC_FROM;
}

static bool
hnsw_serves(const struct vector_column *c)
{
	return c->dimensions > 0 &&
	    c->dimensions <= (hnsw_is_halfvec(c) ? HALFVEC_DIMENSIONS : VECTOR_DIMENSIONS);
}

static void
hnsw_name(const struct vector_column *c, int64_t bound, char out[INDEX_NAME_SIZE])
{
	snprintf(out, INDEX_NAME_SIZE, "%s%" PRId64,
	    hnsw_is_halfvec(c) ? INDEX_OF_HALFVEC : INDEX_OF_VECTOR, bound);
}

static int64_t
number_after(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);
	char *end;
	int64_t bound;

	if (strncmp(name, prefix, n) != 0 || name[n] < '1' || name[n] > '9')
		return -1;
	bound = strtoll(name + n, &end, 10);
	return *end == '\0' ? bound : -1;
}

static int64_t
hnsw_bound(const char *name)
{
	int64_t bound = number_after(name, INDEX_OF_HALFVEC);

	return bound >= 0 ? bound : number_after(name, INDEX_OF_VECTOR);
}

static bool
hnsw_create(const struct vector_column *c, int64_t bound, struct buf *b)
{
	char name[INDEX_NAME_SIZE];

	hnsw_name(c, bound, name);
	buf_printf(b, "CREATE INDEX CONCURRENTLY %s ON public.chunk USING hnsw (", name);
	if (hnsw_is_halfvec(c))
		buf_printf(b, "(embedding::%s.halfvec(%u)) %s.halfvec_cosine_ops", c->schema,
		    c->dimensions, c->schema);
	else
		buf_printf(b, "embedding %s.vector_cosine_ops", c->schema);
	buf_printf(b, ") WHERE " INDEX_COVERS, bound);
	return !b->failed;
}

static uint64_t
hnsw_memory(const struct vector_column *c, uint64_t rows)
{
	return rows * (c->dimensions * (hnsw_is_halfvec(c) ? 2u : 4u) + ELEMENT_BYTES);
}

static bool
hnsw_in_parallel(const struct vector_column *c)
{
	return c->version >= PARALLEL_FROM;
}

const struct index_kind index_hnsw = {
	.serves = hnsw_serves,
	.name = hnsw_name,
	.bound = hnsw_bound,
	.create = hnsw_create,
	.memory = hnsw_memory,
	.in_parallel = hnsw_in_parallel,
};
