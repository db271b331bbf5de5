/* SPDX-License-Identifier: MIT */
/*
 * api: the stories. Each route is a flow: a table of named steps in the file of its name. This
 * door is what main.c opens: one handler for http/, and what a worker's stories borrow.
 */
#ifndef TENANTGATE_API_H
#define TENANTGATE_API_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/auth.h"
#include "tenantgate/catalog.h"
#include "tenantgate/http.h"
#include "tenantgate/limit.h"
#include "tenantgate/model.h"
#include "tenantgate/pool.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/tenant.h"

struct api_conf {
	unsigned	tenant_requests_per_minute;	/* unless the tenant's row says; 0: none */
	unsigned	key_requests_per_minute;	/* a key's, over all its tenants; 0: none */
	unsigned	burst;				/* at once; 0: as many as a minute's */
	size_t		document_max;			/* bytes of one POST /ingest */
	size_t		chat_body_max;
	unsigned	chunk_size;			/* UTF-16 units */
	unsigned	chunk_overlap;
	unsigned	chunks_max;			/* a document's */
	unsigned	ingests_max;			/* at a time, whole process */
	unsigned	top_k;
	uint64_t	ingest_timeout_us;		/* whole request */
	uint64_t	chat_timeout_us;
	bool		access_log;
	struct extract_conf extract;
};
void	api_conf_init(struct api_conf *);

/* What the whole process is doing; moved by main.c alone, read by any thread. */
enum api_phase { API_STARTING, API_SERVING, API_DRAINING };

/* What all workers' stories share. */
struct api_shared {
	_Atomic enum api_phase	phase;
	_Atomic unsigned	ingests;	/* under way: each holds a document */
};

/* One worker's rooms, all borrowed; they outlive http on that worker. */
struct api_context {
	struct worker		*worker;
	struct catalog		*catalog;
	struct pools		*pools;
	struct redis		*redis;		/* NULL: in-process counters, one replica */
	struct auth		*auth;
	struct tenants		*tenants;
	struct limiter		*limiter;
	struct model		*model;
	struct map		*reconciled;	/* tenant id -> uint64_t: when last looked after */
	const char		*environment;	/* part of every shared key */
	const struct api_conf	*conf;
	struct api_shared	*shared;
};

/* http_handler_fn and http_refused_fn; arg: struct api_context. */
void	api_handle(struct http_exchange *, void *ctx);
void	api_refused(const struct err *, const char *request_id, const char *remote, void *ctx);

#endif
