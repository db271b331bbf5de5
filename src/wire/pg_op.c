/* SPDX-License-Identifier: MIT */
/*
 * pg_op: one operation on a connection.
 *
 *	pg_run --> [results] ------------------------------+--> flow woken --> [none]
 *	pg_copy_in --> [copy asked] --> [copy send] --> [results]
 *	any --- deadline, flow aborted (the server is asked to stop), socket lost --> [broken]
 *
 * What always holds:
 *  - The events are added exactly while flow is set; op_stop() is the one place that takes both.
 *  - Rows come one by one (libpq's single-row mode), so a result past PG_RESULT_MAX is cut while
 *    it arrives, not when it is in memory.
 */
#include <assert.h>
#include <stdlib.h>

#include "tenantgate/loop/worker.h"
#include "wire/pg_conn.h"

static void
op_stop(struct pg_conn *c)
{
	event_del(&c->io);
	event_del(&c->deadline);
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

static void
op_fail(struct pg_result *out, enum pg_status status)
{
	out->status = status;
	out->changed = 0;
	PQclear(out->owned);
	out->owned = NULL;
}

void
pg_op_lost(struct pg_conn *c)
{
	op_fail(c->out, PG_LOST);
	if (c->out->failure.message[0] == '\0')
		pg_failure_text(&c->out->failure, "", PQerrorMessage(c->pq));
	op_wake(c, PG_PHASE_BROKEN);
}

enum flow_rc
pg_op_refuse(struct pg_conn *c, struct pg_result *out)
{
	const char *why = PQerrorMessage(c->pq);

	pg_clear(out);
	out->status = pg_conn_state(c) == PG_BROKEN ? PG_LOST : PG_SQL_ERROR;
	pg_failure_text(&out->failure, "", why[0] != '\0' ? why : "the connection is closed");
	return FLOW_NEXT;
}

/* We give up on the statement; the server is told, and the connection is of no more use. */
static void
op_give_up(struct pg_conn *c, enum pg_status status, const char *sqlstate, const char *why)
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
	op_give_up(arg, PG_TIMEOUT, "", "the statement took longer than its deadline");
}

/* flow_abort(): nobody is woken. */
static void
op_cancelled(void *arg)
{
	struct pg_conn *c = arg;

	op_stop(c);
	c->phase = PG_PHASE_BROKEN;
	pg_cancel_send(c->pq);
}

/* The statement is complete: its rows, or its tag, replace those of the one before it. */
static void
statement_over(struct pg_conn *c, PGresult *res)
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

static void
statement_failed(struct pg_conn *c, PGresult *res)
{
	if (c->out->status == PG_OK) {
		op_fail(c->out, PG_SQL_ERROR);
		pg_failure_result(&c->out->failure, res);
	}
	PQclear(res);
}

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

/* False when the result has grown past its ceiling. */
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

/* Takes over the result. False: the operation is over, or goes on by sending. */
static bool
result_take(struct pg_conn *c, PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_SINGLE_TUPLE:
		if (row_add(c, res))
			return true;
		op_give_up(c, PG_SQL_ERROR, "54000", "the result is too large");
		return false;
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
	case PGRES_EMPTY_QUERY:
		statement_over(c, res);
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
	op_give_up(c, PG_SQL_ERROR, "0A000", "COPY is not possible here");
	return false;
}

static void
results_over(struct pg_conn *c)
{
	if (PQstatus(c->pq) == CONNECTION_OK)
		op_wake(c, PG_PHASE_NONE);
	else
		pg_op_lost(c);
}

/* What has arrived. False when the operation is over. */
static bool
results_read(struct pg_conn *c)
{
	while (!PQisBusy(c->pq)) {
		PGresult *res = PQgetResult(c->pq);

		if (res == NULL) {
			results_over(c);
			return false;
		}
		if (!result_take(c, res))
			return c->flow != NULL;
	}
	return true;
}

static void	op_ready(evutil_socket_t, short, void *);

/* Waits for the socket: to read always, to write while libpq holds bytes or we have more. */
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

static void
op_ready(evutil_socket_t fd, short what, void *arg)
{
	struct pg_conn *c = arg;
	bool open = !(what & EV_READ) || PQconsumeInput(c->pq);

	(void)fd;
	if (open && c->phase == PG_PHASE_COPY_SEND && !pg_copy_send(c))
		return;
	/* Also when the socket is lost: the server may have said why before it hung up. Also right
	 * after the last of a COPY: the server's refusal may have been read while we sent. */
	if (c->phase != PG_PHASE_COPY_SEND && !results_read(c))
		return;
	if (!open || !op_watch(c))
		pg_op_lost(c);
}

enum flow_rc
pg_op_begin(struct flow *f, struct pg_conn *c, enum pg_phase phase, uint64_t timeout_us,
    struct pg_result *out)
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
	if (evtimer_add(&c->deadline, &tv) != 0 || !op_watch(c)) {
		op_stop(c);
		c->phase = PG_PHASE_BROKEN;
		return pg_op_refuse(c, out);
	}
	return flow_wait(f, op_cancelled, c);
}

static bool
query_send(PGconn *pq, const struct pg_query *q)
{
	const char *values[PG_PARAMS_MAX];
	int lengths[PG_PARAMS_MAX], formats[PG_PARAMS_MAX];
	unsigned i;

	if (q->simple)
		return PQsendQuery(pq, q->sql) == 1;
	for (i = 0; i < q->param_count; i++) {
		values[i] = q->params[i].data;
		lengths[i] = q->params[i].len;
		formats[i] = q->params[i].binary;
	}
	return PQsendQueryParams(pq, q->sql, (int)q->param_count, NULL, values, lengths, formats,
		   q->binary_rows) == 1;
}

enum flow_rc
pg_run(struct flow *f, struct pg_conn *c, const struct pg_query *q, struct pg_result *out)
{
	assert(c->magic == PG_CONN_MAGIC && c->flow == NULL);
	assert(q->param_count <= PG_PARAMS_MAX && !(q->simple && q->param_count > 0));
	if (pg_conn_state(c) == PG_BROKEN || !query_send(c->pq, q) ||
	    PQsetSingleRowMode(c->pq) != 1)
		return pg_op_refuse(c, out);
	return pg_op_begin(f, c, PG_PHASE_RESULTS, q->timeout_us, out);
}
