/* SPDX-License-Identifier: MIT */
/*
 * installation: which environment a catalog is of. Its one row is written by the first that asks.
 *
 *	[look] --> [looked] -- a row --> ours: done; another's: failed
 *	  ^           | none
 *	  |           v
 *	  +-sleep-- [claim] --> [claimed] --> ours: done; another was faster: failed
 *
 * One statement decides between replicas that start together. It is not run where a row is there
 * already, for that can be read in a catalog that takes no writes.
 */
#include <stdlib.h>

#include "tenantgate/base/alloc.h"
#include "tenantgate/base/backoff.h"
#include "tenantgate/base/log.h"
#include "tenantgate/tenant.h"

#define READ_ONLY   "25006"
#define NO_PERMISSION "42501"
#define CLAIM_HOLDER SLICE_LIT("installation")

static const struct backoff claim_backoff = { 250 * 1000, 2 * 1000000, 200 };

struct catalog_claim {
	struct flow flow;
	struct catalog *catalog;     /* borrowed */
	const char *environment;     /* borrowed */
	bool only_looks;	     /* nobody's is as good as ours */
	struct pg_result result;     /* owned */
	struct timer timer;
	unsigned tries; /* that did not reach the catalog */
};

static flow_step_fn installation_look, installation_looked, installation_claim,
    installation_claimed;
static flow_release_fn installation_release;

static const struct flow_step installation_steps[] = {
	{ "look", installation_look },
	{ "looked", installation_looked },
	{ "claim", installation_claim },
	{ "claimed", installation_claimed },
	{ NULL, NULL },
};

static const struct flow_kind installation_kind = { "installation", installation_steps, NULL,
	installation_release };

static enum flow_rc
installation_look(struct flow *f)
{
	struct catalog_claim *c = FLOW_OF(f, struct catalog_claim, &installation_kind);
	struct pg_query q = { .sql = "SELECT environment FROM public.installation" };

	return catalog_run(f, c->catalog, CATALOG_TENANTS, CLAIM_HOLDER, &q, &c->result);
}

static enum flow_rc
installation_later(struct catalog_claim *c)
{
	static struct log_pace pace;

	if (log_pace_admit(&pace, LOG_MINUTE))
		log_event(LOG_WARNING, "serve.environment_wait", NULL,
		    "The catalog does not say whose it is: %s. It is asked again; look at its "
		    "server.",
		    c->result.failure.message);
	flow_goto(&c->flow, installation_look);
	return flow_sleep(&c->flow, &c->timer, backoff_us(&claim_backoff, ++c->tries, 0));
}

static enum flow_rc
installation_compare(struct catalog_claim *c)
{
	const char *theirs = pg_text(&c->result, 0, 0);

	if (strcmp(theirs, c->environment) == 0)
		return FLOW_DONE;
	return flow_fail(&c->flow, ERR_CATALOG,
	    "The catalog is of environment %.50s, and this is %.50s: they would share their "
	    "tenants. Set catalog_url to a database of its own, or environment to %.50s; if it was "
	    "renamed, update public.installation.",
	    theirs, c->environment, theirs);
}

static enum flow_rc
installation_looked(struct flow *f)
{
	struct catalog_claim *c = FLOW_OF(f, struct catalog_claim, &installation_kind);
	enum flow_rc rc;

	if (catalog_failure_passes(&c->result))
		return installation_later(c);
	rc = catalog_check(f, &c->result, "environment of the catalog");
	if (rc == FLOW_NEXT && pg_rows(&c->result) > 0)
		return installation_compare(c);
	return rc == FLOW_NEXT && c->only_looks ? FLOW_DONE : rc;
}

/* The update changes nothing; it has the row that is there returned. */
static enum flow_rc
installation_claim(struct flow *f)
{
	struct catalog_claim *c = FLOW_OF(f, struct catalog_claim, &installation_kind);
	struct pg_query q = {
		.sql = "INSERT INTO public.installation AS i (environment) VALUES ($1) "
		       "ON CONFLICT (only_row) DO UPDATE SET environment = i.environment "
		       "RETURNING environment",
		.params = { PG_TEXT(c->environment) },
		.param_count = 1,
	};

	return catalog_run(f, c->catalog, CATALOG_TENANTS, CLAIM_HOLDER, &q, &c->result);
}

/* A catalog that takes no writes, or none of ours, and is nobody's yet: we can make no tenant in
 * it. */
static bool
claim_is_refused(const struct pg_result *result)
{
	return result->status == PG_SQL_ERROR &&
	    (strcmp(result->failure.sqlstate, READ_ONLY) == 0 ||
		strcmp(result->failure.sqlstate, NO_PERMISSION) == 0);
}

static enum flow_rc
installation_claimed(struct flow *f)
{
	struct catalog_claim *c = FLOW_OF(f, struct catalog_claim, &installation_kind);
	enum flow_rc rc;

	if (catalog_failure_passes(&c->result))
		return installation_later(c);
	if (claim_is_refused(&c->result)) {
		log_event(LOG_WARNING, "serve.environment", NULL,
		    "The catalog takes no writes of ours, so it could not be noted as environment "
		    "%s's. Look at the server of catalog_url: %s",
		    c->environment, c->result.failure.message);
		return FLOW_DONE;
	}
	rc = catalog_check(f, &c->result, "environment of the catalog");
	return rc == FLOW_NEXT ? installation_compare(c) : rc;
}

static void
installation_release(struct flow *f)
{
	struct catalog_claim *c = FLOW_OF(f, struct catalog_claim, &installation_kind);

	pg_clear(&c->result);
	free(c);
}

static enum flow_rc
installation_begin(struct flow *f, struct catalog *catalog, const char *environment,
    bool only_looks)
{
	struct catalog_claim *c = xcalloc(1, sizeof(*c));

	c->catalog = catalog;
	c->environment = environment;
	c->only_looks = only_looks;
	return flow_call(f, &c->flow, &installation_kind);
}

enum flow_rc
tenants_claim_catalog(struct flow *f, struct catalog *catalog, const char *environment)
{
	return installation_begin(f, catalog, environment, false);
}

enum flow_rc
tenants_check_catalog(struct flow *f, struct catalog *catalog, const char *environment)
{
	return installation_begin(f, catalog, environment, true);
}
