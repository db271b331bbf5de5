/* SPDX-License-Identifier: MIT */
/*
 * pg_op: one operation on a connection, from the statement's sending to the flow's waking.
 *
 *	pg_run ------------------------------------------> [results] --> flow woken --> [none]
 *	                                                       ^
 *	pg_copy_in --> [copy started] --> [copy send] ---------+
 *	any --- deadline, flow aborted (the server is asked to stop), socket lost --> [broken]
 *
 * op_ready() moves it, each time the socket is ready, by libpq's own order for non-blocking work:
 * PQconsumeInput() what can be read, PQgetResult() while PQisBusy() says it would not block,
 * PQflush() what is still to be sent, until PQgetResult() gives NULL.
 *
 * What always holds:
 *  - The events are added exactly while flow is set; op_stop() is the one place that clears all.
 *  - Rows come one by one (libpq's single-row mode), so a result past PG_RESULT_MAX is cut while
 *    it arrives, not when it is in memory.
 *  - An operation that we leave before the server has finished it breaks the connection: what the
 *    server still sends would be taken for the next statement's result.
 */
#include <assert.h>
#include <stdlib.h>

#include "tenantgate/loop/worker.h"
#include "wire/pg_conn.h"

/* Ends the operation on our side. What it has read goes to c->out before, or is dropped here. */
static void
op_stop(struct pg_conn *c)
{
	event_del(&c->io);
	event_del(&c->deadline);
	pg_stall_end(c);
	c->preparing[0] = '\0';
	c->flow = NULL;
	c->out = NULL;
	c->want = 0;
	PQclear(c->rows);
	c->rows = NULL;
	buf_reset(&c->piece);
}

static void
op_wake(struct pg_conn *c, enum pg_phase phase)
{
	struct flow *f = c->flow;

	op_stop(c);
	c->phase = phase;
	flow_wake(f);
}

/* A failed operation has no rows, not even those that came before the failure. */
static void
op_fail(struct pg_result *out, enum pg_status status)
{
	out->status = status;
	out->changed = 0;
	PQclear(out->owned);
	out->owned = NULL;
}

/* What the server said of its own accord before it hung up ("terminating connection due to
 * administrator command", 57P01) was read as a failed statement, and is the better reason. */
static void
op_lost(struct pg_conn *c)
{
	op_fail(c->out, PG_LOST);
	if (c->out->failure.message[0] == '\0')
		pg_failure_text(&c->out->failure, "", PQerrorMessage(c->pq));
	op_wake(c, PG_PHASE_BROKEN);
}

/* libpq's own text says why; a connection already known to be broken has none. */
enum flow_rc
pg_op_refuse(struct pg_conn *c, struct pg_result *out)
{
	const char *why = PQerrorMessage(c->pq);

	pg_clear(out);
	out->status = pg_conn_state(c) == PG_BROKEN ? PG_LOST : PG_SQL_ERROR;
	pg_failure_text(&out->failure, "", why[0] != '\0' ? why : "the connection is closed");
	return FLOW_NEXT;
}

/* We give up on the statement, and the flow gets this reason for it. Closing the connection alone
 * would not stop the server: it runs a statement to its end before it looks at the socket. */
static void
op_abandon(struct pg_conn *c, enum pg_status status, const char *sqlstate, const char *why)
{
	op_fail(c->out, status);
	pg_failure_text(&c->out->failure, sqlstate, why);
	pg_cancel_send(c->pq);
	op_wake(c, PG_PHASE_BROKEN);
}

static void
op_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	op_abandon(arg, PG_TIMEOUT, "", "the statement took longer than its deadline");
}

static void
op_stall_look(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;

	(void)fd;
	(void)what;
	if (pg_stall_is_over(c))
		op_abandon(c, PG_TIMEOUT, "", "the server takes none of the data");
}

/* flow_abort(): nobody is woken; c->out may go away at any moment. */
static void
op_cancelled(void *arg)
{
	struct pg_conn *c = arg;

	op_stop(c);
	c->phase = PG_PHASE_BROKEN;
	pg_cancel_send(c->pq);
}

/* The statement is complete: its rows, or its tag, replace those of the one before it. In
 * single-row mode the result that comes last has no rows; they are in c->rows. */
static void
statement_complete(struct pg_conn *c, PGresult *res)
{
	c->out->changed = strtoull(PQcmdTuples(res), NULL, 10);
	PQclear(c->out->owned);
	if (c->rows != NULL) {
		PQclear(res);
		res = c->rows;
		c->rows = NULL;
	}
	c->out->owned = res;
}

/* Of several statements the first failure counts; the server skips the rest. */
static void
statement_failed(struct pg_conn *c, PGresult *res)
{
	if (c->out->status == PG_OK) {
		op_fail(c->out, PG_SQL_ERROR);
		pg_failure_result(&c->out->failure, res);
	}
	PQclear(res);
}

/* PQsetvalue() copies the value into the result, and a row number that is one past the last adds a
 * row. It is meant for results an application makes, but works on any. False: no memory. */
static bool
row_copy(PGresult *to, const PGresult *from)
{
	int row = PQntuples(to), col, n = PQnfields(from);

	for (col = 0; col < n; col++) {
		bool null = PQgetisnull(from, 0, col);

		if (!PQsetvalue(to, row, col, null ? NULL : PQgetvalue(from, 0, col),
			null ? -1 : PQgetlength(from, 0, col)))
			return false;
	}
	return true;
}

