/* SPDX-License-Identifier: MIT */
/*
 * pg_fixture: operations of wire/pg as if they were calls: each is a flow of its own, and the loop
 * is turned until it has ended. The server is the one TEST_PG names.
 */
#ifndef TENANTGATE_TESTS_PG_FIXTURE_H
#define TENANTGATE_TESTS_PG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "tenantgate/loop/worker.h"
#include "tenantgate/wire/pg.h"

static struct worker *worker;
static struct pg_target target;

/* One operation in a flow of its own, as if it were a call. */
struct pg_fixture {
	struct flow flow;
	const struct pg_target *target;
	struct pg_conn *conn;
	const struct pg_query *query;
	const char *copy;
	pg_fill_fn *fill;
	void *fill_arg;
	uint64_t timeout_us;
	uint64_t stall_us;
	struct pg_result *out;
};

static inline enum flow_rc
pg_fixture_dial(struct flow *f)
{
	struct pg_fixture *s = (struct pg_fixture *)f;

	return pg_connect(f, NULL, s->target, s->timeout_us, &s->conn, s->out);
}

static inline enum flow_rc
pg_fixture_run(struct flow *f)
{
	struct pg_fixture *s = (struct pg_fixture *)f;

	return pg_run(f, s->conn, s->query, s->out);
}

static inline enum flow_rc
pg_fixture_copy(struct flow *f)
{
	struct pg_fixture *s = (struct pg_fixture *)f;

	return pg_copy_in(f, s->conn, s->copy, s->fill, s->fill_arg, s->stall_us, 0, s->out);
}

static inline enum flow_rc
pg_fixture_end(struct flow *f)
{
	struct pg_fixture *s = (struct pg_fixture *)f;

	return pg_conn_end(f, s->conn, s->timeout_us);
}

#define PG_FIXTURE(name) \
	static const struct flow_step name##_steps[] = { \
		{ #name, pg_fixture_##name }, \
		{ NULL, NULL }, \
	}; \
	static const struct flow_kind name##_kind = { #name, name##_steps, NULL, NULL }
PG_FIXTURE(dial);
PG_FIXTURE(run);
PG_FIXTURE(copy);
PG_FIXTURE(end);

static inline void
finish_flows(void)
{
	while (flow_count(worker) > 0)
		worker_turn(worker, 50);
}

static inline void
play(struct pg_fixture *s, const struct flow_kind *kind)
{
	flow_start(&s->flow, kind, worker, NULL);
	finish_flows();
}

static inline struct pg_conn *
dial_as(const struct pg_target *t, struct pg_result *why)
{
	struct pg_fixture s = { .target = t, .timeout_us = 60000000, .out = why };

	play(&s, &dial_kind);
	return s.conn;
}

static inline struct pg_conn *
dial(void)
{
	struct pg_result why = { 0 };
	struct pg_conn *c = dial_as(&target, &why);

	assert_string_equal(why.failure.message, "");
	assert_non_null(c);
	assert_int_equal(pg_conn_state(c), PG_IDLE);
	return c;
}

static inline void
run(struct pg_conn *c, const struct pg_query *q, struct pg_result *out)
{
	struct pg_fixture s = { .conn = c, .query = q, .out = out };

	play(&s, &run_kind);
}

static inline void
run_text(struct pg_conn *c, const char *sql, struct pg_result *out)
{
	run(c, &(struct pg_query){ .sql = sql, .simple = true }, out);
}

/* The first value of the result, or `absent`; valid until the next call. */
static inline const char *
first_value(struct pg_conn *c, const char *sql, const char *absent)
{
	static char value[200];
	struct pg_query q = { .sql = sql };
	struct pg_result r = { 0 };

	run(c, &q, &r);
	if (r.status != PG_OK)
		fail_msg("%s: %s", sql, r.failure.message);
	snprintf(value, sizeof(value), "%s", pg_rows(&r) > 0 ? pg_text(&r, 0, 0) : absent);
	pg_clear(&r);
	return value;
}

static inline void
target_set(const PQconninfoOption *o)
{
	if (o->val == NULL)
		return;
	if (strcmp(o->keyword, "host") == 0)
		target.host = o->val;
	else if (strcmp(o->keyword, "port") == 0)
		target.port = (uint16_t)strtoul(o->val, NULL, 10);
	else if (strcmp(o->keyword, "dbname") == 0)
		target.dbname = o->val;
	else if (strcmp(o->keyword, "user") == 0)
		target.user = o->val;
	else if (strcmp(o->keyword, "password") == 0)
		target.password = o->val;
	else if (strcmp(o->keyword, "sslmode") == 0)
		target.sslmode = o->val;
}

/* False when there is no TEST_PG, or it cannot be read. What it returns in *keep is to be freed
 * with PQconninfoFree() at the end. */
static inline bool
target_from_environment(PQconninfoOption **keep)
{
	const char *conninfo = getenv("TEST_PG");
	PQconninfoOption *o;

	*keep = conninfo == NULL ? NULL : PQconninfoParse(conninfo, NULL);
	if (*keep == NULL) {
		fprintf(stderr, "set TEST_PG to a conninfo\n");
		return false;
	}
	for (o = *keep; o->keyword != NULL; o++)
		target_set(o);
	return true;
}

#endif
