/* SPDX-License-Identifier: MIT */
/*
 * pg_connect: a login as a child flow: name to addresses on the loop, then libpq's own connection
 * steps (PQconnectStartParams, PQconnectPoll). The child fails as flows do, its deadline included;
 * the parent is woken plainly, with the failure in *why.
 *
 *	resolve --> guard --> start --> begin --> [socket ready] --> poll --> polled --> end
 *	                                                 ^                      |
 *	                                                 +---- reading, writing +
 *
 * What libpq 15 leaves to us:
 *  - Names: PQconnectStartParams() resolves them by a blocking getaddrinfo(). With `hostaddr` it
 *    resolves nothing, and `host` is still what TLS sends (SNI) and what verify-full compares.
 *  - Time: its connect_timeout counts only in the blocking PQconnectdb(). The deadline is the
 *    flow's, for lookup, connect, TLS and login together.
 *  - Reasons: a failed login has a text, no SQLSTATE field; see pg_failure_login().
 *
 * A password's proof (SCRAM-SHA-256: 4096 rounds of HMAC) costs libpq several milliseconds of
 * computing in one call, and so does what it does for TLS (it reads all of sslrootcert anew for
 * each connection). So the calls that may do either run on a helper thread. Meanwhile the PGconn is
 * the helper's, and l->attempt is NULL: nobody watches its socket, and an aborted login leaves it
 * to the helper to finish it.
 *
 * Memory: a struct login of its own, freed by its release; it holds copies of the target's texts.
 */
#include <arpa/inet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/loop/offload.h"
#include "tenantgate/loop/timer.h"
#include "tenantgate/loop/worker.h"
#include "wire/pg_conn.h"
#include "wire/pg_login.h"

#define PROTOCOL_VIOLATION "08P01"

struct login {
	struct flow flow;
	struct err err;		 /* the child's outcome, for flow_try() */
	struct pg_target target; /* texts owned */
	struct dns *dns;	 /* borrowed; NULL if there is nothing to look up */
	struct dns_answer answer;
	void *attempt; /* owned: struct pg_attempt; NULL: a helper has it */
	bool is_bare;  /* without settings for the session */
	struct timer pause;
	struct event io;       /* added only while the flow waits for the socket */
	struct pg_conn **out;  /* borrowed: the parent's */
	struct pg_result *why; /* borrowed: the parent's */
};

static flow_step_fn login_resolve, login_guard, login_start, login_begin, login_poll, login_polled;
static flow_end_fn login_end;
static flow_release_fn pg_login_release;

static const struct flow_step pg_login_steps[] = {
	{ "resolve", login_resolve },
	{ "guard", login_guard },
	{ "start", login_start },
	{ "begin", login_begin },
	{ "poll", login_poll },
	{ "polled", login_polled },
	{ NULL, NULL },
};

static const struct flow_kind pg_login_kind = { "pg_login", pg_login_steps, login_end,
	pg_login_release };

static PGconn *
login_pq(const struct login *l)
{
	return ((const struct pg_attempt *)l->attempt)->pq;
}

/* ---- resolve ---- */

/* A socket's folder, or an address already. */
static bool
host_needs_no_lookup(const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return host[0] == '/' || inet_pton(AF_INET, host, addr) == 1 ||
	    inet_pton(AF_INET6, host, addr) == 1;
}

static enum flow_rc
login_resolve(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);

	if (host_needs_no_lookup(l->target.host))
		return FLOW_NEXT;
	return dns_lookup(f, l->dns, l->target.host, &l->answer);
}

/* ---- guard ---- */

static enum flow_rc
login_guard(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	char why[sizeof(l->why->failure.message)];

	if (err_is(&l->answer.err)) {
		pg_failure_text(&l->why->failure, "", l->answer.err.detail);
		return flow_fail(f, l->answer.err.code, "The database's host was not found.");
	}
	if (pg_guard_admits(&l->target, &l->answer, why, sizeof(why)))
		return FLOW_NEXT;
	pg_failure_text(&l->why->failure, "", why);
	l->why->failure.is_forbidden = true;
	return flow_fail(f, ERR_DATABASE, "The database's address is not allowed.");
}

/* ---- start ---- */

/* The server's own words go to the parent by *why; the child's error only ends it. */
static enum flow_rc
login_fail(struct login *l)
{
	pg_attempt_failure(l->attempt, &l->why->failure);
	return flow_fail(&l->flow, ERR_DATABASE, "The login to the database failed.");
}

static enum flow_rc
login_start(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	struct pg_attempt *a;

	l->attempt = a = pg_attempt_new(&l->target, &l->answer, l->is_bare);
	if (a == NULL)
		return flow_fail(f, ERR_OVERLOADED,
		    "There is no memory for a connection; try again later.");
	if (PQstatus(a->pq) == CONNECTION_BAD)
		return login_fail(l);
	return FLOW_NEXT;
}

