/* SPDX-License-Identifier: MIT */
/*
 * pg: a connection between its operations: what state it is in, whether it still lives, how it is
 * closed. An operation under way is pg_op.c's.
 */
#include "tenantgate/wire/pg.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "wire/pg_conn.h"

#define COPY_PIECE_MAX	(1u << 20)	/* bytes: a fill that gives more fails the COPY */

/* Notices are not errors ("ROLLBACK outside a transaction"). libpq's own receiver prints them on
 * stderr, past our log. */
static void
notice_drop(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

/* Verbose errors were for the login alone: statements' fields come one by one, see
 * pg_failure_result(). */
struct pg_conn *
pg_conn_new(PGconn *pq, bool is_bare)
{
	struct pg_conn *c = xcalloc(1, sizeof(*c));

	c->magic = PG_CONN_MAGIC;
	c->pq = pq;
	c->is_bare = is_bare;
	buf_init(&c->piece, COPY_PIECE_MAX);
	PQsetNoticeReceiver(pq, notice_drop, NULL);
	PQsetErrorVerbosity(pq, PQERRORS_DEFAULT);
	return c;
}

/* As libpq knows it, which is as of the last bytes read: a server that has hung up since is found
 * out by pg_conn_alive(). A failed transaction counts as one too: only ROLLBACK ends it. */
enum pg_conn_state
pg_conn_state(const struct pg_conn *c)
{
	assert(c->magic == PG_CONN_MAGIC);
	if (c->phase == PG_PHASE_BROKEN || PQstatus(c->pq) != CONNECTION_OK)
		return PG_BROKEN;
	switch (PQtransactionStatus(c->pq)) {
	case PQTRANS_IDLE:
		return PG_IDLE;
	case PQTRANS_INTRANS:
	case PQTRANS_INERROR:
		return PG_IN_TRANSACTION;
	case PQTRANS_ACTIVE:
		return PG_BUSY;
	case PQTRANS_UNKNOWN:
		break;
	}
	return PG_BROKEN;
}

/* A living idle connection has nothing to read. An end of file means that it was closed; bytes mean
 * that the server has said something unasked, which is mostly the reason why it is closing.
 * MSG_PEEK leaves them to libpq. */
bool
pg_conn_alive(struct pg_conn *c)
{
	char byte;

	if (pg_conn_state(c) == PG_BROKEN)
		return false;
	return recv(PQsocket(c->pq), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

bool
pg_conn_has_session(const struct pg_conn *c)
{
	assert(c->magic == PG_CONN_MAGIC);
	return !c->is_bare;
}

void *
pg_conn_note(struct pg_conn *c)
{
	assert(c->magic == PG_CONN_MAGIC);
	return c->note;
}

int
pg_conn_pid(const struct pg_conn *c)
{
	assert(c->magic == PG_CONN_MAGIC);
	return PQbackendPID(c->pq);
}

/* The socket is non-blocking, so PQfinish()'s Terminate message does not wait for room in it; where
 * there is none the server learns of the end from the socket. */
void
pg_conn_close(struct pg_conn *c)
{
	if (c == NULL)
		return;
	assert(c->magic == PG_CONN_MAGIC && c->flow == NULL);
	PQclear(c->rows);
	PQfinish(c->pq);
	buf_free(&c->piece);
	c->magic = 0;
	free(c);
}

int
pg_library_version(void)
{
	return PQlibVersion();
}
