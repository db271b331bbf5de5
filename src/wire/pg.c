/* SPDX-License-Identifier: MIT */
/* pg: a connection between its operations: what state it is in, whether it lives, how it goes. */
#include "tenantgate/wire/pg.h"

#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "wire/pg_conn.h"

#define COPY_PIECE_MAX	(1u << 20)

/* Notices (ROLLBACK outside a transaction) are nobody's business. */
static void
notice_drop(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

struct pg_conn *
pg_conn_new(PGconn *pq)
{
	struct pg_conn *c = xcalloc(1, sizeof(*c));

	c->magic = PG_CONN_MAGIC;
	c->pq = pq;
	buf_init(&c->piece, COPY_PIECE_MAX);
	PQsetNoticeReceiver(pq, notice_drop, NULL);
	PQsetErrorVerbosity(pq, PQERRORS_DEFAULT);
	return c;
}

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

/* Nothing to read is what a living idle connection looks like. */
bool
pg_conn_alive(struct pg_conn *c)
{
	char byte;

	if (pg_conn_state(c) == PG_BROKEN)
		return false;
	return recv(PQsocket(c->pq), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

int
pg_conn_pid(const struct pg_conn *c)
{
	assert(c->magic == PG_CONN_MAGIC);
	return PQbackendPID(c->pq);
}

/* The socket is non-blocking, so PQfinish's Terminate does not wait. */
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
