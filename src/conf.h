/* SPDX-License-Identifier: MIT */
/*
 * conf: the configuration, tenantgate.conf. A table of keys for each kind of section (conf_keys.c,
 * conf_model.c, conf_plan.c), from which the parser, the checks, the sample file and --help are
 * made. Main thread only; a loaded conf does not change any more, is not copied (parts of it point
 * at others), and may be read by all. A reload makes another (reload.h).
 *
 * A module (http, pool, ...) gets its own struct out of the conf (struct http_conf) and knows no
 * parser. All strings in it, the modules' too, are owned by the conf: conf_free() comes last.
 * Times are microseconds, sizes bytes.
 */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tenantgate/admin.h"
#include "tenantgate/api.h"
#include "tenantgate/auth/issuer.h"
#include "tenantgate/base/buf.h"
#include "tenantgate/catalog.h"
#include "tenantgate/http.h"
#include "tenantgate/limit.h"
#include "tenantgate/model.h"
#include "tenantgate/plan.h"
#include "tenantgate/pool.h"
#include "tenantgate/tenant.h"
#include "tenantgate/wire/redis.h"
#include "tenantgate/wire/tls_server.h"
#include "tenantgate/wire/web.h"

/* TLS of the listeners: texts as tls_server_conf has them. */
struct conf_tls {
	const char		*certificates, *keys;	/* "": the public one is in the clear */
	enum tls_version	version_min;
	const char		*ciphers;
	uint64_t		ticket_period_us;
	bool			health;			/* the health listener's, too */
	const char		*admin_certificates, *admin_keys;
	const char		*admin_client_ca, *admin_client_names;
};

struct conf {
	/* process */
	unsigned		workers;		/* threads; 0: one a processor */
	const char		*user;			/* to become when root; "": refuse root */
	const char		*health_listen_addr;	/* numeric; "*" for all */
	uint16_t		health_listen_port;	/* 0: not open */
	const char		*admin_listen_addr;	/* likewise */
	uint16_t		admin_listen_port;	/* 0: not open */
	const char		*admin_hosts;		/* admin_context.hosts */
	const char		*pid_file;		/* "" : none */
	bool			so_reuseport;		/* another process may listen there too */
	const char		*takeover_socket;	/* "" : none */
	const char		*log_file;		/* "" : stderr */
	int			log_level;		/* LOG_ERR .. LOG_DEBUG */
	uint64_t		drain_delay_us;		/* after TERM: still accepting, not ready */
	uint64_t		shutdown_timeout_us;	/* after that: what is under way may end */
	const char		*seal_keys;		/* secret: hex, first one seals */
	const char		*dns_nameserver;	/* "" : /etc/resolv.conf */
	uint64_t		dns_timeout_us;		/* of one query */
	enum limit_failure_mode	redis_failure_mode;	/* limits while Redis is away */
	struct conf_tls		tls;
	/* the modules' */
	struct http_conf	http;
	struct api_conf		api;			/* with extract */
	struct catalog_conf	catalog;
	struct pool_conf	pool;
	struct redis_conf	redis;			/* url "" : in-process, one replica */
	struct auth_conf	auth;
	struct issuer_conf	issuers[ISSUERS_MAX];	/* [issuer NAME] */
	unsigned		issuers_count;
	struct tenants_conf	tenants;		/* schema is filled in by serve.c */
	struct model_conf	model;			/* its servers are the next */
	struct model_server_conf model_servers[MODEL_SERVERS_MAX]; /* [model NAME] */
	unsigned		model_servers_count;
	struct plan		plan;			/* of tenants that have none */
	struct plan		plans[PLANS_MAX];	/* [plan NAME] */
	unsigned		plans_count;
	struct web_conf		web;
	const char		*advice;		/* NULL; or a sentence: a key of the file
							 * has another name now */
	struct admin_setting	*settings;		/* all keys of all sections, to be seen */
	unsigned		setting_count;
	/* private */
	struct conf_string	*owned;			/* all strings, for conf_free() */
};

/* Sets *conf from the defaults, then the file. Goes on after an error, so that one run shows all of
 * them: each is one line in `errors` ("FILE:LINE: Sentence.\n"). False when there was any; then the
 * conf is good for conf_free(), conf_setting() and preflight() only. No error repeats a secret. */
bool	conf_load(struct conf *, const char *path, struct buf *errors);
/* Main thread: from now on values come from a copy of the environment as it is at this moment,
 * which is kept until the process ends. */
void	conf_environment_keep(void);
/* section: "tenantgate", "plan NAME". NULL: no such. Its value is NULL where it was refused. Also
 * of a conf that has errors. */
const struct admin_setting *conf_setting(const struct conf *, const char *section,
	    const char *key);
/* A reload: of keys that only a start applies, `fresh` takes over the values of `running`, and its
 * settings say what the file has (in_file), and of the others which are changed. Texts among those
 * taken over are borrowed from the conf that they were first read into. */
void	conf_keep_running(struct conf *fresh, const struct conf *running);
/* Wipes and frees all strings. Idempotent; also for a zeroed conf. */
void	conf_free(struct conf *);
void	conf_print_sample(FILE *);	/* conf/tenantgate.conf.sample */
void	conf_print_manual(FILE *);	/* contrib/man/tenantgate.conf.5 */
void	conf_print_keys(FILE *);	/* the table of --help */

#endif
