/* SPDX-License-Identifier: MIT */
/*
 * reembed_put: new vectors into the table in which they wait, by binary COPY (PostgreSQL's manual,
 * COPY, "Binary Format").
 */
#include <stdio.h>
#include <string.h>

#include "retrieval/pg_binary.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/reembed.h"

#define PIECE_BYTES	((size_t)32 << 10) /* encoded at a time; one row more at most */
#define PUT_TIMEOUT_US	(300 * 1000000ull)
#define UNIQUE_VIOLATED "23505"

struct reembed_copy {
	struct flow flow;
	struct reembed *reembed; /* borrowed, as the rows */
	const struct reembed_row *rows;
	size_t count, at;
	struct pg_result result; /* owned */
};

static flow_step_fn reembed_copy_send, reembed_copy_sent;
static flow_release_fn reembed_copy_release;

static const struct flow_step reembed_copy_steps[] = {
	{ "reembed_copy", reembed_copy_send },
	{ "reembed_copied", reembed_copy_sent },
	{ NULL, NULL },
};

static const struct flow_kind reembed_copy_kind = { .name = "reembed_put",
	.steps = reembed_copy_steps,
	.release = reembed_copy_release };

static void
put_row(struct buf *b, const struct reembed_row *row, unsigned dimensions)
{
	buf_be16(b, 3);
	buf_be32(b, 8);
	buf_be64(b, (uint64_t)row->id);
	buf_be32(b, CHUNK_HASH_SIZE);
	buf_add(b, row->hash, CHUNK_HASH_SIZE);
	buf_be32(b, (uint32_t)PG_BINARY_VECTOR_SIZE(dimensions));
	pg_binary_vector(b, row->vector, dimensions);
}

/* A pg_fill_fn: the next rows. */
static bool
reembed_copy_fill(struct buf *b, void *arg)
{
	struct reembed_copy *c = arg;

	if (c->at == 0)
		pg_binary_copy_begin(b);
	while (c->at < c->count && b->len < PIECE_BYTES && !b->failed)
		put_row(b, &c->rows[c->at++], c->reembed->model.dimensions);
	if (b->failed)
		return false;
	if (c->at < c->count)
		return true;
	pg_binary_copy_end(b);
	return false;
}

static enum flow_rc
reembed_copy_send(struct flow *f)
{
	struct reembed_copy *c = FLOW_OF(f, struct reembed_copy, &reembed_copy_kind);
	char sql[128];

	snprintf(sql, sizeof(sql),
	    "COPY public.%s (id, hash, embedding) FROM STDIN (FORMAT binary)", c->reembed->table);
	return pg_copy_in(f, c->reembed->lease->conn, sql, reembed_copy_fill, c, 0, PUT_TIMEOUT_US,
	    &c->result);
}

static enum flow_rc
reembed_copy_sent(struct flow *f)
{
	struct reembed_copy *c = FLOW_OF(f, struct reembed_copy, &reembed_copy_kind);

	if (c->result.status == PG_SQL_ERROR &&
	    strcmp(c->result.failure.sqlstate, UNIQUE_VIOLATED) == 0)
		return flow_fail(f, ERR_CONFLICT,
		    "Another process is embedding this tenant's documents anew. Wait until it has "
		    "ended.");
	return pg_check(f, &c->result, ERR_NONE, "put new vectors aside");
}

static void
reembed_copy_release(struct flow *f)
{
	pg_clear(&FLOW_OF(f, struct reembed_copy, &reembed_copy_kind)->result);
}

enum flow_rc
reembed_put(struct flow *f, struct reembed *r, const struct reembed_row *rows, size_t n)
{
	struct reembed_copy *c = arena_alloc(f->arena, sizeof(*c));

	if (c == NULL)
		return flow_fail(f, ERR_OVERLOADED, ERR_NO_MEMORY, "the new vectors");
	c->reembed = r;
	c->rows = rows;
	c->count = n;
	return flow_call(f, &c->flow, &reembed_copy_kind);
}
