/* SPDX-License-Identifier: MIT */
/*
 * conf: loads the configuration: the modules' own defaults first (for members that are no keys),
 * then the tables', then the file, then what must hold between keys.
 */
#include "conf.h"

#include <string.h>
#include <unistd.h>

#include "conf_internal.h"
#include "config.h"
#include "tenantgate/base/arena.h"
#include "tenantgate/base/seal.h"
#include "tenantgate/replica.h"
#include "tenantgate/wire/dns.h"
#include "tenantgate/wire/pg_url.h"

static void
init_modules(struct conf *conf)
{
	http_conf_init(&conf->http);
	api_conf_init(&conf->api);
	pool_conf_init(&conf->pool);
	auth_conf_init(&conf->auth);
	tenants_conf_init(&conf->tenants);
	model_conf_init(&conf->model);
	conf->plan = plan_standard;
	conf->web.user_agent = PACKAGE "/" VERSION;
}

/* A file says "" and 0 for what the module finds out: where the extractor is installed, and how
 * many suit the processors. */
static void
fill_in_extract(struct extract_conf *c)
{
	struct extract_conf own;

	extract_conf_init(&own);
	if (*c->program == '\0')
		c->program = own.program;
	if (c->parallel_max == 0)
		c->parallel_max = own.parallel_max;
}

/* One a processor is what a start finds out, unless there are more than the pools have room for. */
static void
fill_in_workers(struct conf *conf)
{
	if (conf->workers == 0 && sysconf(_SC_NPROCESSORS_ONLN) > POOL_WORKERS_MAX)
		conf->workers = POOL_WORKERS_MAX;
}

/* Unless ok: an error at the key's place. The predicate goes on after the key's name. A value that
 * was refused has its reason already: what stands in its place says nothing. */
static void
conf_check(struct conf_reading *r, bool ok, const char *name, const char *predicate)
{
	struct conf_place at = conf_key_place(r->scopes, name);

	if (!ok && !conf_key_refused(r->scopes, name))
		conf_error(r, &at, "%s %s", name, predicate);
}

/* In all sections; an error names the line that opens it. */
static void
conf_check_required(struct conf_reading *r)
{
	for (struct conf_scope *s = r->scopes; s != NULL; s = s->next)
		for (unsigned i = 0; i < conf_key_count(s->section); i++) {
			const struct conf_key *k = conf_key_at(s->section, i);

			if (k->type != CONF_GROUP && k->default_text[0] == '$' &&
			    s->seen[i].file == NULL)
				conf_error(r, &s->opened, "%s must be set.", k->name);
		}
}

/* The module that uses the keys is asked: there is one definition of what they are. */
static bool
seal_keys_valid(const char *keys)
{
	struct seal *seal = seal_new(keys);

	if (seal != NULL)
		seal_free(seal);
	return seal != NULL;
}

/* libpq's words, without "allow", which encrypts only when the server insists. */
static bool
is_sslmode(const char *text)
{
	return strcmp(text, "disable") == 0 || strcmp(text, "prefer") == 0 ||
	    strcmp(text, "require") == 0 || strcmp(text, "verify-ca") == 0 ||
	    strcmp(text, "verify-full") == 0;
}

/* http/ is asked: there is one definition of such a list. */
static void
conf_check_proxies(struct conf_reading *r)
{
	const struct http_conf *http = &r->conf->http;
	struct err err = { 0 };

	if (!http_proxies_are_valid(http->trusted_proxies, &err)) {
		struct conf_place at = conf_key_place(r->scopes, "trusted_proxies");

		conf_error(r, &at, "%s: %s", "trusted_proxies", err.detail);
	}
	conf_check(r, !http->proxy_protocol || http->trusted_proxies != NULL, "proxy_protocol",
	    "needs trusted_proxies: only these may send its header.");
}

static void
conf_check_origins(struct conf_reading *r)
{
	struct err err = { 0 };

	if (!http_origins_are_valid(r->conf->http.cors_allow_origins, &err)) {
		struct conf_place at = conf_key_place(r->scopes, "cors_allow_origins");

		conf_error(r, &at, "%s: %s", "cors_allow_origins", err.detail);
	}
}

static void
conf_check_networks(struct conf_reading *r)
{
	struct network_list list;
	struct err err = { 0 };

	if (!network_list_read(&list, r->conf->tenants.allowed_networks, &err)) {
		struct conf_place at = conf_key_place(r->scopes, "allowed_networks");

		conf_error(r, &at, "%s: %s", "allowed_networks", err.detail);
	}
}

/* Checked here and not when the value was stored: reading is libpq's and wants a whole URL. Unknown
 * parameters are refused: in our own configuration they are a slip of the pen. */