/* Takes over the one-row result: the first one becomes the collection. False when it has grown past
 * its ceiling, counted as the values and a pointer for each, or there is no memory for more. */
static bool
row_add(struct pg_conn *c, PGresult *res)
{
	int col, n = PQnfields(res);
	bool good = true;

	for (col = 0; col < n; col++)
		c->bytes += (size_t)PQgetlength(res, 0, col) + sizeof(void *);
	if (c->rows == NULL) {
		c->rows = res;
	} else {
		good = row_copy(c->rows, res);
		PQclear(res);
	}
	return good && c->bytes <= PG_RESULT_MAX;
}

/*
 * Takes over the result. False: the operation is over, or goes on by sending. PGRES_COPY_IN is the
 * server's readiness for data, once for each COPY. What is left (COPY TO, a COPY inside pg_run(), a
 * second COPY of one text) would leave the connection inside a copy that nobody feeds.
 */
static bool
result_handle(struct pg_conn *c, PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_SINGLE_TUPLE:
		if (row_add(c, res))
			return true;
		op_abandon(c, PG_SQL_ERROR, "54000", "the result is too large");
		return false;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		statement_complete(c, res);
		return true;
	case PGRES_COPY_IN:
		PQclear(res);
		if (c->phase == PG_PHASE_COPY_STARTED) {
			c->phase = PG_PHASE_COPY_SEND;
			return false;
		}
		break;
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
		statement_failed(c, res);
		return true;
	default:
		PQclear(res);
		break;
	}
	op_abandon(c, PG_SQL_ERROR, "0A000", "COPY is not possible here");
	return false;
}

/* PQgetResult() gave NULL: the server is ready for the next statement, unless it has hung up. */
static void
results_complete(struct pg_conn *c)
{
	if (PQstatus(c->pq) != CONNECTION_OK) {
		op_lost(c);
		return;
	}
	if (c->out->status == PG_OK)
		pg_prepare_end(c);
	op_wake(c, PG_PHASE_NONE);
}

/* Handles what has arrived, without blocking. False when the operation is over. */
static bool
results_read(struct pg_conn *c)
{
	while (!PQisBusy(c->pq)) {
		PGresult *res = PQgetResult(c->pq);

		if (res == NULL) {
			results_complete(c);
			return false;
		}
		if (!result_handle(c, res))
			return c->flow != NULL;
	}
	return true;
}

static void	op_ready(evutil_socket_t, short, void *);

/* Waits for the socket: to write while libpq holds bytes or we have more; to read always, also
 * while we write: a server that is blocked sending (notices, an early error) reads nothing of ours
 * before we have read that, and both would wait for ever. False: the socket is lost. */
static bool
op_watch(struct pg_conn *c)
{
	int pending = PQflush(c->pq);
	bool more = pending > 0 || c->phase == PG_PHASE_COPY_SEND;
	short want = EV_READ | EV_PERSIST | (more ? EV_WRITE : 0);

	if (pending < 0)
		return false;
	if (want == c->want)
		return true;
	if (c->want != 0)
		event_del(&c->io);
	c->want = want;
	return event_assign(&c->io, worker_base(c->flow->worker), PQsocket(c->pq), want, op_ready,
		   c) == 0 &&
	    event_add(&c->io, NULL) == 0;
}

/* May end the operation in several places: after a false from below, c is not this operation's. */
static void
op_ready(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;
	bool open = !(what & EV_READ) || PQconsumeInput(c->pq);

	(void)fd;
	if (open && c->phase == PG_PHASE_COPY_SEND && !pg_copy_send(c)) {
		op_lost(c);
		return;
	}
	/* Also when the socket is lost: the server may have said why before it hung up. Also right
	 * after the last of a COPY: the server's refusal may have been read while we sent. */
	if (c->phase != PG_PHASE_COPY_SEND && !results_read(c))
		return;
	if (!open || !op_watch(c))
		op_lost(c);
}

/*
 * op_watch() already sends what it can. The statement's deadline is ours, not the server's
 * statement_timeout, which a pooler in front of it may not pass on.
 *
 * event_assign() fails only for a base that is none, so no error path for it is worth having.
 */
enum flow_rc
pg_op_begin(struct flow *f, struct pg_conn *c, enum pg_phase phase, uint64_t stall_us,
    uint64_t timeout_us, struct pg_result *out)
{
	uint64_t us = timeout_us != 0 ? timeout_us : PG_TIMEOUT_DEFAULT_US;
	struct timeval tv = { .tv_sec = (time_t)(us / 1000000), .tv_usec = us % 1000000 };
	struct event_base *base = worker_base(f->worker);

	pg_clear(out);
	c->flow = f;
	c->out = out;
	c->phase = phase;
	c->bytes = 0;
	c->want = 0;
	if (event_assign(&c->io, base, PQsocket(c->pq), EV_READ, op_ready, c) != 0 ||
	    event_assign(&c->deadline, base, -1, 0, op_deadline, c) != 0)
		abort();
	if (phase == PG_PHASE_COPY_STARTED)
		pg_stall_begin(c, stall_us, base, op_stall_look);
	if (evtimer_add(&c->deadline, &tv) != 0 || !op_watch(c)) {
		op_stop(c);
		c->phase = PG_PHASE_BROKEN;
		return pg_op_refuse(c, out);
	}
	return flow_wait(f, op_cancelled, c);
}
