/* SPDX-License-Identifier: MIT */
/*
 * key_command: `tenantgate key create`, a small program on the same modules as the daemon: one
 * worker, whose loop is turned by the main thread, the catalog, and one flow. The catalog's schema
 * is brought up to date first, so that the first key can be made before the daemon's first start.
 */
#include "key_command.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tenantgate/base/clock.h"
#include "tenantgate/base/secret.h"

#define CATALOG_WAIT_US	(20 * 1000000ull)	/* for a catalog that cannot be reached */
#define CREATE_DEADLINE_US	(30 * 1000000ull)	/* once it was reached */
#define END_GRACE_US	(2 * 1000000ull)	/* for aborted flows */
#define NO_LOOP		"No event loop could be set up. Raise the limit of open files."

const char key_usage[] =
    "  tenantgate -c FILE key create --tenant ID [--note TEXT]   a key of one tenant\n"
    "  tenantgate -c FILE key create --service [--note TEXT]     a web app's: names the tenant in "
    "X-Tenant-Id\n"
    "  tenantgate -c FILE key create --admin [--note TEXT]       for the admin listener\n";

struct key_options {
	enum caller_kind	kind;
	const char		*tenant;	/* borrowed from argv; NULL unless CALLER_TENANT */
	const char		*note;		/* borrowed; NULL for none */
};

struct key_job {
	struct flow		flow;		/* first */
	struct catalog		*catalog;	/* borrowed */
	const struct key_options	*options;	/* borrowed */
	const char		*environment;	/* borrowed */
	char			text[AUTH_KEY_TEXT_SIZE];	/* the key: wiped after use */
	struct err		err;		/* why there is none */
	bool			done;		/* the flow has ended, well or not */
};

static flow_step_fn key_migrate, key_environment, key_job_create;
static flow_end_fn key_end;

static const struct flow_step key_steps[] = {
	{ "migrate", key_migrate },
	{ "environment", key_environment },
	{ "create", key_job_create },
	{ NULL, NULL },
};

static const struct flow_kind key_kind = { "key", key_steps, key_end, NULL };

static enum flow_rc
key_migrate(struct flow *f)
{
	return catalog_migrate_within(f, (FLOW_OF(f, struct key_job, &key_kind))->catalog,
	    CATALOG_WAIT_US);
}

/* A key in another environment's catalog would be good there, for its tenants. */
static enum flow_rc
key_environment(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	flow_deadline(f, CREATE_DEADLINE_US);
	return tenants_check_catalog(f, k->catalog, k->environment);
}

static enum flow_rc
key_job_create(struct flow *f)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	return auth_key_create(f, k->catalog, k->options->kind, k->options->tenant,
	    k->options->note, k->text);
}

static void
key_end(struct flow *f, const struct err *err)
{
	struct key_job *k = FLOW_OF(f, struct key_job, &key_kind);

	k->err = *err;
	k->done = true;
}

/* Flows of the pool may be under way still (a reset, a login that nobody waits for), and they must
 * not outlive it. */
static void
key_end_flows(struct worker *w)
{
	uint64_t until = clock_mono_us() + END_GRACE_US;

	while (flow_count(w) > 0 && clock_mono_us() < until) {
		flow_abort_all(w, ERR_SHUTDOWN, "The command has ended. Run it again.");
		worker_turn(w, 10);
	}
}

/* Turns the loop until the flow has ended. The names of the catalog's host are asked of the servers
 * in /etc/resolv.conf: dns_nameserver is the daemon's. */
static void
key_run(struct worker *w, struct catalog *catalog, struct key_job *k)
{
	struct dns *dns = dns_open(w, NULL, 2 * 1000000ull);

	if (dns == NULL) {
		err_set(&k->err, ERR_INTERNAL, NO_LOOP);
		return;
	}
	catalog_attach(catalog, w, dns);
	k->catalog = catalog;
	flow_start(&k->flow, &key_kind, w, k->flow.arena);
	while (!k->done)
		worker_turn(w, 50);
	key_end_flows(w);
	catalog_detach(catalog, w);
	dns_close(dns);
}

/* False with k->err set. */
static bool
key_create(const struct conf *conf, const struct key_options *options, struct key_job *k)
{
	struct worker *w = worker_new(0);
	struct catalog *catalog;
	struct arena *arena;

	if (w == NULL) {
		err_set(&k->err, ERR_INTERNAL, NO_LOOP);
		return false;
	}
	catalog = catalog_open(&conf->catalog, &k->err);
	arena = arena_new(1u << 20);
	k->options = options;
	k->environment = conf->tenants.environment;
	k->flow.arena = arena;
	if (catalog != NULL)
		key_run(w, catalog, k);
	worker_free(w); /* runs what was posted to it: connections that are to be closed */
	catalog_close(catalog);
	arena_free(arena);
	return !err_is(&k->err);
}

/* Exactly one of --tenant, --service and --admin, so that nobody gets the strongest by default. */
static bool
key_options_parse(int argc, char **argv, struct key_options *out)
{
	static const struct option options[] = {
		{ "tenant", required_argument, NULL, 't' },
		{ "service", no_argument, NULL, 's' },
		{ "admin", no_argument, NULL, 'a' },
		{ "note", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int kinds = 0, c;

	if (argc < 1 || strcmp(argv[0], "create") != 0)
		return false;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't')
			out->kind = CALLER_TENANT, out->tenant = optarg;
		else if (c == 's')
			out->kind = CALLER_SERVICE;
		else if (c == 'a')
			out->kind = CALLER_ADMIN;
		else if (c == 'n')
			out->note = optarg;
		else
			return false;
		kinds += c != 'n';
	}
	return kinds == 1 && optind == argc;
}

int
key_command(const struct conf *conf, int argc, char **argv)
{
	struct key_options options = { 0 };
	struct key_job k = { 0 };
	bool created;

	if (!key_options_parse(argc, argv, &options)) {
		fprintf(stderr, "usage:\n%s", key_usage);
		return 2;
	}
	if (options.tenant != NULL && !auth_tenant_valid(slice_str(options.tenant))) {
		fprintf(stderr, "tenantgate: A tenant id is 1 to %d bytes of [A-Za-z0-9._:@-].\n",
		    TENANT_ID_MAX);
		return 2;
	}
	created = key_create(conf, &options, &k);
	if (created)
		printf("%s\n", k.text);
	else
		fprintf(stderr, "tenantgate: No key was made: %s\n", k.err.detail);
	bytes_wipe(k.text, sizeof(k.text));
	/* A full disk behind a redirection is an error: the key is shown this once. */
	return created && fflush(stdout) == 0 ? 0 : 1;
}
