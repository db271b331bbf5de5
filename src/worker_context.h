/* SPDX-License-Identifier: MIT */
/*
 * desk: one worker's rooms, opened and closed on its thread. What all desks share is in the
 * struct house, which is immutable while they are open.
 */
#ifndef WORKER_CONTEXT_H
#define WORKER_CONTEXT_H

#include "conf.h"
#include "flow_log.h"
#include "tenantgate/base/seal.h"

struct process {
	const struct conf	*conf;		/* borrowed */
	struct http_conf	http;		/* listen_port: the one the first desk got */
	struct tenants_conf	tenants;	/* with the schema */
	struct arena		*arena;		/* owned: the schema's text */
	struct seal		*seal;		/* owned, as all below */
	struct pools		*pools;
	struct catalog		*catalog;
	struct limit_store	*limits;
	struct http_shared	*connections;
	struct api_shared	shared;
};

struct worker_context {
	struct process		*process;	/* borrowed */
	struct worker		*worker;	/* owned */
	struct flow_log		flow_log;	/* the main thread's and the worker's */
	struct dns		*dns;		/* owned, as all below */
	struct web		*web;
	struct redis		*redis;		/* NULL without redis_url */
	struct auth		*auth;
	struct tenants		*tenants;
	struct limiter		*limiter;
	struct model		*model;
	struct map		*reconciled;	/* api_context.reconciled */
	struct http_server	*http;
	struct api_context	api;		/* what the stories borrow */
};

/* On the worker's thread. False with err set; worker_context_close() then tidies up. */
bool	worker_context_open(struct worker_context *, struct err *);
/* On the worker's thread; flows have ended or are aborted here. */
void	worker_context_close(struct worker_context *);

/* Runs fn(desk) on the desk's thread and waits for it. */
typedef void worker_call_fn(struct worker_context *, void *arg);
void	worker_call(struct worker_context *, worker_call_fn *, void *arg);

#endif
