/* SPDX-License-Identifier: MIT */
/*
 * pg_params: what libpq is told of a login, so that it takes nothing from anywhere else: not from
 * the environment (PGOPTIONS, PGPASSWORD ...), not from files in a home folder. What is given as ""
 * libpq takes for not given: hence files that are nowhere, and pg_environment_clear().
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "tenantgate/base/alloc.h"
#include "wire/peer_tls.h"
#include "wire/pg_login.h"

#define CA_BUNDLE  "/etc/ssl/certs/ca-certificates.crt" /* libpq 15 knows no "system" */
#define ABSENT	   "/nonexistent/tenantgate"
#define ADDRS_USED 4 /* libpq tries them in turn */
#define PARAMS_MAX 32
#define SETTINGS_MAX 1024 /* bytes of a target's own, and of SESSION */

/*
 * Of the session, whatever ALTER ROLE or ALTER DATABASE has set: our statements are written for
 * these, and have deadlines of our own. The search path is no more than a habit: every name in our
 * statements has its schema. A transaction that waits for us holds locks for five minutes at most.
 */
#define SESSION \
	"-c search_path=public -c statement_timeout=0 -c lock_timeout=0" \
	" -c idle_in_transaction_session_timeout=300000" \
	" -c default_transaction_isolation=read\\ committed -c datestyle=ISO" \
	" -c extra_float_digits=1 -c bytea_output=hex -c standard_conforming_strings=on"

/* libpq's two arrays, each ended by NULL (which is what the zeroed rest is), and the texts that
 * they point to. libpq copies all of it. */
struct params {
	const char *names[PARAMS_MAX];
	const char *values[PARAMS_MAX];
	unsigned n;
	char port[8];
	char hosts[ADDRS_USED * (DNS_NAME_MAX + 1) + 1];
	char addrs[ADDRS_USED * DNS_ADDR_SIZE + 1];
	char settings[SETTINGS_MAX];
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
 * address gets its copy of the name, which libpq sends (SNI) and compares as it is. */
static void
params_host(struct params *p, const struct pg_target *t, const struct dns_answer *answer)
{
	char name[DNS_NAME_MAX + 1];
	unsigned i;

	for (i = 0; i < answer->count && i < ADDRS_USED; i++) {
		list_add(p->hosts, sizeof(p->hosts), peer_tls_name(t->host, name) ? name : t->host);
		list_add(p->addrs, sizeof(p->addrs), answer->addr[i]);
	}
	param_add(p, "host", answer->count > 0 ? p->hosts : t->host);
	param_add(p, "hostaddr", answer->count > 0 ? p->addrs : NULL);
	snprintf(p->port, sizeof(p->port), "%u", t->port);
	param_add(p, "port", p->port);
}

static bool
sslmode_verifies(const char *mode)
{
	return mode != NULL && strncmp(mode, "verify-", 7) == 0;
}

/* A file of certificates counts in every mode: libpq verifies by it even with "require". "allow"
 * begins in the clear, so it is "prefer" here. The client has no certificate, and there is no list
 * of revoked ones: libpq would look for both in the home folder, and fail where it may not look. */
static void
params_tls(struct params *p, const struct pg_target *t, struct pg_attempt *a)
{
	const char *mode = t->sslmode, *ca = t->sslrootcert;

	if (mode == NULL || strcmp(mode, "allow") == 0)
		mode = "prefer";
	if (ca == NULL)
		ca = sslmode_verifies(mode) ? CA_BUNDLE : ABSENT;
	a->ca_file = strcmp(ca, ABSENT) != 0 ? xstrdup(ca) : NULL;
	a->checks_name = strcmp(mode, "verify-full") == 0;
	param_add(p, "sslmode", mode);
	param_add(p, "sslrootcert", ca);
	param_add(p, "sslcert", ABSENT);
	param_add(p, "sslkey", ABSENT);
	param_add(p, "sslcrl", ABSENT);
	param_add(p, "sslcrldir", ABSENT);
	param_add(p, "ssl_min_protocol_version", "TLSv1.2");
	param_add(p, "channel_binding", t->channel_binding != NULL ? t->channel_binding : "prefer");
}

/* gssencmode: no Kerberos, whose library blocks. The timeouts are there to find servers that
 * vanished without a FIN: after 10 s of unacknowledged data, or a minute of silence. */
static void
params_rest(struct params *p, const struct pg_target *t, bool bare)
{
	param_add(p, "dbname", t->dbname);
	param_add(p, "user", t->user);
	param_add(p, "password", t->password != NULL ? t->password : "");
	param_add(p, "passfile", ABSENT);
	param_add(p, "gssencmode", "disable");
	param_add(p, "target_session_attrs", "any");
	snprintf(p->settings, sizeof(p->settings), SESSION " %s",
	    t->settings != NULL ? t->settings : "");
	param_add(p, "options", bare ? "" : p->settings);
	param_add(p, "application_name", "tenantgate");
	param_add(p, "client_encoding", "UTF8");
	param_add(p, "tcp_user_timeout", "10000");
	param_add(p, "keepalives_idle", "30");
	param_add(p, "keepalives_interval", "10");
	param_add(p, "keepalives_count", "3");
}

struct pg_attempt *
pg_attempt_new(const struct pg_target *t, const struct dns_answer *addresses, bool bare)
{
	struct pg_attempt *a = xcalloc(1, sizeof(*a));
	struct params p = { .n = 0 };

	params_host(&p, t, addresses);
	params_tls(&p, t, a);
	params_rest(&p, t, bare);
	a->auth.rounds_max =
	    t->scram_iterations_max > 0 ? t->scram_iterations_max : PG_SCRAM_ITERATIONS_DEFAULT;
	a->pq = PQconnectStartParams(p.names, p.values, 0);
	if (a->pq == NULL) {
		pg_attempt_free(a);
		return NULL;
	}
	PQsetErrorVerbosity(a->pq, PQERRORS_VERBOSE); /* puts the SQLSTATE into the text */
	return a;
}
