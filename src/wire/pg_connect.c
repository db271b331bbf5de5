/* SPDX-License-Identifier: MIT */
/*
 * pg_connect: a login as a child flow: name to addresses on the loop, then libpq's own connection
 * steps (PQconnectStartParams, PQconnectPoll). The child fails as flows do, its deadline included;
 * the parent is woken plainly, with the failure in *why.
 *
 *	resolve --> start --> begin --> [socket ready] --> poll --> polled --> end: *out, or *why
 *	                                       ^                      |
 *	                                       +---- reading, writing +
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

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/loop/offload.h"
#include "tenantgate/loop/worker.h"
#include "wire/pg_conn.h"

#define CA_BUNDLE  "/etc/ssl/certs/ca-certificates.crt" /* libpq 15 knows no "system" */
#define ADDRS_USED 4					/* libpq tries them in turn */
#define PARAMS_MAX 24

/* libpq's side of a login; on one thread at a time. */
struct login_attempt {
	PGconn *pq; /* owned, until it becomes *out */
	PostgresPollingStatusType status;
};

struct login {
	struct flow flow;
	struct err err;		 /* the child's outcome, for flow_try() */
	struct pg_target target; /* texts owned */
	struct dns *dns;	 /* borrowed; NULL if there is nothing to look up */
	struct dns_answer answer;
	void *attempt;	       /* owned: struct login_attempt; NULL: a helper has it */
	struct event io;       /* added only while the flow waits for the socket */
	struct pg_conn **out;  /* borrowed: the parent's */
	struct pg_result *why; /* borrowed: the parent's */
};

static flow_step_fn login_resolve, login_start, login_begin, login_poll, login_polled;
static flow_end_fn login_end;
static flow_release_fn pg_login_release;

static const struct flow_step pg_login_steps[] = {
	{ "resolve", login_resolve },
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
	return ((const struct login_attempt *)l->attempt)->pq;
}

/* (PQfinish() of NULL is harmless.) */
static void
attempt_drop(void *arg)
{
	struct login_attempt *a = arg;

	PQfinish(a->pq);
	free(a);
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

/* ---- start ---- */

/* libpq's two arrays, each ended by NULL (which is what the zeroed rest is), and the texts that
 * they point to. libpq copies all of it. */
struct params {
	const char *names[PARAMS_MAX];
	const char *values[PARAMS_MAX];
	unsigned n;
	char port[8];
	char hosts[ADDRS_USED * (DNS_NAME_MAX + 1) + 1];
	char addrs[ADDRS_USED * DNS_ADDR_SIZE + 1];
};

static void
param_add(struct params *p, const char *name, const char *value)
{
	if (value == NULL)
		return;
	assert(p->n + 1 < PARAMS_MAX);
	p->names[p->n] = name;
	p->values[p->n++] = value;
}

/* libpq's lists are separated by commas. The sizes of struct params fit the longest. */
static void
list_add(char *list, size_t size, const char *item)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used > 0 ? "," : "", item);
}

/* libpq wants as many names as addresses, and uses the pairs in turn until one answers: so each
 * address gets its copy of the name. */
static void
params_host(struct params *p, const struct login *l)
{
	unsigned i;

	for (i = 0; i < l->answer.count && i < ADDRS_USED; i++) {
		list_add(p->hosts, sizeof(p->hosts), l->target.host);
		list_add(p->addrs, sizeof(p->addrs), l->answer.addr[i]);
	}
	param_add(p, "host", l->answer.count > 0 ? p->hosts : l->target.host);
	param_add(p, "hostaddr", l->answer.count > 0 ? p->addrs : NULL);
}

static bool
sslmode_verifies(const char *mode)
{
	return mode != NULL && strncmp(mode, "verify-", 7) == 0;
}

/*
 * What is not given here, and what is given as "", libpq takes from the environment (PGOPTIONS,
 * PGPASSWORD ...) or from files in the home folder. passfile: a file that is nowhere, or ~/.pgpass
 * might supply a password. gssencmode: no Kerberos, whose library blocks. The timeouts are
 * there to find servers that vanished without a FIN: after 10 s of unacknowledged data, or a minute
 * of silence.
 */
