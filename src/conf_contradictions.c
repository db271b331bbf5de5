/* SPDX-License-Identifier: MIT */
/*
 * conf_contradictions: the rules, in three tables, and their walk over the settings. The warning
 * names the line of the key, or of the other when the key has its default.
 */
#include "conf_contradictions.h"

#include <stdlib.h>
#include <string.h>

#include "tenantgate/base/address.h"

#define GENERAL "tenantgate"

/* A number that must not be more than another of [tenantgate]; of that 0 is no limit. Keys of a
 * section with a name are asked only where it says something else than [tenantgate]. */
static const struct order {
	const char *kind; /* of section */
	const char *key, *most;
	const char *so; /* what comes of it */
} orders[] = {
	{ GENERAL, "default_pool_size", "max_server_connections", "no tenant gets so many" },
	{ "plan", "pool_size", "max_server_connections", "no tenant gets so many" },
	{ GENERAL, "max_client_conn_per_ip", "max_client_conn", "it limits nothing" },
	{ GENERAL, "provision_wait", "provision_timeout", "the attempt ends before" },
	{ GENERAL, "provision_lease", "provision_timeout",
	    "an attempt that died is taken over later than it would have ended" },
	{ GENERAL, "neon_timeout", "provision_timeout", "one call may take a whole attempt" },
	{ GENERAL, "dns_timeout", "server_connect_timeout", "connecting ends before" },
	{ GENERAL, "dns_timeout", "catalog_connect_timeout", "connecting ends before" },
	{ GENERAL, "dns_timeout", "model_connect_timeout", "connecting ends before" },
	{ GENERAL, "query_wait_timeout", "chat_timeout", "the request ends before" },
	{ GENERAL, "query_wait_timeout", "ingest_timeout", "the request ends before" },
	{ GENERAL, "server_connect_timeout", "chat_timeout", "the request ends before" },
	{ GENERAL, "model_wait_timeout", "chat_timeout", "the request ends before" },
	{ GENERAL, "model_connect_timeout", "model_first_byte_timeout", "the try ends before" },
	{ GENERAL, "model_first_byte_timeout", "chat_timeout", "the request ends before" },
	{ "model", "first_byte_timeout", "chat_timeout", "the request ends before" },
	{ GENERAL, "model_idle_timeout", "chat_timeout", "the request ends before" },
	{ "model", "idle_timeout", "chat_timeout", "the request ends before" },
	{ GENERAL, "rerank_timeout", "chat_timeout", "the request ends before" },
	{ GENERAL, "stream_keepalive_interval", "chat_timeout", "no client ever hears it" },
	{ GENERAL, "ingest_wait_timeout", "ingest_timeout", "the request ends before" },
	{ GENERAL, "extract_timeout", "ingest_timeout", "the request ends before" },
	{ GENERAL, "server_lifetime_jitter", "server_lifetime",
	    "connections may close as soon as they are made" },
	{ GENERAL, "server_idle_timeout", "server_lifetime", "no connection is idle so long" },
	{ GENERAL, "answer_tokens", "max_answer_tokens", "no answer gets so many" },
	{ "model", "answer_tokens", "max_answer_tokens", "no answer gets so many" },
	{ GENERAL, "user_requests_per_minute", "rate_limit_requests_per_minute",
	    "the tenant's limit comes first" },
	{ GENERAL, "tokens_per_minute", "tokens_per_month", "the month's quota comes first" },
	{ GENERAL, "max_document_size", "max_bytes", "no document of that size is stored" },
	{ GENERAL, "client_target_size", "client_header_size", "no target is so long" },
};

/* ---- what is set and has no effect ---- */

static bool
has_no_redis(const struct conf *c)
{
	return *c->redis.url == '\0';
}

static bool
has_no_admin_door(const struct conf *c)
{
	return c->admin_listen_port == 0;
}

static bool
has_no_health_door(const struct conf *c)
{
	return c->health_listen_port == 0;
}

static bool
has_no_ranking(const struct conf *c)
{
	return c->model.rerank_model == NULL;
}

static bool
is_at_neon(const struct conf *c)
{
	return c->tenants.provider == PROVIDER_NEON;
}

