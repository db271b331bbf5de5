/* SPDX-License-Identifier: MIT */
/*
 * replica: how many replicas of this program are alive, and what each may take of a server that all
 * of them use (a cluster's max_connections). Counts keys: the caller names what is divided
 * ("db.example.com:5432").
 *
 * Every two seconds the replica tells Redis, for each key, how much it uses, how much it wants, and
 * under which limit it is; one atomic script answers with the limit from now on: max-min fair by
 * what all want, and never what another may still hold. A limit is lowered at once and raised only
 * by that script. Silent for ten seconds, by Redis's clock, is dead.
 *
 * What always holds: while the replicas can reach Redis, the limits in force on all of them, and
 * what they use, add up to the capacity at most; whatever command comes late, twice or not at all,
 * whoever comes or goes, and also when Redis was emptied or stood still. While Redis is away a
 * replica keeps its limits, and what was not yet told has a tenth of the capacity.
 *
 * One for the process. The beat, a flow, runs on the worker with index 0.
 */
#ifndef TENANTGATE_REPLICA_H
#define TENANTGATE_REPLICA_H

#include <stdbool.h>

#include "tenantgate/base/slice.h"
#include "tenantgate/loop/worker.h"
#include "tenantgate/wire/redis.h"

struct replicas;

#define REPLICA_KEYS_MAX	256	/* told in a beat */
#define REPLICA_KEY_MAX		300	/* bytes of a key */
#define REPLICA_ENVIRONMENT_MAX	100	/* bytes */
#define REPLICA_CAPACITY_MAX	1000000

/* One thing that is divided, as it is on this replica now. */
struct replica_demand {
	struct slice	key;		/* borrowed for the call; not empty */
	unsigned	capacity;	/* of all replicas; the same number on each */
	unsigned	used;		/* here, what is being opened included */
	unsigned	want;		/* what could be used here until the next beat */
	unsigned	limit;		/* in force here; 0 (exact) or a tenth before the first */
	bool		is_told;	/* it came from replica_limit_fn */
};

/* Both on worker 0. `each` calls replicas_demand() for every key; at each beat, so of a key that
 * more than one database or replica uses. `limit`: from now on nothing is opened past it (it may be
 * 0), and what is idle above it is closed. Not called for a limit that stays as it is. */
typedef void	replica_each_fn(struct replicas *, void *arg);
typedef void	replica_limit_fn(struct slice key, unsigned limit, void *arg);

struct replica_source {
	replica_each_fn		*each;	/* NULL: nothing is divided, replicas are counted only */
	replica_limit_fn	*limit;
	void			*arg;	/* borrowed */
};

/* Before the workers start. The environment is a part of every key in Redis, as far as
 * REPLICA_ENVIRONMENT_MAX; all is copied.
 * replicas_close(): when the workers have been freed. */
struct replicas	*replicas_open(const char *environment, const struct replica_source *);
void		 replicas_close(struct replicas *);
/* By every worker, on its thread; only that with index 0 acts. redis, its link, may be NULL: then
 * this replica is the only one, and each limit is the capacity. The beat begins at once and ends
 * when the worker's flows are aborted, which also gives back what was held here. Detached after
 * that, before the link is closed. */
void		 replicas_attach(struct replicas *, struct worker *, struct redis *);
void		 replicas_detach(struct replicas *, struct worker *);

/* In replica_each_fn only. False: not taken, for there are REPLICA_KEYS_MAX already or the key is
 * too long; such a key keeps within capacity / replicas_live(). */
bool		 replicas_demand(struct replicas *, const struct replica_demand *);

/* Replicas of this environment that are alive, this one included: 1 or more, the last number known
 * while Redis is away. Any thread. */
unsigned	 replicas_live(const struct replicas *);
/* The next beat is soon (200 ms after the last one, or now): there is a new key, or more is wanted
 * than before. Any thread. */
void		 replicas_hurry(struct replicas *);

#endif
