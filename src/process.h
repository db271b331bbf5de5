/* SPDX-License-Identifier: MIT */
/*
 * process: what all worker contexts share. It changes while they are open by a reload alone; what
 * it points to guards itself.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "listener.h"
#include "snapshot.h"
#include "tenantgate/base/seal.h"
#include "tenantgate/loop/offload.h"
#include "tenantgate/replica.h"

struct process {
	const struct conf	*conf;		/* borrowed: of the start. It has what a reload does
						 * not change; the rest is the snapshot's */
	struct snapshot		*snapshot;	/* held: the newest; the main thread's */
	struct listener		listeners[LISTENERS];	/* their ports as bound */
	struct web_conf		web;		/* conf's; connections_max as it must be */
	struct tenants_conf	tenants;	/* conf's, with the statements of the schema */
	struct arena		*arena;		/* owned: the schema's text */
	struct seal		*seal;		/* owned, as all below; read-only */
	struct offload		*offload;	/* the helper threads */
	struct offload		*handshakes;	/* those that compute TLS handshakes alone */
	struct tls_tickets	*tickets;	/* keys by which clients resume their sessions */
	struct listener_tls	tls;		/* certificates of the start */
	struct pools		*pools;		/* of the tenants' databases */
	struct catalog		*catalog;
	struct replicas		*replicas;	/* how many there are */
	struct model_shares	*models;	/* streams and embedding calls, by tenant */
	struct key_tags		*key_tags;	/* filled at the start, by serve.c */
	struct token_signer	*tokens;	/* of users' tokens */
	struct lookup_store	*keys;		/* records of API keys */
	struct issuers		*issuers;	/* a reference: the newest snapshot's */
	struct tenants_shared	*tenants_shared; /* records; of the provider's limits */
	struct limit_store	*limits;	/* used without Redis, and while it is away */
	struct limit_store	*failures;	/* by network: requests without a valid key */
	struct api_shared	shared;		/* the phase; the handlers' budgets */
	struct reload		*reload;	/* borrowed: who reads the configuration anew */
	struct worker		**workers;	/* of all contexts that are open; serve.c's */
	atomic_uint		worker_count;
	unsigned		workers_wanted;	/* how many there are to be; serve.c's */
};

/* Main thread, on zeroed memory, before the first worker. The conf is borrowed until the close.
 * False with err set: what was opened until then is left to process_close(). */
bool	process_open(struct process *, const struct conf *, struct err *);
/* Main thread, between two calls of workers: what they share is as the next snapshot says, which
 * becomes the newest and is given the servers of models. The caller gives back the one before. */
void	process_configure(struct process *, struct snapshot *);
/* Main thread, when the workers have been freed: their last tasks bring connections back to the
 * pools. */
void	process_close(struct process *);

#endif