static const struct idle_key {
	const char *key;
	bool (*holds)(const struct conf *);
	const char *when;
} idle_keys[] = {
	{ "redis_ca_file", has_no_redis, "without redis_url" },
	{ "redis_failure_mode", has_no_redis, "without redis_url" },
	{ "redis_timeout", has_no_redis, "without redis_url" },
	{ "redis_max_pending", has_no_redis, "without redis_url" },
	{ "tenant_redis_ttl", has_no_redis, "without redis_url" },
	{ "admin_listen_addr", has_no_admin_door, "without admin_listen_port" },
	{ "admin_hosts", has_no_admin_door, "without admin_listen_port" },
	{ "health_listen_addr", has_no_health_door, "without health_listen_port" },
	{ "rerank_timeout", has_no_ranking, "without rerank_model" },
	{ "max_rerank_calls", has_no_ranking, "without rerank_model" },
	{ "postgres_admin_url", is_at_neon, "with provider = neon" },
};

/* ---- all others ---- */

typedef bool contradiction_fn(const struct conf *, const struct conf_machine *);

uint64_t
conf_descriptors(const struct conf *c)
{
	/* The last are for listeners, logs, the catalog, Redis, Neon's API. */
	return (uint64_t)c->http.max_client_conn + c->pool.max_server_connections +
	    c->model.streams_max + c->model.embeddings_max +
	    (c->model.rerank_model != NULL ? c->model.reranks_max : 0) + 256;
}

static bool
needs_more_files(const struct conf *c, const struct conf_machine *m)
{
	return m->files_max > 0 && conf_descriptors(c) > m->files_max;
}

static bool
extracts_past_memory(const struct conf *c, const struct conf_machine *m)
{
	const struct extract_conf *e = &c->api.extract;

	return m->memory > 0 && e->memory_max > m->memory / (e->parallel_max + 1);
}

static bool
ingests_past_memory(const struct conf *c, const struct conf_machine *m)
{
	return m->memory > 0 && c->api.ingest_memory_max > m->memory;
}

static bool
document_past_its_half(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return *c->api.spool_dir == '\0' && c->api.document_max > c->api.ingest_memory_max / 2;
}

static bool
document_past_the_spool(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return *c->api.spool_dir != '\0' && c->api.document_max > c->api.spool_max / 8 * 3;
}

static bool
vectors_past_an_eighth(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return c->api.embedding_window > c->api.ingest_memory_max / 8;
}

/* "*" is all addresses, and so the public ones. */
static bool
address_is_open(const char *text)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT;
	struct in6_addr address;

	if (strcmp(text, "*") == 0 || strcmp(text, "0.0.0.0") == 0)
		return true;
	return address_read(slice_str(text), AF_UNSPEC, &address) &&
	    (address_is_public(&address) || memcmp(&address, &any, sizeof(any)) == 0);
}

static bool
admin_door_is_open(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return c->admin_listen_port != 0 && address_is_open(c->admin_listen_addr);
}

static bool
health_door_is_open(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return c->health_listen_port != 0 && address_is_open(c->health_listen_addr);
}

/* A drain's delay is there for a load balancer to turn to another replica. */
static bool
replicas_without_redis(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return has_no_redis(c) && c->drain_delay_us > 0;
}

static bool
neon_in_the_clear(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return is_at_neon(c) &&
	    (strcmp(c->tenants.neon_sslmode, "disable") == 0 ||
		strcmp(c->tenants.neon_sslmode, "prefer") == 0);
}

static bool
ranks_without_model(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	if (!has_no_ranking(c))
		return false;
	for (unsigned i = 0; i < c->plans_count; i++)
		if (c->plans[i].rerank != 0)
			return true;
	return c->plan.rerank != 0;
}

static bool
upstream_is_raised(const struct conf *c, const struct conf_machine *m)
{
	(void)m;
	return c->web.connections_max > 0 &&
	    c->web.connections_max < c->model.streams_max + c->model.embeddings_max;
}

