/* SPDX-License-Identifier: MIT */
/*
 * worker_wires: see the header.
 */
#include "worker_wires.h"

#include <stdio.h>
#include <string.h>

/* What is written to see whether Redis works is named as limits are (api/request.c), so that it is
 * in their slot, and an ACL for them allows it. */
static struct redis *
open_redis(struct worker_context *ctx, struct err *err)
{
	const struct conf *conf = ctx->process->conf;
	const char *environment = conf->tenants.environment;
	struct redis_conf redis = conf->redis;
	size_t tag = strnlen(environment, REDIS_TAG_MAX);
	char key[REDIS_PROBE_KEY_MAX + 1], cluster_key[REDIS_PROBE_KEY_MAX + 1];

	(void)snprintf(key, sizeof(key), "tg:limit:%s:probe", environment);
	(void)snprintf(cluster_key, sizeof(cluster_key), "tg:limit:{%.*s}%s:probe", (int)tag,
	    environment, environment + tag);
	redis.probe_key = key;
	redis.cluster_probe_key = cluster_key;
	return redis_open(ctx->worker, ctx->dns, &redis, err);
}

bool
worker_wires_open(struct worker_context *ctx, struct err *err)
{
	const struct conf *conf = ctx->process->conf;
	struct web_conf web = ctx->process->web;

	ctx->dns = dns_open(ctx->worker, text_or_null(conf->dns_nameserver), conf->dns_timeout_us);
	web.dns = ctx->dns;
	ctx->web = web_open(ctx->worker, &web);
	if (ctx->dns == NULL || ctx->web == NULL) {
		err_set(err, ERR_INTERNAL,
		    "The resolver or the HTTP client could not be set up; look at dns_nameserver, "
		    "ca_file and the limit of open files.");
		return false;
	}
	if (text_or_null(conf->redis.url) == NULL)
		return true;
	ctx->redis = open_redis(ctx, err);
	return ctx->redis != NULL;
}
