/* SPDX-License-Identifier: MIT */
/*
 * neon-api: the program: opens what it needs, makes its tables, listens, and serves until a signal.
 */
#include "neon-api.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "tenantgate/base/log.h"
#include "tenantgate/wire/pg_url.h"

static const char usage[] =
    "usage: neon-api --admin-url postgresql://USER:PASSWORD@HOST[:PORT]/DB --api-key KEY\n"
    "	[--listen ADDRESS:PORT]	default 127.0.0.1:0, a free port\n"
    "	[--advertise HOST]	where clients find the Postgres; default: the URL's host\n"
    "	[--operation-ms N]	how long a new project's operations run; default 400\n"
    "	[--port-file FILE]	the port is written there\n"
    "\n"
    "A stand-in for Neon's management API (/api/v2/projects...) over a local Postgres.\n"
    "POST /_knobs makes it misbehave, GET /_stats counts.\n";

struct neon_api_options {
	const char *admin_url, *listen, *advertise, *port_file, *api_key;
	unsigned operation_ms;
};

static const struct option long_options[] = {
	{ "admin-url", required_argument, NULL, 'a' },
	{ "api-key", required_argument, NULL, 'k' },
	{ "listen", required_argument, NULL, 'l' },
	{ "advertise", required_argument, NULL, 'h' },
	{ "operation-ms", required_argument, NULL, 'o' },
	{ "port-file", required_argument, NULL, 'p' },
	{ NULL, 0, NULL, 0 },
};

static flow_step_fn start_schema, start_check, start_resume;
static flow_end_fn start_end;

static const struct flow_step start_steps[] = {
	{ "schema", start_schema },
	{ "check", start_check },
	{ "resume", start_resume },
	{ NULL, NULL },
};

static const struct flow_kind start_kind = { "start", start_steps, start_end, NULL };

/* Only while starting: later a failure is the request's. */
static void
die(const char *why)
{
	fprintf(stderr, "neon-api: %s\n", why);
	exit(1);
}

static bool
option_take(struct neon_api_options *o, int c)
{
	switch (c) {
	case 'a':
		o->admin_url = optarg;
		return true;
	case 'k':
		o->api_key = optarg;
		return true;
	case 'l':
		o->listen = optarg;
		return true;
	case 'h':
		o->advertise = optarg;
		return true;
	case 'o':
		o->operation_ms = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'p':
		o->port_file = optarg;
		return true;
	}
	return false;
}