static const struct contradiction {
	const char *key, *other;
	contradiction_fn *holds;
	const char *predicate;
} contradictions[] = {
	{ "max_client_conn", "max_server_connections", needs_more_files,
	    "and the other budgets may need more descriptors than the process may open; raise the "
	    "limit (LimitNOFILE, ulimit -n) or lower them." },
	{ "extract_max_memory", "extract_max_parallel", extracts_past_memory,
	    "for as many documents as extract_max_parallel and one more is more than the memory "
	    "there is; lower either." },
	{ "max_ingest_memory", NULL, ingests_past_memory,
	    "is more than the memory there is; lower it." },
	{ "max_document_size", "max_ingest_memory", document_past_its_half,
	    "is more than half of max_ingest_memory, which is what documents have of it: one of "
	    "that size is never taken. Lower it, or raise max_ingest_memory." },
	{ "max_document_size", "max_spool_size", document_past_the_spool,
	    "is more than three eighths of max_spool_size. One tenant may have three quarters of "
	    "that, and a document that comes in a form, or a text in JSON, lies there twice: one "
	    "of that size is never taken. Lower it, or raise max_spool_size." },
	{ "document_embedding_memory", "max_ingest_memory", vectors_past_an_eighth,
	    "is more than an eighth of max_ingest_memory, which is what counts then; lower it, or "
	    "raise max_ingest_memory." },
	{ "admin_listen_addr", "admin_listen_port", admin_door_is_open,
	    "opens the admin door, which is in the clear, to a public address; keep it on a "
	    "private one." },
	{ "health_listen_addr", "health_listen_port", health_door_is_open,
	    "opens the door for health, which tells reasons and figures, to a public address; keep "
	    "it on a private one." },
	{ "drain_delay", "redis_url", replicas_without_redis,
	    "is for a load balancer that turns to another replica, and without redis_url each "
	    "replica counts limits for itself; set redis_url, or run one." },
	{ "neon_sslmode", "provider", neon_in_the_clear,
	    "lets passwords and data of tenants' databases go over the network in the clear; "
	    "verify-full is the default." },
	{ "rerank", "rerank_model", ranks_without_model,
	    "is on, and there is no rerank_model: nothing is ranked. Set it, or turn rerank off." },
	{ "max_upstream_conn", "max_model_streams", upstream_is_raised,
	    "is less than max_model_streams and max_embedding_calls together, and is raised at the "
	    "start; raise it, or lower these." },
};

/* ---- the walk ---- */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct rule_walk {
	const struct conf *conf;
	const char *path;
	struct buf *out;
};

static void
warn_begin(const struct rule_walk *w, const struct admin_setting *s,
    const struct admin_setting *other)
{
	const char *place = s->place;

	if (place == NULL && other != NULL)
		place = other->place;
	buf_printf(w->out, "%s: Warning: ", place == NULL ? w->path : place);
}

static bool
is_of_kind(const char *section, const char *kind)
{
	size_t n = strlen(kind);

	return strncmp(section, kind, n) == 0 && (section[n] == '\0' || section[n] == ' ');
}

/* One that takes another's value over has that one's place. */
static bool
says_its_own(const struct conf *c, const struct admin_setting *s)
{
	for (unsigned i = 0; strcmp(s->section, GENERAL) != 0 && i < c->setting_count; i++)
		if (strcmp(c->settings[i].section, GENERAL) == 0 && s->place != NULL &&
		    c->settings[i].place != NULL && strcmp(c->settings[i].place, s->place) == 0)
			return false;
	return s->place != NULL || strcmp(s->section, GENERAL) == 0;
}

static void
walk_order(const struct rule_walk *w, const struct order *o)
{
	const struct admin_setting *most = conf_setting(w->conf, GENERAL, o->most);
	double limit = strtod(most->value, NULL);

	for (unsigned i = 0; i < w->conf->setting_count; i++) {
		const struct admin_setting *s = &w->conf->settings[i];

		if (!is_of_kind(s->section, o->kind) || strcmp(s->key, o->key) != 0 ||
		    !says_its_own(w->conf, s) || limit == 0 || strtod(s->value, NULL) <= limit)
			continue;
		warn_begin(w, s, most);
		buf_printf(w->out, "%s is more than %s, so %s; lower it, or raise the other.\n",
		    s->key, most->key, o->so);
	}
}

static void
walk_idle_key(const struct rule_walk *w, const struct idle_key *k)
{
	const struct admin_setting *s = conf_setting(w->conf, GENERAL, k->key);

	if (s->place == NULL || !k->holds(w->conf) || strcmp(s->value, "\"\"") == 0)
		return;
	warn_begin(w, s, NULL);
	buf_printf(w->out, "%s has no effect %s; remove it.\n", s->key, k->when);
}

void
conf_contradictions(const struct conf *c, const char *path, const struct conf_machine *machine,
    struct buf *out)
{
	struct rule_walk w = { c, path, out };

	for (size_t i = 0; i < COUNT(orders); i++)
		walk_order(&w, &orders[i]);
	for (size_t i = 0; i < COUNT(idle_keys); i++)
		walk_idle_key(&w, &idle_keys[i]);
	for (size_t i = 0; i < COUNT(contradictions); i++) {
		const struct contradiction *k = &contradictions[i];
		const struct admin_setting *other;

		if (!k->holds(c, machine))
			continue;
		other = k->other == NULL ? NULL : conf_setting(c, GENERAL, k->other);
		warn_begin(&w, conf_setting(c, GENERAL, k->key), other);
		buf_printf(out, "%s %s\n", k->key, k->predicate);
	}
}
