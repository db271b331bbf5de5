/* SPDX-License-Identifier: MIT */
/*
 * conf: tenantgate.conf. One table of keys (conf_keys.c) from which the parser, the checks, the
 * sample file and --help are made. A loaded conf is immutable; rooms get their own structs out of
 * it and know no parser. Main thread only.
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tenantgate/api.h"
#include "tenantgate/auth.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/catalog.h"
#include "tenantgate/http.h"
#include "tenantgate/limit.h"
#include "tenantgate/model.h"
#include "tenantgate/pool.h"
#include "tenantgate/tenant.h"
#include "tenantgate/wire/redis.h"
#include "tenantgate/wire/web.h"

struct conf {
	/* process */
	unsigned		workers;		/* 0: one a processor */
	const char		*user;			/* to become when root; "": refuse root */
	const char		*pid_file;		/* "" : none */
	const char		*log_file;		/* "" : stderr */
	int			log_level;		/* LOG_ERR .. LOG_DEBUG */
	uint64_t		drain_delay_us;
	uint64_t		shutdown_timeout_us;
	const char		*seal_keys;		/* hex, comma-separated */
	const char		*dns_nameserver;	/* "" : /etc/resolv.conf */
	uint64_t		dns_timeout_us;
	enum limit_failure_mode	redis_failure_mode;
	/* rooms; their strings are owned by the conf */
	struct http_conf	http;
	struct api_conf		api;			/* with extract */
	struct catalog_conf	catalog;
	struct pool_conf	pool;
	struct redis_conf	redis;			/* url "" : in-process, one replica */
	struct auth_conf	auth;
	struct tenants_conf	tenants;		/* schema is filled in by serve.c */
	struct model_conf	model;
	struct web_conf		web;
	/* private */
	struct conf_string	*owned;
};

/* Defaults, then the file. Every error is one line in `errors` ("FILE:LINE: sentence\n"); false
 * when there was any. */
bool	conf_load(struct conf *, const char *path, struct buf *errors);
/* Wipes secrets. Idempotent. */
void	conf_free(struct conf *);
void	conf_print_sample(FILE *);	/* conf/tenantgate.conf.sample */
void	conf_print_keys(FILE *);	/* the table of --help */

#endif