static struct neon_api_options
neon_api_options_read(int argc, char **argv)
{
	struct neon_api_options o = { .listen = "127.0.0.1:0", .operation_ms = 400 };
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (!option_take(&o, c)) {
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (o.admin_url == NULL || o.api_key == NULL || optind != argc) {
		fputs(usage, stderr);
		exit(2);
	}
	return o;
}

/* ---- start ---- */

struct start {
	struct flow flow; /* first */
	struct neon_api *api;
	struct pg_result result;
	bool done;
};

static enum flow_rc
start_schema(struct flow *f)
{
	struct start *s = FLOW_OF(f, struct start, &start_kind);

	return schema_create(f, s->api, &s->result);
}

static enum flow_rc
start_check(struct flow *f)
{
	struct start *s = FLOW_OF(f, struct start, &start_kind);
	struct pg_query q = {
		.sql = "SELECT id, password FROM neon_standin.projects WHERE state = 'building'"
	};
	enum flow_rc rc = pg_check(f, &s->result, ERR_DATABASE, "The stand-in's schema");

	if (rc != FLOW_NEXT)
		return rc;
	return catalog_run(f, s->api->catalog, CATALOG_TENANTS, NEON_API_HOLDER, &q, &s->result);
}

/* Projects that an earlier run had begun to build are built on. */
static enum flow_rc
start_resume(struct flow *f)
{
	struct start *s = FLOW_OF(f, struct start, &start_kind);
	enum flow_rc rc = pg_check(f, &s->result, ERR_DATABASE, "The list of projects");
	unsigned i;

	if (rc != FLOW_NEXT)
		return rc;
	for (i = 0; i < pg_rows(&s->result); i++)
		build_start(s->api, pg_text(&s->result, i, 0), pg_text(&s->result, i, 1));
	return FLOW_DONE;
}

static void
start_end(struct flow *f, const struct err *err)
{
	struct start *s = FLOW_OF(f, struct start, &start_kind);
	char told[ERR_TOLD_SIZE];

	pg_clear(&s->result);
	err_tell(err, told);
	if (err_is(err))
		die(told);
	s->done = true;
}

/* Turns the loop until the flow has ended; nothing is listening yet. */
static void
tables_create(struct neon_api *api)
{
	struct start s = { .api = api };

	flow_start(&s.flow, &start_kind, api->worker, NULL);
	while (!s.done)
		worker_turn(api->worker, 100);
}

static void
neon_api_open(struct neon_api *api, const struct neon_api_options *o)
{
	struct catalog_conf cc = { .url = o->admin_url,
		.pool_size = 16, /* of which one lane has a half */
		.query_timeout_us = 60 * 1000000ull,
		.connect_timeout_us = 10 * 1000000ull };
	struct err err = { 0 };

	api->arena = arena_new(1 << 16);
	api->worker = worker_new(0);
	api->catalog = catalog_open(&cc, &err);
	if (api->catalog == NULL ||
	    !pg_url_read(api->arena, o->admin_url, PG_URL_STRICT, &api->admin, &err))
		die(err.detail);
	api->advertised = o->advertise != NULL ? o->advertise : api->admin.host;
	api->dns = dns_open(api->worker, NULL, 2 * 1000000ull);
	catalog_attach(api->catalog, api->worker, api->dns);
}

static void
listener_open(struct neon_api *api, const struct neon_api_options *o, struct http_shared *shared)
{
	const char *colon = strrchr(o->listen, ':');
	struct http_conf conf;
	struct err err = { 0 };
	char address[64];

	if (colon == NULL)
		die("--listen takes ADDRESS:PORT.");
	snprintf(address, sizeof(address), "%.*s", (int)(colon - o->listen), o->listen);
	http_conf_init(&conf);
	conf.listen_addr = address;
	conf.listen_port = (uint16_t)strtoul(colon + 1, NULL, 10);
	api->http = http_open(api->worker, &conf, shared, serve_request, NULL, api, &err);
	if (api->http == NULL)
		die(err.detail);
	printf("listening on %s:%u\n", address, (unsigned)http_port(api->http));
	fflush(stdout);
}

static void
port_report(const struct neon_api *api, const char *path)
{
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	if (path == NULL)
		return;
	if (f == NULL || fprintf(f, "%u\n", (unsigned)http_port(api->http)) < 0 || fclose(f) != 0)
		die("The file of --port-file cannot be written.");
}

static void
neon_api_stop(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	worker_stop(arg);
}

static void
neon_api_close(struct neon_api *api, struct http_shared *shared)
{
	flow_abort_all(api->worker, ERR_SHUTDOWN, "The stand-in is stopping.");
	while (flow_count(api->worker) > 0)
		worker_turn(api->worker, 10);
	http_close(api->http);
	http_shared_free(shared);
	catalog_detach(api->catalog, api->worker);
	catalog_close(api->catalog);
	dns_close(api->dns);
	worker_free(api->worker);
	arena_free(api->arena);
}

int
main(int argc, char **argv)
{
	struct neon_api_options o = neon_api_options_read(argc, argv);
	struct http_shared *shared = http_shared_new();
	struct neon_api api = {
		.api_key = o.api_key,
		.operation_us = o.operation_ms * 1000ull,
		.limit_retry_after = -1,
	};
	struct event *term, *intr;

	signal(SIGPIPE, SIG_IGN);
	pg_environment_clear();
	neon_api_open(&api, &o);
	tables_create(&api);
	listener_open(&api, &o, shared);
	port_report(&api, o.port_file);
	term = evsignal_new(worker_base(api.worker), SIGTERM, neon_api_stop, api.worker);
	intr = evsignal_new(worker_base(api.worker), SIGINT, neon_api_stop, api.worker);
	evsignal_add(term, NULL);
	evsignal_add(intr, NULL);
	worker_run(api.worker);
	event_free(term);
	event_free(intr);
	neon_api_close(&api, shared);
	return 0;
}