/* ---- poll: libpq's steps, each after the socket became ready ---- */

static void
login_unwatch(void *arg)
{
	event_del(&((struct login *)arg)->io);
}

static void
login_ready(evutil_socket_t fd, short what, void *arg)
{
	struct login *l = arg;

	(void)fd;
	(void)what;
	flow_wake(&l->flow);
}

/* The socket may be another one each time: libpq goes on to the next address by itself, and closes
 * and opens it again where sslmode=prefer falls back. So it is asked for anew before each wait. */
static enum flow_rc
login_watch(struct login *l, short what)
{
	struct event_base *base = worker_base(l->flow.worker);

	if (event_assign(&l->io, base, PQsocket(login_pq(l)), what, login_ready, l) != 0 ||
	    event_add(&l->io, NULL) != 0)
		return flow_fail(&l->flow, ERR_OVERLOADED,
		    "A database connection could not be watched; try again later.");
	return flow_wait(&l->flow, login_unwatch, l);
}

/* After PQconnectStart() one has to act as if PQconnectPoll() had returned "writing": the connect()
 * under way shows its end by the socket becoming writable. */
static enum flow_rc
login_begin(struct flow *f)
{
	return login_watch(FLOW_OF(f, struct login, &pg_login_kind), EV_WRITE);
}

/* Logins to one database compete with one another for the helpers, and not with other tenants'. */
static enum flow_rc
login_poll(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	char holder[400];

	if (!pg_attempt_may_compute(l->attempt)) {
		pg_attempt_poll(l->attempt);
		return FLOW_NEXT;
	}
	snprintf(holder, sizeof(holder), "%s/%s", l->target.host, l->target.dbname);
	return offload_run(f, slice_str(holder), pg_attempt_poll, pg_attempt_free, l->attempt,
	    &l->attempt);
}

/* PgBouncer, and Neon's pooler, refuse settings of a session ("unsupported startup parameter:
 * options"): once more without them. */
static enum flow_rc
login_refused(struct login *l)
{
	struct pg_failure why = { 0 };

	pg_attempt_failure(l->attempt, &why);
	if (l->is_bare || strcmp(why.sqlstate, PROTOCOL_VIOLATION) != 0)
		return login_fail(l);
	pg_attempt_free(l->attempt);
	l->attempt = NULL;
	l->is_bare = true;
	return flow_goto(&l->flow, login_start);
}

static enum flow_rc
login_polled(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	const struct pg_attempt *a = l->attempt;

	flow_goto(f, login_poll);
	switch (a->status) {
	case PGRES_POLLING_READING:
		return a->partial > 0 ? flow_sleep(f, &l->pause, PG_PARTIAL_PAUSE_US)
				      : login_watch(l, EV_READ);
	case PGRES_POLLING_WRITING:
		return login_watch(l, EV_WRITE);
	case PGRES_POLLING_OK:
		return FLOW_DONE;
	default:
		return login_refused(l);
	}
}

/* ---- end ---- */

/* What is short is ours (a helper, memory), and no fault of the server's. */
static enum pg_status
login_status(const struct err *err)
{
	if (err->code == ERR_OVERLOADED)
		return PG_REFUSED;
	return err->code == ERR_TIMEOUT ? PG_TIMEOUT : PG_LOST;
}

/* *why already holds libpq's text if there is one; else the child's reason. */
static void
login_report(struct login *l, const struct err *err)
{
	l->why->status = login_status(err);
	if (l->why->failure.message[0] == '\0')
		pg_failure_text(&l->why->failure, "",
		    err->code == ERR_TIMEOUT ? "the server did not answer in time" : err->detail);
}

/* Sets one of *out and *why. Non-blocking from here on: pg_op.c relies on it, for a PQsend...()
 * must never wait for the socket. */
static void
login_end(struct flow *f, const struct err *err)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	struct pg_attempt *a = l->attempt;
	struct err ours = *err;

	if (!err_is(err) && PQsetnonblocking(a->pq, 1) == 0) {
		*l->out = pg_conn_new(a->pq, l->is_bare);
		a->pq = NULL;
	} else {
		err_set(&ours, ERR_OVERLOADED,
		    "There is no memory for a connection; try again later.");
		login_report(l, &ours);
	}
	pg_attempt_free(a);
}

static void
pg_login_release(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);

	pg_target_free(&l->target);
	free(l);
}

enum flow_rc
pg_connect(struct flow *f, struct dns *dns, const struct pg_target *target, uint64_t timeout_us,
    struct pg_conn **out, struct pg_result *why)
{
	struct login *l = xcalloc(1, sizeof(*l));
	enum flow_rc rc;

	pg_clear(why);
	*out = NULL;
	pg_target_copy(&l->target, target);
	l->dns = dns;
	l->out = out;
	l->why = why;
	rc = flow_try(f, &l->flow, &pg_login_kind, &l->err);
	flow_deadline(&l->flow, timeout_us);
	return rc;
}
