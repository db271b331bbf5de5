/* SPDX-License-Identifier: MIT */
/*
 * tenant_fixture: opens and closes what the live tests of provisioning need; statements, commands
 * and requests as if they were calls.
 */
#include "tenant_fixture.h"

#include <sys/wait.h>

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SEAL_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const char *const schema[] = { "CREATE EXTENSION IF NOT EXISTS vector",
	"CREATE TABLE IF NOT EXISTS embeddings (id text PRIMARY KEY, embedding vector(3))", NULL };

bool
tenant_fixture_wanted(void)
{
	return getenv("TEST_PG_URL") != NULL && getenv("TEST_REDIS") != NULL;
}

/* ---- an operation in a flow of its own, as if it were a call ---- */

struct fixture_op {
	struct flow flow;
	struct catalog *catalog;
	struct pg_query query;
	struct pg_result result;
	struct web *web;
	struct web_request request;
	struct web_response response;
	struct redis *redis;
	struct slice argv[4];
	unsigned argc;
	struct redis_reply reply;
	struct err err;
	bool over;
};

static enum flow_rc
fixture_op_step(struct flow *f)
{
	struct fixture_op *a = (struct fixture_op *)f;

	if (a->argc > 0)
		return redis_command(f, a->redis, a->argv, a->argc, &a->reply);
	if (a->web != NULL)
		return web_fetch(f, a->web, &a->request, &a->response);
	if (a->query.sql == NULL)
		return catalog_migrate(f, a->catalog);
	return catalog_run(f, a->catalog, CATALOG_TENANTS, SLICE_LIT("test"), &a->query,
	    &a->result);
}

static void
fixture_op_end(struct flow *f, const struct err *err)
{
	struct fixture_op *a = (struct fixture_op *)f;

	a->err = *err;
	a->over = true;
}

static const struct flow_step fixture_op_steps[] = { { "run", fixture_op_step }, { NULL, NULL } };
static const struct flow_kind fixture_op_kind = { "fixture_op", fixture_op_steps, fixture_op_end,
	NULL };

static void
fixture_op_run(struct tenant_fixture *h, struct fixture_op *a)
{
	flow_start(&a->flow, &fixture_op_kind, h->control, NULL);
	flow_deadline(&a->flow, 60 * 1000000ull);
	/* The pool resets a connection on this loop: it is not free before that flow has ended. */
	while (!a->over || flow_count(h->control) > 0)
		worker_turn(h->control, 50);
	if (err_is(&a->err))
		fprintf(stderr, "tenant_fixture: %s\n", a->err.detail);
	assert(!err_is(&a->err));
}

const char *
tenant_fixture_sql(struct tenant_fixture *h, struct catalog *c, const char *fmt, ...)
{
	static char out[512], sql[2048];
	struct fixture_op a = { .catalog = c, .query = { .sql = sql } };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sql, sizeof(sql), fmt, ap);
	va_end(ap);
	fixture_op_run(h, &a);
	if (a.result.status != PG_OK)
		fprintf(stderr, "tenant_fixture: %s: %s\n", sql, a.result.failure.message);
	assert(a.result.status == PG_OK);
	snprintf(out, sizeof(out), "%s", pg_rows(&a.result) > 0 ? pg_text(&a.result, 0, 0) : "");
	pg_clear(&a.result);
	return out;
}

void
tenant_fixture_knobs(struct tenant_fixture *h, const char *json)
{
	char url[96];
	struct fixture_op a = { .web = h->web };

	snprintf(url, sizeof(url), "%.*s/_knobs", (int)(strlen(h->neon_url) - strlen("/api/v2")),
	    h->neon_url);
	a.request = (struct web_request){ .method = "POST",
		.url = url,
		.body = slice_str(json),
		.connect_timeout_us = FIXTURE_PATIENCE_US,
		.first_byte_timeout_us = FIXTURE_PATIENCE_US,
		.idle_timeout_us = FIXTURE_PATIENCE_US,
		.response_max = 4096 };
	fixture_op_run(h, &a);
	assert(a.response.status == 200);
	web_response_free(&a.response);
}

