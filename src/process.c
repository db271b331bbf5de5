/* SPDX-License-Identifier: MIT */
/*
 * process: opens and closes what all workers share: the sealing keys, the helper threads, the
 * pools, the in-process limits, the listeners' counts of connections, the replicas, the catalog.
 * Nothing here connects to anything yet: pools and catalog do when a worker first asks.
 */
#include "process.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "host_division.h"

#include "tenantgate/auth/issuer.h"
#include "tenantgate/auth/token.h"
#include "tenantgate/base/clock.h"
#include "tenantgate/base/log.h"
#include "tenantgate/base/secret.h"
#include "tenantgate/base/spool.h"

#define FINDINGS_MAX	 (64u << 10)	/* bytes, of the certificates */
#define HANDSHAKE_US_MAX 3600000000ull	/* of tls_handshake_timeout */
#define DISK_STALL_US	 30000000ull	/* no job of an upload's ends any more */
#define NEON_CALLS_MAX 128u   /* of one worker at a time */
#define LIMIT_KEYS_MAX 200000 /* of the in-process store: bounds its memory */
/* Apart, so that a flood from many networks forgets failures only, never a tenant's limit. */
#define FAILURES_MAX 100000

/*
 * Connections of one worker's HTTP client: at least what the budgets of the model's calls can bring
 * to it, all on one worker at the worst, and Neon's calls beside them. So it is never libcurl that
 * a call waits in: its queue knows no tenants, and the deadlines of what waits there run.
 */
static void
web_conf_fill(struct web_conf *web, const struct model_conf *model)
{
	unsigned need = model->streams_max + model->embeddings_max + NEON_CALLS_MAX;

	if (model->rerank_model != NULL)
		need += model->reranks_max;
	if (web->connections_max > 0 && web->connections_max < need)
		log_event(LOG_WARNING, "serve.upstream", NULL,
		    "The budgets max_model_streams, max_embedding_calls and max_rerank_calls, and "
		    "Neon's API, may need %u connections on one worker; that many are allowed, and "
		    "not the %u of max_upstream_conn.",
		    need, web->connections_max);
	if (web->connections_max < need)
		web->connections_max = need;
}

/* A Postgres cluster of one's own is shared from the first tenant on: by the administrator, and by
 * other replicas' tenants. A Neon project is one tenant's. */
static struct pools *
tenant_pools_open(const struct conf *conf)
{
	struct pool_conf pool = conf->pool;

	pool.settings = search_settings();
	pool.hosts_are_shared = conf->tenants.provider == PROVIDER_POSTGRES;
	return pools_open(&pool, NULL);
}

/* max_waiting is one word for all that a tenant's requests wait for. */
static void
budgets_open(struct process *process, const struct conf *conf)
{
	struct model_conf model = conf->model;
	uint8_t user_key[SEAL_KEY_SIZE];

	model.waiting_max = conf->pool.max_waiting;
	seal_derive(process->seal, "users of models", user_key);
	model.user_key = user_key;
	process->models = model_shares_open(&model);
	bytes_wipe(user_key, sizeof(user_key));
	api_budgets_open(&process->shared.budgets, &conf->api);
	process->shared.indexing = indexing_open(&conf->api.indexing);
	process->shared.loudest = loudest_new(LOUDEST_TENANTS, LOUDEST_SHARDS);
}

/* cache_stale_ttl is one setting for keys and tenants. */
static struct tenants_conf
process_tenants(const struct conf *conf)
{
	struct tenants_conf tenants = conf->tenants;

	tenants.cache_stale_us = conf->auth.cache_stale_us;
	return tenants;
}

/*
 * Helpers of their own: a flood of clients must not keep tenants' jobs from theirs. A connection
 * has one job at most, and waits no longer than its handshake may take: so there is no ceiling of
 * waiting jobs beside that of connections.
 */
static struct offload *
handshakes_open(void)
{
	struct offload_conf conf;

	offload_conf_init(&conf);
	conf.name = "handshake";
	conf.waiting_max = UINT_MAX;
	conf.wait_timeout_us = 2 * HANDSHAKE_US_MAX;
	return offload_open(&conf);
}

/*
 * Helpers of their own, too, for they wait for a disk. An upload has one job at most, and comes
 * back for each of its pieces: to refuse it here is to have it sent once more, from its first byte.
 * So there is no ceiling of waiting jobs beside max_ingests, and none of time beside
 * ingest_timeout, but where the disk stands still: who waits for it has memory meanwhile.
 */
static struct offload *
spool_helpers_open(void)
{
	struct offload_conf conf;

	offload_conf_init(&conf);
	conf.name = "spool";
	conf.waiting_max = UINT_MAX;
	conf.wait_timeout_us = DISK_STALL_US;
	conf.is_patient = true;
	return offload_open(&conf);
}

/* False with err set. */
static bool
process_spool_open(struct process *process, const struct conf *conf, struct err *err)
{
	struct err why = { .code = ERR_NONE };

	if (*conf->api.spool_dir == '\0')
		return true;
	spool_catch_faults();
	process->shared.spool_helpers = spool_helpers_open();
	process->shared.spool_folder = spool_folder_open(conf->api.spool_dir, &why);
	if (!err_is(&why))
		return true;
	process->shared.spool_folder = 0;
	err_set(err, ERR_CONF, "The value of spool_dir does not do. %s", why.detail);
	return false;
}

