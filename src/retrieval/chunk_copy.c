/* SPDX-License-Identifier: MIT */
/*
 * chunk_copy: see the header. PostgreSQL's manual, COPY, "Binary Format".
 */
#include "retrieval/chunk_copy.h"

#include <assert.h>
#include <string.h>

#include "retrieval/pg_binary.h"
#include "tenantgate/retrieval.h"

#define PIECE		((size_t)32 << 10) /* bytes encoded at a time; one row more at most */
#define COPY_TIMEOUT_US (300 * 1000000ull) /* of the COPY; the flow's deadline holds too */

static const struct {
	unsigned fields;
	const char *sql;
} copies[] = {
	[CHUNK_OLD] = { 5,
	    "COPY public.chunk (document_id, chunk_index, page, content, embedding)"
	    " FROM STDIN (FORMAT binary)" },
	[CHUNK_NEW] = { 7,
	    "COPY public.chunk (document_id, chunk_index, page, content, embedding, hash, tail)"
	    " FROM STDIN (FORMAT binary)" },
	[CHUNK_STAGED] = { 6,
	    "COPY public.chunk_staged (attempt, chunk_index, page, content, embedding, hash)"
	    " FROM STDIN (FORMAT binary)" },
};

/* A field is its length in bytes (int32), then its bytes in the type's binary form. */
static void
copy_put_field(struct buf *b, const void *bytes, size_t n)
{
	buf_be32(b, (uint32_t)n);
	buf_add(b, bytes, n);
}

static void
copy_put_int(struct buf *b, unsigned value)
{
	buf_be32(b, 4);
	buf_be32(b, value);
}

/* A row is its count of fields (int16), then the fields in the order of the statement's columns. */
static void
copy_put_row(struct chunk_copy *c, struct buf *b)
{
	const struct chunk_row *row = &c->rows->rows[c->at++];
	unsigned fields = copies[c->columns].fields;
	const char tail = c->tail ? 1 : 0;

	buf_be16(b, (uint16_t)fields);
	copy_put_field(b, c->owner, strlen(c->owner));
	copy_put_int(b, row->chunk->index);
	if (row->chunk->page == 0)
		buf_be32(b, UINT32_MAX); /* length -1: null */
	else
		copy_put_int(b, row->chunk->page);
	copy_put_field(b, row->chunk->content.p, row->chunk->content.len);
	buf_be32(b, (uint32_t)PG_BINARY_VECTOR_SIZE(c->rows->dimensions));
	pg_binary_vector(b, row->vector, c->rows->dimensions);
	if (fields > 5)
		copy_put_field(b, row->hash, CHUNK_HASH_SIZE);
	if (fields > 6)
		copy_put_field(b, &tail, 1);
}

/* A pg_fill_fn: the next rows. A buf that failed ends the COPY as failed. */
static bool
chunk_copy_fill(struct buf *b, void *arg)
{
	struct chunk_copy *c = arg;

	if (c->at == 0)
		pg_binary_copy_begin(b);
	while (c->at < c->rows->count && b->len < PIECE && !b->failed)
		copy_put_row(c, b);
	if (b->failed)
		return false;
	c->progress(c->progress_arg, c->at);
	if (c->at < c->rows->count)
		return true;
	pg_binary_copy_end(b);
	return false;
}

enum flow_rc
chunk_copy_run(struct flow *f, struct pg_conn *conn, struct chunk_copy *c, struct pg_result *out)
{
	assert(c->rows->dimensions > 0 && c->rows->dimensions <= INT16_MAX);
	c->at = 0;
	return pg_copy_in(f, conn, copies[c->columns].sql, chunk_copy_fill, c, 0, COPY_TIMEOUT_US,
	    out);
}

const char *
chunks_normalized(const struct store_chunks *c)
{
	const struct chunk_rows *rows = c->rows;
	const bool *known = c->is_normalized;
	bool is = known != NULL && *known;

	if (rows != NULL && rows->count > 0)
		is = vectors_are_normalized(&rows->rows[0].vector, 1, rows->dimensions);
	else if (known == NULL)
		return NULL;
	return is ? "true" : "false";
}