static const char *
redis_key(struct tenant_fixture *h, const char *id)
{
	static char key[256];

	snprintf(key, sizeof(key), "tg:tenant:%s:%s", h->conf.environment, id);
	return key;
}

void
tenant_fixture_redis_set(struct tenant_fixture *h, const char *id, const char *value)
{
	const char *key = redis_key(h, id);
	struct fixture_op a = { .redis = h->redis,
		.argc = 3,
		.argv = { SLICE_LIT("SET"), slice_str(key), slice_str(value) } };

	fixture_op_run(h, &a);
	assert(a.reply.status == REDIS_OK);
	redis_clear(&a.reply);
}

void
tenant_fixture_redis_pause(struct tenant_fixture *h, unsigned ms)
{
	char text[16];
	struct fixture_op a = { .redis = h->redis,
		.argc = 3,
		.argv = { SLICE_LIT("CLIENT"), SLICE_LIT("PAUSE"), { NULL, 0 } } };

	snprintf(text, sizeof(text), "%u", ms);
	a.argv[2] = slice_str(text);
	fixture_op_run(h, &a);
	redis_clear(&a.reply);
}

const char *
tenant_fixture_redis_get(struct tenant_fixture *h, const char *id)
{
	const char *key = redis_key(h, id);
	static char out[8192];
	struct fixture_op a = { .redis = h->redis,
		.argc = 2,
		.argv = { SLICE_LIT("GET"), slice_str(key) } };

	fixture_op_run(h, &a);
	snprintf(out, sizeof(out), "%.*s", a.reply.status == REDIS_OK ? (int)a.reply.text.len : 0,
	    a.reply.status == REDIS_OK ? a.reply.text.p : "");
	redis_clear(&a.reply);
	return out;
}

/* ---- the stand-in ---- */

static void
neon_start(struct tenant_fixture *h)
{
	const char *program = getenv("TEST_NEON_API");
	char file[] = "/tmp/tg-neon-port-XXXXXX", port[16] = "";
	int fd = mkstemp(file), tries;

	assert(fd >= 0);
	h->neon_pid = fork();
	if (h->neon_pid == 0) {
		execl(program != NULL ? program : "contrib/devstack/neon-api", "neon-api",
		    "--admin-url", getenv("TEST_PG_URL"), "--api-key", "test", "--operation-ms",
		    "300", "--port-file", file, (char *)NULL);
		_exit(127);
	}
	for (tries = 0; tries < 1200 && strchr(port, '\n') == NULL; tries++) {
		poll(NULL, 0, 50);
		(void)!pread(fd, port, sizeof(port) - 1, 0);
	}
	close(fd);
	unlink(file);
	assert(port[0] != '\0');
	snprintf(h->neon_url, sizeof(h->neon_url), "http://127.0.0.1:%ld/api/v2",
	    strtol(port, NULL, 10));
}

/* ---- open, close ---- */

static struct catalog *
catalog_of(struct tenant_fixture *h, const char *url)
{
	struct catalog_conf cc = { .url = url,
		.pool_size = 4,
		.query_timeout_us = FIXTURE_PATIENCE_US,
		.connect_timeout_us = FIXTURE_PATIENCE_US };
	struct err err = { 0 };
	struct catalog *c = catalog_open(&cc, &err);

	assert(c != NULL);
	catalog_attach(c, h->control, h->dns);
	return c;
}

struct redis *
tenant_fixture_redis_open(struct worker *w, struct dns *dns, uint64_t timeout_us)
{
	char url[128];
	struct redis_conf rc = { .url = url, .timeout_us = timeout_us, .pending_max = 100 };
	struct err err = { 0 };

	snprintf(url, sizeof(url), "redis://%s/8", getenv("TEST_REDIS"));
	return redis_open(w, dns, &rc, &err);
}

