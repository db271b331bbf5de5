/* SPDX-License-Identifier: MIT */
/*
 * neon-api-build: makes and drops a project's role and database, after the response was sent, as
 * Neon's operations do.
 *
 *	build:  role without login -> database -> extension -> delay -> login allowed -> 'ready'
 *	drop:   database -> role
 *
 * A build that fails (its Postgres was restarted, say) is begun again, TRIES_MAX times at most.
 *
 * Until a project is ready nobody can log in: a client that does not wait for the operations fails,
 * as it does at Neon. Neon lets a database's owner create the extension; plain Postgres does not,
 * so it is made here where the server has it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "neon-api.h"
#include "tenantgate/base/alloc.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/random.h"

#define CONNECT_US (10 * 1000000ull)
#define RETRY_US   (500 * 1000ull)
#define TRIES_MAX  20

struct build {
	struct flow flow;
	struct neon_api *api;
	char id[PROJECT_ID_SIZE];
	char tail[PROJECT_ID_SIZE]; /* the id after its dash: of the role's and database's names */
	char password[64];	    /* the role's */
	char sql[400];		    /* the present statement; names and password need no quoting */
	char db[sizeof("neondb_") + PROJECT_ID_SIZE];
	struct pg_conn *conn;	 /* owned: to the new database, for its extension */
	struct pg_target target; /* borrows db and the administrator's strings */
	struct pg_result result;
	struct timer timer;
	uint64_t spread_us; /* of this one's operations, beside operation_us */
	unsigned tries;	    /* before this one */
};

static flow_end_fn build_end;
static flow_step_fn build_wait, build_role, build_database, build_revoke, build_connect,
    build_extension, build_spread, build_delay, build_again, build_open, build_ready;
static flow_release_fn build_release;

static const struct flow_step build_steps[] = {
	{ "wait", build_wait },
	{ "role", build_role },
	{ "database", build_database },
	{ "revoke", build_revoke },
	{ "connect", build_connect },
	{ "extension", build_extension },
	{ "spread", build_spread },
	{ "delay", build_delay },
	{ "again", build_again },
	{ "open", build_open },
	{ "ready", build_ready },
	{ NULL, NULL },
};

static const struct flow_kind build_kind = { "build", build_steps, build_end, build_release };

static flow_step_fn build_drop_database, build_drop_role;
static flow_end_fn drop_end;

static const struct flow_step drop_steps[] = {
	{ "database", build_drop_database },
	{ "role", build_drop_role },
	{ NULL, NULL },
};

static const struct flow_kind drop_kind = { "drop", drop_steps, drop_end, build_release };

static enum flow_rc
build_execute(struct build *b)
{
	struct pg_query q = { .sql = b->sql };

	return catalog_run(&b->flow, b->api->catalog, CATALOG_TENANTS, NEON_API_HOLDER, &q,
	    &b->result);
}

/* A build may go on from where a stopped stand-in left it: that the thing exists (`there_already`
 * is that SQLSTATE) is no failure. */
static enum flow_rc
build_check(struct build *b, const char *there_already, const char *what)
{
	if (b->result.status == PG_SQL_ERROR &&
	    strcmp(b->result.failure.sqlstate, there_already) == 0)
		return FLOW_NEXT;
	return pg_check(&b->flow, &b->result, ERR_DATABASE, what);
}

static enum flow_rc
build_wait(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);

	return b->tries == 0 ? FLOW_NEXT : flow_sleep(f, &b->timer, RETRY_US);
}

static enum flow_rc
build_role(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);

	snprintf(b->sql, sizeof(b->sql), "CREATE ROLE neondb_owner_%s NOLOGIN PASSWORD '%s'",
	    b->tail, b->password);
	return build_execute(b);
}

static enum flow_rc
build_database(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);
	enum flow_rc rc = build_check(b, "42710", "Making the role"); /* duplicate_object */

	snprintf(b->sql, sizeof(b->sql),
	    "CREATE DATABASE neondb_%s OWNER neondb_owner_%s TEMPLATE template0", b->tail, b->tail);
	return rc == FLOW_NEXT ? build_execute(b) : rc;
}

static enum flow_rc
build_revoke(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);
	enum flow_rc rc = build_check(b, "42P04", "Making the database"); /* duplicate_database */

	snprintf(b->sql, sizeof(b->sql), "REVOKE CONNECT ON DATABASE neondb_%s FROM PUBLIC",
	    b->tail);
	return rc == FLOW_NEXT ? build_execute(b) : rc;
}

static enum flow_rc
build_connect(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);

	snprintf(b->db, sizeof(b->db), "neondb_%s", b->tail);
	b->target = b->api->admin;
	b->target.dbname = b->db;
	return pg_connect(f, b->api->dns, &b->target, CONNECT_US, &b->conn, &b->result);
}

