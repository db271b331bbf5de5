/* SPDX-License-Identifier: MIT */
/*
 * process: opens and closes what all workers share: the sealing keys, the helper threads, the
 * pools, the in-process limits, the count of client connections, the catalog. Nothing here connects
 * to anything yet: pools and catalog do when a worker first asks.
 */
#include "process.h"

#define LIMIT_KEYS_MAX 200000 /* of the in-process store: bounds its memory */
/* Apart, so that a flood from many networks forgets failures only, never a tenant's limit. */
#define FAILURES_MAX 100000

bool
process_open(struct process *process, const struct conf *conf, struct err *err)
{
	struct offload_conf offload;

	process->conf = conf;
	process->http = conf->http;
	process->tenants = conf->tenants;
	process->arena = arena_new(1u << 20);
	/* tenant/ provisions databases but does not know what is in them. */
	process->tenants.schema = retrieval_schema(process->arena, conf->model.dimensions);
	process->tenants.schema_version = RETRIEVAL_SCHEMA_VERSION;
	process->seal = seal_new(conf->seal_keys);
	if (process->seal == NULL) {
		err_set(err, ERR_INTERNAL,
		    "The value of seal_keys is not 64 hexadecimal digits a key; correct it.");
		return false;
	}
	offload_conf_init(&offload);
	process->offload = offload_open(&offload);
	process->pools = pools_open(&conf->pool, NULL);
	process->key_tags = key_tags_new();
	process->limits = limit_store_new(LIMIT_KEYS_MAX);
	process->failures = limit_store_new(FAILURES_MAX);
	process->connections = http_shared_new();
	process->catalog = catalog_open(&conf->catalog, err);
	return process->catalog != NULL;
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
	key_tags_free(process->key_tags);
	limit_store_free(process->limits);
	limit_store_free(process->failures);
	if (process->connections != NULL)
		http_shared_free(process->connections);
	if (process->seal != NULL)
		seal_free(process->seal);
	arena_free(process->arena);
}
