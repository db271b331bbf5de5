/* SPDX-License-Identifier: MIT */
/*
 * pg_connect: a login as a child flow: name to addresses on the loop, then libpq's own connection
 * steps. The child fails as flows do (its deadline included); the parent is woken plainly, with
 * the failure in *why.
 *
 * A password's proof (SCRAM) costs libpq several milliseconds of computing in one call; so after a
 * heavy call the worker's other logins stand back for as long as it took, and a crowd of them
 * leaves the loop half of its time.
 *
 * Memory: a struct login of its own, freed by its release; it holds copies of the target's texts.
 */
#include <arpa/inet.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/loop/timer.h"
#include "tenantgate/loop/worker.h"
#include "wire/pg_conn.h"

#define CA_BUNDLE  "/etc/ssl/certs/ca-certificates.crt"
#define ADDRS_USED 4 /* libpq tries them in turn */
#define PARAMS_MAX 24
#define HEAVY_US   1000 /* a call of libpq's that took longer */

struct login {
	struct flow flow;
	struct err err;		 /* flow_try()'s */
	struct pg_target target; /* texts owned */
	struct dns *dns;	 /* borrowed */
	struct dns_answer answer;
	PGconn *pq; /* owned until it becomes *out */
	struct event io;
	struct timer retry_timer;
	struct pg_conn **out;  /* the parent's */
	struct pg_result *why; /* the parent's */
};

static flow_step_fn login_resolve, login_start, login_begin, login_poll, login_rest;
static flow_end_fn login_end;
static flow_release_fn pg_login_release;

static const struct flow_step pg_login_steps[] = {
	{ "resolve", login_resolve },
	{ "start", login_start },
	{ "begin", login_begin },
	{ "poll", login_poll },
	{ "rest", login_rest },
	{ NULL, NULL },
};

static const struct flow_kind pg_login_kind = { "pg_login", pg_login_steps, login_end,
	pg_login_release };

/* ---- resolve ---- */

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

struct params {
	const char *names[PARAMS_MAX];
	const char *values[PARAMS_MAX];
	unsigned n;
	char port[8];
	char hosts[ADDRS_USED * (DNS_NAME_MAX + 1) + 1];
	char addrs[ADDRS_USED * DNS_ADDR_SIZE + 1];
};

static void
param(struct params *p, const char *name, const char *value)
{
	if (value == NULL)
		return;
	assert(p->n + 1 < PARAMS_MAX);
	p->names[p->n] = name;
	p->values[p->n++] = value;
}

static void
list_add(char *list, size_t size, const char *item)
{
	size_t used = strlen(list);

	snprintf(list + used, size - used, "%s%s", used > 0 ? "," : "", item);
}

/* The name stays (SNI and verify-full use it); each address gets its copy of it. */
static void
params_host(struct params *p, const struct login *l)
{
	unsigned i;

	for (i = 0; i < l->answer.count && i < ADDRS_USED; i++) {
		list_add(p->hosts, sizeof(p->hosts), l->target.host);
		list_add(p->addrs, sizeof(p->addrs), l->answer.addr[i]);
	}
	param(p, "host", l->answer.count > 0 ? p->hosts : l->target.host);
	param(p, "hostaddr", l->answer.count > 0 ? p->addrs : NULL);
}

static bool
sslmode_verifies(const char *mode)
{
	return mode != NULL && strncmp(mode, "verify-", 7) == 0;
}