static enum flow_rc
build_extension(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);
	struct pg_query q = { .sql = "CREATE EXTENSION IF NOT EXISTS vector" };

	if (b->conn == NULL)
		return pg_check(f, &b->result, ERR_DATABASE, "Connecting to the new database");
	return pg_run(f, b->conn, &q, &b->result);
}

/* A server without pgvector is no failure: tests of other things run without it. */
static enum flow_rc
build_spread(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);
	uint64_t some;

	bytes_random(&some, sizeof(some));
	b->spread_us = some % (b->api->operation_spread_us + 1);
	if (b->result.status != PG_OK)
		log_event(LOG_WARNING, "standin.no_vector", NULL, "%s", b->result.failure.message);
	pg_conn_close(b->conn);
	b->conn = NULL;
	return FLOW_NEXT;
}

/* The operations take operation_us in all, as the knob says at the moment. */
static enum flow_rc
build_delay(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);
	uint64_t spent = flow_age_us(f), all = b->api->operation_us + b->spread_us;

	if (spent >= all)
		return flow_goto(f, build_open);
	return flow_sleep(f, &b->timer, all - spent < LOOK_US ? all - spent : LOOK_US);
}

static enum flow_rc
build_again(struct flow *f)
{
	return flow_goto(f, build_delay);
}

static enum flow_rc
build_open(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);

	snprintf(b->sql, sizeof(b->sql), "ALTER ROLE neondb_owner_%s LOGIN", b->tail);
	return build_execute(b);
}

/* Not when the project was deleted meanwhile. */
static enum flow_rc
build_ready(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);
	enum flow_rc rc = pg_check(f, &b->result, ERR_DATABASE, "Allowing the role to log in");

	snprintf(b->sql, sizeof(b->sql),
	    "UPDATE neon_standin.projects SET state = 'ready', ready_at = clock_timestamp() "
	    "WHERE id = '%s' AND state = 'building'",
	    b->id);
	return rc == FLOW_NEXT ? build_execute(b) : rc;
}

static void
build_clean_up(struct build *b, const struct err *err)
{
	char told[ERR_TOLD_SIZE];

	err_tell(err, told);
	if (err_is(err))
		log_event(LOG_ERR, "standin.failed", NULL, "%s: %s", b->id, told);
	pg_conn_close(b->conn);
	pg_clear(&b->result);
}

static void
build_release(struct flow *f)
{
	free(f);
}

static void build_try(struct neon_api *, const char *id, const char *password, unsigned tries);

static void
build_end(struct flow *f, const struct err *err)
{
	struct build *b = FLOW_OF(f, struct build, &build_kind);

	build_clean_up(b, err);
	b->api->building--;
	if (err_is(err) && err->code != ERR_SHUTDOWN && b->tries < TRIES_MAX)
		build_try(b->api, b->id, b->password, b->tries + 1);
}

static void
drop_end(struct flow *f, const struct err *err)
{
	build_clean_up(FLOW_OF(f, struct build, &drop_kind), err);
}

/* Ids are our own, "local-" and a tail, or rows of them: no dash is a defect. */
static struct build *
build_new(struct neon_api *api, const char *id)
{
	struct build *b = xcalloc(1, sizeof(*b));
	const char *dash = strchr(id, '-');

	if (dash == NULL)
		abort();
	b->api = api;
	snprintf(b->id, sizeof(b->id), "%s", id);
	snprintf(b->tail, sizeof(b->tail), "%s", dash + 1);
	return b;
}

static void
build_try(struct neon_api *api, const char *id, const char *password, unsigned tries)
{
	struct build *b = build_new(api, id);

	b->tries = tries;
	if (++api->building > api->building_peak)
		api->building_peak = api->building;
	snprintf(b->password, sizeof(b->password), "%s", password);
	flow_start(&b->flow, &build_kind, api->worker, NULL);
}

void
build_start(struct neon_api *api, const char *id, const char *password)
{
	build_try(api, id, password, 0);
}

/* ---- dropping ---- */

/* FORCE ends the sessions that clients still have. */
static enum flow_rc
build_drop_database(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &drop_kind);

	snprintf(b->sql, sizeof(b->sql), "DROP DATABASE IF EXISTS neondb_%s WITH (FORCE)", b->tail);
	return build_execute(b);
}

static enum flow_rc
build_drop_role(struct flow *f)
{
	struct build *b = FLOW_OF(f, struct build, &drop_kind);

	snprintf(b->sql, sizeof(b->sql), "DROP ROLE IF EXISTS neondb_owner_%s", b->tail);
	return build_execute(b);
}

void
drop_start(struct neon_api *api, const char *id)
{
	flow_start(&build_new(api, id)->flow, &drop_kind, api->worker, NULL);
}
