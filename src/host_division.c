/* SPDX-License-Identifier: MIT */
/*
 * host_division.c: from a pool's host to a replica's demand, and back.
 *
 * What is divided is what the server takes for clients, less the catalog's connections when the
 * catalog is on that server: those are in no pool of tenants, and every replica has them.
 */
#include "host_division.h"

/* On worker 0, at each beat. */
struct demand_round {
	struct process	*process;	/* borrowed, as replicas */
	struct replicas	*replicas;
};

static unsigned
host_capacity(const struct process *process, const struct pool_host_stats *host)
{
	unsigned max = host->max_connections, others;

	others = catalog_connections_at(process->catalog, host->key);
	others = others * replicas_live(process->replicas) + POOL_HOST_RESERVED;
	return max > others ? max - others : 1;
}

static unsigned
equal_part(unsigned capacity, unsigned live)
{
	return capacity / live > 0 ? capacity / live : 1;
}

/* What is not taken (replica.h) has an equal part: on each replica the same. */
static void
host_demand(const struct pool_host_stats *host, void *arg)
{
	const struct demand_round *round = arg;
	struct replica_demand demand = {
		.key = host->key,
		.used = host->used,
		.want = host->want,
		.limit = host->part,
		.is_told = host->is_told,
	};

	if (host->max_connections == 0)
		return;
	demand.capacity = host_capacity(round->process, host);
	if (!replicas_demand(round->replicas, &demand))
		pools_host_limit(round->process->pools, host->key,
		    equal_part(demand.capacity, replicas_live(round->replicas)));
}

static void
host_division_each(struct replicas *replicas, void *arg)
{
	struct demand_round round = { .process = arg, .replicas = replicas };

	pools_replicas(round.process->pools, replicas_live(replicas));
	pools_hosts(round.process->pools, true, host_demand, &round);
}

static void
host_division_limit(struct slice key, unsigned limit, void *arg)
{
	const struct process *process = arg;

	pools_host_limit(process->pools, key, limit);
}

static void
host_division_wanted(void *arg)
{
	const struct process *process = arg;

	replicas_hurry(process->replicas);
}

void
host_division_open(struct process *process)
{
	const struct replica_source source = { host_division_each, host_division_limit, process };
	bool alone = process->conf->redis.url[0] == '\0';

	process->replicas =
	    replicas_open(process->conf->tenants.environment, alone ? NULL : &source);
	if (!alone)
		pools_divide(process->pools, host_division_wanted, process);
}