/* Everything libpq would else look for in the environment or the home folder is said here. */
static void
params_fill(struct params *p, const struct login *l)
{
	const struct pg_target *t = &l->target;
	const char *ca = sslmode_verifies(t->sslmode) ? CA_BUNDLE : "";

	snprintf(p->port, sizeof(p->port), "%u", t->port);
	params_host(p, l);
	param(p, "port", p->port);
	param(p, "dbname", t->dbname);
	param(p, "user", t->user);
	param(p, "password", t->password != NULL ? t->password : "");
	param(p, "passfile", "/nonexistent/pgpass");
	param(p, "sslmode", t->sslmode != NULL ? t->sslmode : "prefer");
	param(p, "sslrootcert", t->sslrootcert != NULL ? t->sslrootcert : ca);
	param(p, "gssencmode", "disable");
	param(p, "options", "");
	param(p, "channel_binding", t->channel_binding != NULL ? t->channel_binding : "prefer");
	param(p, "application_name", "tenantgate");
	param(p, "client_encoding", "UTF8");
	param(p, "tcp_user_timeout", "10000");
	param(p, "keepalives_idle", "30");
	param(p, "keepalives_interval", "10");
	param(p, "keepalives_count", "3");
}

static enum flow_rc
login_fail(struct login *l)
{
	pg_failure_login(&l->why->failure, PQerrorMessage(l->pq));
	return flow_fail(&l->flow, ERR_DATABASE, "login");
}

static enum flow_rc
login_start(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	struct params p = { .n = 0 };

	if (err_is(&l->answer.err)) {
		pg_failure_text(&l->why->failure, "", l->answer.err.detail);
		return flow_fail(f, l->answer.err.code, "lookup");
	}
	params_fill(&p, l);
	l->pq = PQconnectStartParams(p.names, p.values, 0);
	if (l->pq == NULL)
		return flow_fail(f, ERR_OVERLOADED, "no memory for a connection");
	PQsetErrorVerbosity(l->pq, PQERRORS_VERBOSE); /* puts the SQLSTATE into the text */
	if (PQstatus(l->pq) == CONNECTION_BAD)
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

/* Right after PQconnectStart libpq wants to write. The socket may be another one each time. */
static enum flow_rc
login_watch(struct login *l, short what)
{
	struct event_base *base = worker_base(l->flow.worker);

	if (event_assign(&l->io, base, PQsocket(l->pq), what, login_ready, l) != 0 ||
	    event_add(&l->io, NULL) != 0)
		return flow_fail(&l->flow, ERR_OVERLOADED, "no event for the socket");
	return flow_wait(&l->flow, login_unwatch, l);
}

static enum flow_rc
login_begin(struct flow *f)
{
	return login_watch(FLOW_OF(f, struct login, &pg_login_kind), EV_WRITE);
}

/* This thread's, which is one worker's. */
static _Thread_local uint64_t rest_until_us;

static PostgresPollingStatusType
poll_timed(PGconn *pq)
{
	uint64_t began = clock_mono_us(), ended;
	PostgresPollingStatusType status = PQconnectPoll(pq);

	ended = clock_mono_us();
	if (ended - began > HEAVY_US)
		rest_until_us = ended + (ended - began);
	return status;
}

static enum flow_rc
login_poll(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);

	switch (poll_timed(l->pq)) {
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

/* The socket is ready. */
static enum flow_rc
login_rest(struct flow *f)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	uint64_t now = clock_mono_us();

	if (now >= rest_until_us)
		return flow_goto(f, login_poll);
	flow_goto(f, login_rest);
	return flow_sleep(f, &l->retry_timer, rest_until_us - now);
}

/* ---- end ---- */

static void
login_report(struct login *l, const struct err *err)
{
	l->why->status = err->code == ERR_TIMEOUT ? PG_TIMEOUT : PG_LOST;
	if (l->why->failure.message[0] == '\0')
		pg_failure_text(&l->why->failure, "",
		    err->code == ERR_TIMEOUT ? "the server did not answer in time" : err->detail);
}

static void
login_end(struct flow *f, const struct err *err)
{
	struct login *l = FLOW_OF(f, struct login, &pg_login_kind);
	struct err ours = *err;

	if (!err_is(err) && PQsetnonblocking(l->pq, 1) == 0) {
		*l->out = pg_conn_new(l->pq);
		return;
	}
	err_set(&ours, ERR_OVERLOADED, "no memory for a connection");
	login_report(l, &ours);
	PQfinish(l->pq);
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
