/* SPDX-License-Identifier: MIT */
/*
 * pg_copy: the sending part of COPY ... FROM STDIN. Data is pulled from the caller only as fast as
 * the socket takes it: a piece is asked for when libpq has sent the one before. Calls nothing of
 * pg_op.c, which calls it whenever the socket is writable.
 *
 * libpq itself would buffer without limit: PQputCopyData() says "full" (0) only when it cannot grow
 * its buffer. So it is PQflush() that holds us back.
 */
#include "wire/pg_conn.h"

/* A turn of the loop sends this many pieces at most: a fast server must not starve the others. */
#define PIECES_A_TURN	16

/* With an error text the server fails the COPY, and with it the statement, whatever was sent. */
static bool
copy_end(struct pg_conn *c, const char *error)
{
	int rc = PQputCopyEnd(c->pq, error);

	if (rc > 0)
		c->phase = PG_PHASE_RESULTS;
	return rc >= 0; /* 0: libpq's buffer is full; again when the socket is writable */
}

/* PQputCopyData()'s: 1 taken, 0 no room in libpq's buffer, -1 lost. What was not taken stays. */
static int
piece_put(struct pg_conn *c)
{
	int rc = c->piece.len == 0 ? 1 : PQputCopyData(c->pq, c->piece.data, (int)c->piece.len);

	if (rc != 1)
		return rc;
	buf_reset(&c->piece);
	c->stall.pieces++;
	return rc;
}

/* fill is NULL once its last piece has come. */
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
		rc = piece_put(c);
		if (rc != 1)
			return rc == 0;
		if (c->fill == NULL)
			return copy_end(c, NULL);
		rc = PQflush(c->pq);
		if (rc != 0)
			return rc > 0; /* 1: the socket is full, the rest waits in libpq */
		piece_fill(c);
	}
	return true;
}
