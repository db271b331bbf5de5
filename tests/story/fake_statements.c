/* SPDX-License-Identifier: MIT */
/*
 * fake_statements: see the header.
 */
#include "fake_statements.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENTS_MAX 256

struct fake_statement {
	struct flow *flow; /* NULL: the place is free */
	unsigned long serial;
};

static struct fake_statement statements[STATEMENTS_MAX];
static unsigned long serial;
static unsigned running;
static const char *newest = "";

unsigned
fake_statements_running(void)
{
	return running;
}

const char *
fake_statements_newest(void)
{
	return newest;
}

static struct flow *
statement_take(struct fake_statement *s)
{
	struct flow *f = s->flow;

	assert(f != NULL && running > 0);
	s->flow = NULL;
	running--;
	return f;
}

void
fake_statements_end_oldest(void)
{
	struct fake_statement *oldest = NULL;

	for (unsigned i = 0; i < STATEMENTS_MAX; i++) {
		struct fake_statement *s = &statements[i];

		if (s->flow != NULL && (oldest == NULL || s->serial < oldest->serial))
			oldest = s;
	}
	assert(oldest != NULL);
	flow_wake(statement_take(oldest));
}

static void
statement_cancelled(void *arg)
{
	(void)statement_take(arg);
}

enum flow_rc
pg_run(struct flow *f, struct pg_conn *c, const struct pg_query *q, struct pg_result *out)
{
	unsigned i = 0;

	(void)c;
	(void)out;
	if (strstr(q->sql, "max_connections") != NULL)
		return FLOW_NEXT; /* the pool's own question: no answer */
	while (statements[i].flow != NULL)
		assert(++i < STATEMENTS_MAX);
	statements[i] = (struct fake_statement){ f, ++serial };
	newest = q->sql;
	running++;
	return flow_wait(f, statement_cancelled, &statements[i]);
}

enum flow_rc
pg_connect(struct flow *f, struct dns *dns, const struct pg_target *target, uint64_t timeout_us,
    struct pg_conn **out, struct pg_result *why)
{
	(void)f;
	(void)dns;
	(void)target;
	(void)timeout_us;
	(void)why;
	*out = calloc(1, 1); /* opaque: the pool hands it about */
	return FLOW_NEXT;
}

bool
pg_conn_alive(struct pg_conn *c)
{
	return c != NULL;
}

enum pg_conn_state
pg_conn_state(const struct pg_conn *c)
{
	return c != NULL ? PG_IDLE : PG_BROKEN;
}

void
pg_conn_close(struct pg_conn *c)
{
	free(c);
}
