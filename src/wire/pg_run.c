/* SPDX-License-Identifier: MIT */
/*
 * pg_run: the two operations of a connection, pg_run() and pg_copy_in(): libpq is given the
 * statement (which only queues it), then pg_op.c waits for what comes of it.
 */
#include <assert.h>

#include "wire/pg_conn.h"

const struct meter_family pg_statements = {
	.name = "tenantgate_pools_queries_total",
	.help = "Statements sent to Postgres, the catalog's too.",
	.type = METRIC_COUNTER,
};

/*
 * Not simple: the extended protocol. Parse, Bind, Describe, Execute and Sync leave as one, so it is
 * one round trip; parameters never become part of the statement's text, which is what rules out SQL
 * injection; the server takes one statement only. Simple: several statements, which the server runs
 * as one transaction unless they say otherwise.
 */
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
	if (q->prepared != NULL)
		return PQsendQueryPrepared(pq, q->prepared, (int)q->param_count, values, lengths,
			   formats, q->binary_rows) == 1;
	return PQsendQueryParams(pq, q->sql, (int)q->param_count, NULL, values, lengths, formats,
		   q->binary_rows) == 1;
}

/* Single-row mode holds for one statement and must be asked for right after it was sent, before
 * its first result is looked at. */
enum flow_rc
pg_run(struct flow *f, struct pg_conn *c, const struct pg_query *q, struct pg_result *out)
{
	assert(c->magic == PG_CONN_MAGIC && c->flow == NULL);
	assert(q->param_count <= PG_PARAMS_MAX && !(q->simple && q->param_count > 0));
	if (pg_conn_state(c) == PG_BROKEN || !query_send(c->pq, q) ||
	    PQsetSingleRowMode(c->pq) != 1)
		return pg_op_refuse(c, out);
	meter_add(f->worker, &pg_statements, NULL, 1);
	return pg_op_begin(f, c, PG_PHASE_RESULTS, 0, q->timeout_us, out);
}

enum flow_rc
pg_copy_in(struct flow *f, struct pg_conn *c, const char *sql, pg_fill_fn *fill, void *arg,
    uint64_t stall_us, uint64_t timeout_us, struct pg_result *out)
{
	assert(c->magic == PG_CONN_MAGIC && c->flow == NULL);
	if (pg_conn_state(c) == PG_BROKEN || PQsendQuery(c->pq, sql) != 1)
		return pg_op_refuse(c, out);
	meter_add(f->worker, &pg_statements, NULL, 1);
	c->fill = fill;
	c->fill_arg = arg;
	return pg_op_begin(f, c, PG_PHASE_COPY_STARTED, stall_us, timeout_us, out);
}