static void
params_fill(struct params *p, const struct login *l)
{
	const struct pg_target *t = &l->target;
	const char *ca = sslmode_verifies(t->sslmode) ? CA_BUNDLE : "";

	snprintf(p->port, sizeof(p->port), "%u", t->port);
	params_host(p, l);
	param_add(p, "port", p->port);
	param_add(p, "dbname", t->dbname);
	param_add(p, "user", t->user);
	param_add(p, "password", t->password != NULL ? t->password : "");
	param_add(p, "passfile", "/nonexistent/pgpass");
	param_add(p, "sslmode", t->sslmode != NULL ? t->sslmode : "prefer");
	param_add(p, "sslrootcert", t->sslrootcert != NULL ? t->sslrootcert : ca);
	param_add(p, "gssencmode", "disable");
	param_add(p, "options", "");
	param_add(p, "channel_binding", t->channel_binding != NULL ? t->channel_binding : "prefer");
	param_add(p, "application_name", "tenantgate");
	param_add(p, "client_encoding", "UTF8");
	param_add(p, "tcp_user_timeout", "10000");
	param_add(p, "keepalives_idle", "30");
	param_add(p, "keepalives_interval", "10");
	param_add(p, "keepalives_count", "3");
}

/* libpq's text goes to the parent by *why; the child's own error only ends it. */
static enum flow_rc
login_fail(struct login *l)
{
	pg_failure_login(&l->why->failure, PQerrorMessage(login_pq(l)));
	return flow_fail(&l->flow, ERR_DATABASE, "The login to the database failed.");
}

static enum flow_rc
login_start(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	struct params p = { .n = 0 };
	struct login_attempt *a;

	if (err_is(&l->answer.err)) {
		pg_failure_text(&l->why->failure, "", l->answer.err.detail);
		return flow_fail(f, l->answer.err.code, "The database's host was not found.");
	}
	params_fill(&p, l);
	l->attempt = a = xcalloc(1, sizeof(*a));
	a->pq = PQconnectStartParams(p.names, p.values, 0);
	if (a->pq == NULL)
		return flow_fail(f, ERR_OVERLOADED,
		    "There is no memory for a connection; try again later.");
	PQsetErrorVerbosity(a->pq, PQERRORS_VERBOSE); /* puts the SQLSTATE into the text */
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

static void
attempt_poll(void *arg)
{
	struct login_attempt *a = arg;

	a->status = PQconnectPoll(a->pq);
}

/* Before the answer to the connect() libpq only sends what is short; after the authentication it
 * only reads. */
static bool
attempt_may_compute(const struct login_attempt *a)
{
	ConnStatusType status = PQstatus(a->pq);

	return status == CONNECTION_SSL_STARTUP || status == CONNECTION_AWAITING_RESPONSE;
}

/* Logins to one database compete with one another for the helpers, and not with other tenants'. */
static enum flow_rc
login_poll(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	char holder[400];

	if (!attempt_may_compute(l->attempt)) {
		attempt_poll(l->attempt);
		return FLOW_NEXT;
	}
	snprintf(holder, sizeof(holder), "%s/%s", l->target.host, l->target.dbname);
	return offload_run(f, slice_str(holder), attempt_poll, attempt_drop, l->attempt,
	    &l->attempt);
}

static enum flow_rc
login_polled(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);

	flow_goto(f, login_poll);
	switch (((const struct login_attempt *)l->attempt)->status) {
	case PGRES_POLLING_READING:
		return login_watch(l, EV_READ);
	case PGRES_POLLING_WRITING:
		return login_watch(l, EV_WRITE);
	case PGRES_POLLING_OK:
		return FLOW_DONE;
	default:
		return login_fail(l);
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
	struct login_attempt *a = l->attempt;
	struct err ours = *err;

	if (!err_is(err) && PQsetnonblocking(a->pq, 1) == 0) {
		*l->out = pg_conn_new(a->pq);
		a->pq = NULL;
	} else {
		err_set(&ours, ERR_OVERLOADED,
		    "There is no memory for a connection; try again later.");
		login_report(l, &ours);
	}
	if (a != NULL)
		attempt_drop(a);
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