static void
process_spool_close(struct process *process)
{
	offload_close(process->shared.spool_helpers);
	if (process->shared.spool_folder != 0)
		close(process->shared.spool_folder);
}

/* False with err set: the first fault of the certificates. */
static bool
tls_open(struct process *process, struct err *err)
{
	struct buf errors, warnings;

	process->handshakes = handshakes_open();
	process->tickets = tls_tickets_new();
	buf_init(&errors, FINDINGS_MAX);
	buf_init(&warnings, FINDINGS_MAX);
	listener_tls_open(&process->tls, process->conf, process->tickets, &errors, &warnings);
	if (errors.len > 0)
		err_set(err, ERR_CONF, "%.*s", (int)strcspn(errors.data, "\n"), errors.data);
	buf_free(&errors);
	buf_free(&warnings);
	process->snapshot->tls = &process->tls;
	listener_tls_log(&process->tls);
	return !err_is(err);
}

bool
process_open(struct process *process, const struct conf *conf, struct err *err)
{
	struct offload_conf offload;

	process->conf = conf;
	process->snapshot = snapshot_first(conf);
	listeners_open(process->listeners, conf);
	process->shared.clients = process->listeners[LISTENER_PUBLIC].connections;
	atomic_store(&process->shared.configured_us, clock_wall_us());
	process->web = conf->web;
	web_conf_fill(&process->web, &conf->model);
	process->tenants = process_tenants(conf);
	process->arena = arena_new(1u << 20);
	/* tenant/ provisions databases but does not know what is in them. */
	process->tenants.redis_key = api_tenant_redis_key;
	process->tenants.schema = retrieval_schema(process->arena, conf->model.dimensions);
	process->tenants.schema_version = RETRIEVAL_SCHEMA_VERSION;
	process->tenants.schema_steps = retrieval_schema_steps(&process->tenants.schema_step_count);
	if (!tenants_conf_networks(&process->tenants, err))
		return false;
	process->seal = seal_new(conf->seal_keys);
	if (process->seal == NULL) {
		err_set(err, ERR_INTERNAL,
		    "The value of seal_keys is not 64 hexadecimal digits a key; correct it.");
		return false;
	}
	offload_conf_init(&offload);
	process->offload = offload_open(&offload);
	if (!tls_open(process, err) || !process_spool_open(process, conf, err))
		return false;
	process->pools = tenant_pools_open(conf);
	budgets_open(process, conf);
	process->snapshot->servers = model_shares_servers(process->models);
	process->key_tags = key_tags_new();
	process->tokens = token_signer_new(process->seal, conf->tenants.environment);
	process->keys = lookup_store_new(conf->auth.cache_max);
	process->issuers = issuers_new(conf->issuers, conf->issuers_count, NULL);
	process->limits = limit_store_new(LIMIT_KEYS_MAX);
	process->failures = limit_store_new(FAILURES_MAX);
	host_division_open(process);
	process->tenants_shared = tenants_shared_new(process->replicas, conf->tenants.cache_max);
	process->catalog = catalog_open(&conf->catalog, err);
	return process->catalog != NULL;
}

void
process_configure(struct process *process, struct snapshot *next)
{
	const struct conf *conf = next->conf;
	struct model_conf model = conf->model;
	struct issuers *issuers = process->issuers;

	process->web.connections_max = conf->web.connections_max;
	web_conf_fill(&process->web, &model);
	pools_configure(process->pools, &conf->pool);
	model.waiting_max = conf->pool.max_waiting;
	model_shares_configure(process->models, &model, next->file);
	next->servers = model_shares_servers(process->models);
	api_budgets_configure(&process->shared.budgets, &conf->api);
	indexing_configure(process->shared.indexing, &conf->api.indexing);
	process->issuers = issuers_new(conf->issuers, conf->issuers_count, issuers);
	issuers_give(issuers);
	process->snapshot = next;
	listener_tls_log(next->tls);
}

/* The catalog's connections are a pool of its own, and go first. What was never opened is passed
 * over. */
void
process_close(struct process *process)
{
	if (process->catalog != NULL)
		catalog_close(process->catalog);
	if (process->pools != NULL)
		pools_close(process->pools);
	offload_close(process->offload);
	offload_close(process->handshakes);
	process_spool_close(process);
	if (process->replicas != NULL)
		replicas_close(process->replicas);
	model_shares_close(process->models);
	api_budgets_close(&process->shared.budgets);
	indexing_close(process->shared.indexing);
	loudest_free(process->shared.loudest);
	key_tags_free(process->key_tags);
	token_signer_free(process->tokens);
	lookup_store_free(process->keys);
	issuers_give(process->issuers);
	limit_store_free(process->limits);
	limit_store_free(process->failures);
	tenants_shared_free(process->tenants_shared);
	listeners_close(process->listeners);
	if (process->seal != NULL)
		seal_free(process->seal);
	arena_free(process->arena);
	if (process->snapshot != NULL)
		refs_give(&process->snapshot->refs);
	listener_tls_close(&process->tls);
	tls_tickets_free(process->tickets);
}
