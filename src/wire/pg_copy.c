/* SPDX-License-Identifier: MIT */
/*
 * pg_copy: COPY ... FROM STDIN. Data is pulled from the caller only as fast as the socket takes
 * it: a piece is asked for when libpq has sent the one before, and a few pieces a turn at most.
 */
#include <assert.h>

#include "wire/pg_conn.h"

#define PIECES_A_TURN	16

static bool
copy_end(struct pg_conn *c, const char *error)
{
	int rc = PQputCopyEnd(c->pq, error);

	if (rc < 0) {
		pg_op_lost(c);
		return false;
	}
	if (rc > 0)
		c->phase = PG_PHASE_RESULTS;
	return true; /* 0: libpq's buffer is full; we come again when the socket is writable */
}

/* True when libpq took the piece. */
static bool
piece_put(struct pg_conn *c, int *rc)
{
	*rc = c->piece.len == 0 ? 1 : PQputCopyData(c->pq, c->piece.data, (int)c->piece.len);
	if (*rc == 1)
		buf_reset(&c->piece);
	return *rc == 1;
}

/* fill is NULL once it has said that its last piece was the last. */
static void
piece_fill(struct pg_conn *c)
{
	if (!c->fill(&c->piece, c->fill_arg))
		c->fill = NULL;
}

bool
pg_copy_send(struct pg_conn *c)
{
	unsigned pieces;
	int rc;

	for (pieces = 0; pieces < PIECES_A_TURN; pieces++) {
		if (c->piece.failed)
			return copy_end(c, "the data could not be encoded");
		if (!piece_put(c, &rc)) {
			if (rc == 0)
				return true;
			pg_op_lost(c);
			return false;
		}
		if (c->fill == NULL)
			return copy_end(c, NULL);
		rc = PQflush(c->pq);
		if (rc < 0) {
			pg_op_lost(c);
			return false;
		}
		if (rc > 0)
			return true;
		piece_fill(c);
	}
	return true;
}

enum flow_rc
pg_copy_in(struct flow *f, struct pg_conn *c, const char *sql, pg_fill_fn *fill, void *arg,
    uint64_t timeout_us, struct pg_result *out)
{
	assert(c->magic == PG_CONN_MAGIC && c->flow == NULL);
	if (pg_conn_state(c) == PG_BROKEN || PQsendQuery(c->pq, sql) != 1)
		return pg_op_refuse(c, out);
	c->fill = fill;
	c->fill_arg = arg;
	return pg_op_begin(f, c, PG_PHASE_COPY_STARTED, timeout_us, out);
}