static void
catalog_make(struct tenant_fixture *h)
{
	const char *url = getenv("TEST_PG_URL");
	size_t host = (size_t)(strrchr(url, '/') - url);

	snprintf(h->catalog_name, sizeof(h->catalog_name), "tg_test_%d", (int)getpid());
	snprintf(h->catalog_url, sizeof(h->catalog_url), "%.*s/%s", (int)host, url,
	    h->catalog_name);
	h->admin = catalog_of(h, url);
	tenant_fixture_sql(h, h->admin, "CREATE DATABASE %s", h->catalog_name);
	h->catalog = catalog_of(h, h->catalog_url);
}

#define REPLICAS_MAX 4

enum err_code
tenant_fixture_migrate(struct tenant_fixture *h, unsigned replicas)
{
	struct fixture_op ops[REPLICAS_MAX] = { 0 };
	enum err_code worst = ERR_NONE;
	unsigned i;

	assert(replicas <= REPLICAS_MAX);
	for (i = 0; i < replicas; i++) {
		ops[i].catalog = catalog_of(h, h->catalog_url);
		flow_start(&ops[i].flow, &fixture_op_kind, h->control, NULL);
	}
	while (flow_count(h->control) > 0)
		worker_turn(h->control, 50);
	for (i = 0; i < replicas; i++) {
		if (err_is(&ops[i].err))
			worst = ops[i].err.code;
		catalog_detach(ops[i].catalog, h->control);
		catalog_close(ops[i].catalog);
	}
	return worst;
}

static void
conf_make(struct tenant_fixture *h)
{
	struct err err = { 0 };

	tenants_conf_init(&h->conf);
	h->conf.environment = h->catalog_name;
	h->conf.provision_deadline_us = 30 * 1000000ull;
	h->conf.provision_wait_us = 30 * 1000000ull;
	h->conf.lease_us = 4000000;
	h->conf.neon_api_url = h->neon_url;
	h->conf.neon_api_key = "test";
	h->conf.neon_pg_version = 15;
	h->conf.neon_sslmode = "disable";
	h->conf.neon_timeout_us = FIXTURE_PATIENCE_US;
	h->conf.neon_requests_per_second = h->conf.neon_burst = 1000;
	h->conf.postgres_admin_url = getenv("TEST_PG_URL");
	h->conf.schema = schema;
	h->conf.schema_version = 1;
	if (!tenants_conf_networks(&h->conf, &err))
		abort();
}

void
tenant_fixture_open(struct tenant_fixture *h)
{
	struct pool_conf pc;
	struct web_conf wc = { .connections_max = 4, .user_agent = "test" };

	memset(h, 0, sizeof(*h));
	h->control = worker_new(0);
	h->dns = dns_open(h->control, NULL, 1000000);
	h->web = web_open(h->control, &wc);
	h->redis = tenant_fixture_redis_open(h->control, h->dns, FIXTURE_PATIENCE_US);
	while (!redis_is_up(h->redis))
		worker_turn(h->control, 20);
	h->seal = seal_new(SEAL_KEY);
	pool_conf_init(&pc);
	h->pools = pools_open(&pc, NULL);
	pools_attach(h->pools, h->control, h->dns);
	catalog_make(h);
	neon_start(h);
	conf_make(h);
}

void
tenant_fixture_close(struct tenant_fixture *h)
{
	catalog_detach(h->catalog, h->control);
	catalog_close(h->catalog);
	tenant_fixture_sql(h, h->admin, "DROP DATABASE %s WITH (FORCE)", h->catalog_name);
	catalog_detach(h->admin, h->control);
	catalog_close(h->admin);
	pools_detach(h->pools, h->control);
	pools_close(h->pools);
	redis_close(h->redis);
	web_close(h->web);
	dns_close(h->dns);
	worker_free(h->control);
	seal_free(h->seal);
	kill(h->neon_pid, SIGTERM);
	waitpid(h->neon_pid, NULL, 0);
}
