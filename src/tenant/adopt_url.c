/* SPDX-License-Identifier: MIT */
/*
 * adopt_url: a Postgres URL that came by the admin door: what it may say, and whether the database
 * takes a login. Several hosts, a Unix socket, hostaddr, a service or a file are refused by
 * pg_url_read(); where its host leads is looked at by wire/pg_guard.c, now and at each login.
 */
#include <ctype.h>
#include <stdio.h>

#include "tenant/adopt.h"
#include "tenantgate/base/digest.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/wire/pg_sql.h"
#include "tenantgate/wire/pg_url.h"

#define URL_ARENA_MAX (64u << 10)
#define DIGEST_SHOWN  24 /* hex digits: 96 bits */
#define TRIAL_US      (20 * 1000000ull)
#define LOOK_US	      (10 * 1000000ull)

static bool
url_refuse(struct err *err, const char *what)
{
	err_set(err, ERR_INVALID_FIELD, "The Postgres URL %s", what);
	return false;
}

/* Names have no case; so that one database has one id, however its URL is written. */
static void
url_digest(const struct pg_target *p, char out[PROVIDER_ID_SIZE])
{
	char hex[SHA256_HEX_SIZE];
	struct buf b;

	buf_init(&b, 4096);
	for (const char *c = p->host; *c != '\0'; c++)
		buf_putc(&b, (char)tolower((unsigned char)*c));
	buf_printf(&b, "\n%u\n%s", (unsigned)p->port, p->dbname);
	sha256_hex(buf_view(&b), hex);
	snprintf(out, PROVIDER_ID_SIZE, "url-%.*s", DIGEST_SHOWN, hex);
	buf_free(&b);
}

/* A file on this machine is not the caller's to name. */
static bool
url_is_usable(const struct pg_target *p, struct err *err)
{
	const struct tenant *t = NULL;

	if (p->sslrootcert != NULL)
		return url_refuse(err,
		    "must not have sslrootcert: put the certificate into tenant_ca_file.");
	if (p->password == NULL || p->password[0] == '\0')
		return url_refuse(err, "has no password: write USER:PASSWORD@ before the host.");
	if (strlen(p->password) >= sizeof(t->password) || strlen(p->user) >= sizeof(t->user) ||
	    strlen(p->dbname) >= sizeof(t->dbname))
		return url_refuse(err, "has a name or password that is too long; use a shorter.");
	if (!name_host(slice_str(p->host)))
		return url_refuse(err, "has a host that is no name or address; correct it.");
	return true;
}

static void
url_fill(struct tenant_row *row, const struct pg_target *p)
{
	struct tenant *t = &row->tenant;

	url_digest(p, row->project_id);
	t->provider = PROVIDER_URL;
	t->port = p->port;
	snprintf(t->host, sizeof(t->host), "%s", p->host);
	snprintf(t->dbname, sizeof(t->dbname), "%s", p->dbname);
	snprintf(t->user, sizeof(t->user), "%s", p->user);
	snprintf(t->password, sizeof(t->password), "%s", p->password);
	snprintf(t->sslmode, sizeof(t->sslmode), "%s", p->sslmode);
	snprintf(t->channel_binding, sizeof(t->channel_binding), "%s",
	    p->channel_binding != NULL ? p->channel_binding : "");
}

bool
adopt_url_read(const char *url, struct tenant_row *row, struct err *err)
{
	struct arena *arena = arena_new(URL_ARENA_MAX);
	struct pg_target target;
	bool fine = pg_url_read(arena, url, PG_URL_STRICT, &target, err);

	if (!fine)
		err->code = ERR_INVALID_FIELD;
	fine = fine && url_is_usable(&target, err);
	if (fine)
		url_fill(row, &target);
	if (target.password != NULL)
		bytes_wipe((char *)(uintptr_t)target.password, strlen(target.password));
	arena_free(arena);
	return fine;
}

/* ---- whether it takes a login, and is none of ours ---- */

static flow_step_fn trial_login, trial_look, trial_judge;
static flow_end_fn trial_end;

static const struct flow_step trial_steps[] = {
	{ "login", trial_login },
	{ "look", trial_look },
	{ "judge", trial_judge },
	{ NULL, NULL },
};

static const struct flow_kind trial_kind = { "adopt_trial", trial_steps, trial_end, NULL };

static enum flow_rc
trial_login(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);
	struct pool_target target;
	char key[TENANT_KEY_SIZE];

	tenant_target(&t->row->tenant, &target, key);
	return pg_connect(f, t->tenants->dns, &target.pg, TRIAL_US, &t->conn, &t->result);
}

static enum flow_rc
trial_refused(struct adopt_trial *t)
{
	const struct pg_reason *reason = pg_reason(&t->result);
	struct err err = { .retry_after = reason->retry_after };

	if (t->result.failure.is_forbidden)
		return flow_fail(&t->flow, ERR_FORBIDDEN,
		    "The database is not where this server may connect to: %s. Add its network to "
		    "allowed_networks, if that is meant.",
		    t->result.failure.message);
	err_set(&err, reason->code,
	    "The database takes no login by this address, role and password, or not by TLS as it "
	    "is to be: try them with psql, and sslmode=%s. The reason is in the log.",
	    t->row->tenant.sslmode);
	err_cause(&err, "login of an adoption: %s", t->result.failure.message);
	return flow_fail_err(&t->flow, &err);
}

/* It must not be changed by looking. */
static enum flow_rc
trial_look(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);
	const struct pg_query q = {
		.sql = "SELECT pg_catalog.to_regclass('public.api_keys') IS NOT NULL"
		       " AND pg_catalog.to_regclass('public.installation') IS NOT NULL,"
		       " pg_catalog.pg_is_in_recovery(),"
		       " EXISTS (SELECT FROM pg_catalog.pg_available_extensions"
		       " WHERE name" PG_EQUALS "'vector')",
		.timeout_us = LOOK_US,
	};

	if (t->conn == NULL)
		return trial_refused(t);
	return pg_run(f, t->conn, &q, &t->result);
}

static enum flow_rc
trial_judge(struct flow *f)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);
	enum flow_rc rc = pg_check(f, &t->result, ERR_NONE, "look at the database to be adopted");

	if (rc != FLOW_NEXT)
		return rc;
	if (pg_text(&t->result, 0, 0)[0] == 't')
		return flow_fail(f, ERR_CONFLICT,
		    "This is a main database of tenantgate's own, and can be no tenant's. Give the "
		    "tenant's database.");
	if (pg_text(&t->result, 0, 1)[0] == 't')
		return flow_fail(f, ERR_CONFLICT,
		    "This server is a standby, and takes no writes. Give the primary's address.");
	if (pg_text(&t->result, 0, 2)[0] != 't')
		return flow_fail(f, ERR_CONFLICT,
		    "This server has no extension pgvector. Install it there, and try again.");
	return FLOW_DONE;
}

static void
trial_end(struct flow *f, const struct err *err)
{
	struct adopt_trial *t = FLOW_OF(f, struct adopt_trial, &trial_kind);

	(void)err;
	pg_conn_close(t->conn);
	t->conn = NULL;
	pg_clear(&t->result);
}

enum flow_rc
adopt_try(struct flow *f, struct adopt_trial *t, struct tenants *ts, const struct tenant_row *row)
{
	*t = (struct adopt_trial){ .tenants = ts, .row = row };
	return flow_call(f, &t->flow, &trial_kind);
}