static void
conf_check_url(struct conf_reading *r, const char *name, const char *url)
{
	struct arena *arena = arena_new(64u << 10);
	struct pg_target target = { 0 };
	struct err err = { 0 };

	if (url != NULL && *url != '\0' && !pg_url_read(arena, url, PG_URL_STRICT, &target, &err)) {
		struct conf_place at = conf_key_place(r->scopes, name);

		conf_error(r, &at, "%s: %s", name, err.detail);
	}
	arena_free(arena);
}

static void
conf_check_redis(struct conf_reading *r)
{
	const char *url = r->conf->redis.url;
	struct err err = { 0 };

	if (*url != '\0' && !redis_url_is_valid(url, &err)) {
		struct conf_place at = conf_key_place(r->scopes, "redis_url");

		conf_error(r, &at, "%s: %s", "redis_url", err.detail);
	}
}

static void
conf_check_admin(struct conf_reading *r)
{
	const struct conf *c = r->conf;
	struct err err = { 0 };

	conf_check(r,
	    c->admin_listen_port == 0 ||
		(c->admin_listen_port != c->http.listen_port &&
		    c->admin_listen_port != c->health_listen_port),
	    "admin_listen_port", "must be another than listen_port and health_listen_port.");
	if (!admin_hosts_are_valid(c->admin_hosts, &err)) {
		struct conf_place at = conf_key_place(r->scopes, "admin_hosts");

		conf_error(r, &at, "%s: %s", "admin_hosts", err.detail);
	}
}

/* What the file as a whole must fulfil: keys that must be set, and what one key wants of another.
 * Each error names the key that is to be changed. */
static void
conf_check_all(struct conf_reading *r)
{
	const struct conf *c = r->conf;
	bool neon = c->tenants.provider == PROVIDER_NEON;

	conf_check_required(r);
	conf_check_url(r, "catalog_url", c->catalog.url);
	conf_check_url(r, "postgres_admin_url", c->tenants.postgres_admin_url);
	conf_check(r, c->seal_keys == NULL || seal_keys_valid(c->seal_keys), "seal_keys",
	    "takes 64 hexadecimal digits a key, a comma between keys; "
	    "`openssl rand -hex 32` makes one.");
	conf_check(r, !neon || *c->tenants.neon_api_key != '\0', "neon_api_key",
	    "must be set when provider = neon.");
	conf_check(r, neon || *c->tenants.postgres_admin_url != '\0', "postgres_admin_url",
	    "must be set when provider = postgres.");
	conf_check(r, strlen(c->tenants.environment) <= REPLICA_ENVIRONMENT_MAX, "environment",
	    "must be 100 bytes at most.");
	conf_check(r, *c->dns_nameserver == '\0' || dns_nameserver_is_valid(c->dns_nameserver),
	    "dns_nameserver", "must be an address, with a port or without: 127.0.0.1:53.");
	conf_check_redis(r);
	conf_check_proxies(r);
	conf_check_origins(r);
	/* The system would let both listen, and give each a part of the connections. */
	conf_check(r, c->health_listen_port == 0 || c->health_listen_port != c->http.listen_port,
	    "health_listen_port", "must be another than listen_port.");
	conf_check_admin(r);
	conf_check_networks(r);
	conf_check(r, is_sslmode(c->tenants.neon_sslmode), "neon_sslmode",
	    "must be disable, prefer, require, verify-ca or verify-full.");
	conf_check(r, c->api.chunk_overlap < c->api.chunk_size, "chunk_overlap",
	    "must be less than chunk_size.");
	conf_check_models(r);
	conf_check_plans(r);
	conf_check_issuers(r);
}

/* One sentence, of the first of them: the next is told when that one is gone. */
static void
conf_advise(struct conf_reading *r)
{
	char text[256];

	for (const struct conf_renamed *k = conf_renamed; k->older != NULL; k++) {
		struct conf_place at = conf_key_place(r->scopes, k->older);

		if (at.line == 0 || r->conf->advice != NULL)
			continue;
		snprintf(text, sizeof(text), "Line %u: %s is called %s now; write that.", at.line,
		    k->older, k->name);
		r->conf->advice = conf_keep(r->conf, slice_str(text));
	}
}

bool
conf_load(struct conf *conf, const char *path, struct buf *errors)
{
	struct conf_reading r = { .conf = conf, .errors = errors };

	*conf = (struct conf){ 0 };
	init_modules(conf);
	conf_scope_first(&r);
	r.scopes->opened.file = path;
	conf_read_file(&r, path, NULL);
	conf_scopes_fill(&r);
	fill_in_extract(&conf->api.extract);
	fill_in_workers(conf);
	conf->catalog.max_scram_iterations = conf->pool.max_scram_iterations;
	conf_make_plans(conf);
	conf_check_all(&r);
	conf_advise(&r);
	conf_settings_make(&r);
	conf_scopes_free(&r);
	return errors->len == 0 && !errors->failed;
}
