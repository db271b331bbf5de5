/* SPDX-License-Identifier: MIT */
/*
 * chunk_find: vectors of texts that the tenant's database has already.
 */
#include <assert.h>
#include <stdlib.h>

#include "retrieval/pg_binary.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/wire/pg_sql.h"

#define HASH_TEXT_SIZE (2 * CHUNK_HASH_SIZE + 8) /* bytes of one in an array, as text */

struct chunk_find {
	struct flow flow;
	struct pool_lease *lease; /* borrowed */
	const char *owner;	  /* borrowed; NULL: anybody's */
	size_t n;
	unsigned dimensions;
	const float **found;	 /* borrowed: filled */
	float **vectors;	 /* borrowed: filled */
	struct buf hashes;	 /* owned: a bytea[] as text */
	struct pg_result result; /* owned */
};

static flow_step_fn chunk_find_query, chunk_find_read;
static flow_release_fn chunk_find_release;

static const struct flow_step chunk_find_steps[] = {
	{ "chunk_find", chunk_find_query },
	{ "chunk_found", chunk_find_read },
	{ NULL, NULL },
};

static const struct flow_kind chunk_find_kind = { .name = "chunk_find",
	.steps = chunk_find_steps,
	.release = chunk_find_release };

#define FIND(more) \
	"SELECT w.place, c.embedding FROM pg_catalog.unnest($1::pg_catalog.bytea[])" \
	" WITH ORDINALITY AS w(hash, place) CROSS JOIN LATERAL" \
	" (SELECT embedding FROM public.chunk c WHERE c.hash" PG_EQUALS "w.hash" more \
	" LIMIT 1) AS c"
#define OF_OWNER \
	" AND EXISTS (SELECT FROM public.document d WHERE d.id" PG_EQUALS "c.document_id" \
	" AND d.owner_id" PG_EQUALS "$2 OFFSET 0)"

/* A look-up by the index for each: so the planner has no way that reads the whole table. */
static enum flow_rc
chunk_find_query(struct flow *f)
{
	struct chunk_find *c = FLOW_OF(f, struct chunk_find, &chunk_find_kind);
	const struct pg_query q = {
		.sql = c->owner != NULL ? FIND(OF_OWNER) : FIND(""),
		.params = { PG_TEXT(c->hashes.data), PG_TEXT(c->owner) },
		.param_count = c->owner != NULL ? 2 : 1,
		.binary_rows = true,
	};

	return pool_read(f, c->lease, &q, &c->result);
}

/* The place is an int8, from 1 on. */
static size_t
row_place(const struct pg_result *r, unsigned row)
{
	struct slice s = pg_value(r, row, 0);
	uint64_t place = 0;

	for (size_t i = 0; i < s.len; i++)
		place = place << 8 | (unsigned char)s.p[i];
	return (size_t)place;
}

/* A vector of another length, or none at all, is not found: the column has been changed. */
static enum flow_rc
chunk_find_read(struct flow *f)
{
	struct chunk_find *c = FLOW_OF(f, struct chunk_find, &chunk_find_kind);
	enum flow_rc rc = pg_check(f, &c->result, ERR_NONE, "look for the chunks' vectors");
	unsigned rows;

	if (rc != FLOW_NEXT || (rows = pg_rows(&c->result)) == 0)
		return rc;
	*c->vectors = calloc(rows, sizeof(float) * c->dimensions);
	if (*c->vectors == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the vectors");
	for (unsigned i = 0; i < rows; i++) {
		float *v = *c->vectors + (size_t)i * c->dimensions;
		size_t place = row_place(&c->result, i);

		if (place >= 1 && place <= c->n &&
		    pg_binary_vector_read(pg_value(&c->result, i, 1), v, c->dimensions))
			c->found[place - 1] = v;
	}
	return FLOW_NEXT;
}

static void
chunk_find_release(struct flow *f)
{
	struct chunk_find *c = FLOW_OF(f, struct chunk_find, &chunk_find_kind);

	buf_free(&c->hashes);
	pg_clear(&c->result);
	free(c);
}

static bool
put_hashes(struct buf *b, const uint8_t *const *hashes, size_t n)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < n; i++) {
		buf_puts(b, i == 0 ? "\"\\\\x" : ",\"\\\\x");
		for (unsigned k = 0; k < CHUNK_HASH_SIZE; k++) {
			buf_putc(b, "0123456789abcdef"[hashes[i][k] >> 4]);
			buf_putc(b, "0123456789abcdef"[hashes[i][k] & 15]);
		}
		buf_putc(b, '"');
	}
	return buf_putc(b, '}');
}

enum flow_rc
chunks_find(struct flow *f, struct pool_lease *lease, const uint8_t *const *hashes, size_t n,
    unsigned dimensions, const char *owner, const float **found, float **vectors)
{
	struct chunk_find *c = xcalloc(1, sizeof(*c));

	assert(n <= CHUNK_FIND_MAX);
	*vectors = NULL;
	c->lease = lease;
	c->owner = owner;
	c->n = n;
	c->dimensions = dimensions;
	c->found = found;
	c->vectors = vectors;
	buf_init(&c->hashes, n * HASH_TEXT_SIZE + 3);
	if (put_hashes(&c->hashes, hashes, n))
		return flow_call(f, &c->flow, &chunk_find_kind);
	buf_free(&c->hashes);
	free(c);
	return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the vectors");
}
