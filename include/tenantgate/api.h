/* SPDX-License-Identifier: MIT */
/*
 * api: the handlers of our routes. A handler is a flow, a table of named steps in the file of its
 * name (src/api/chat.c); src/api/route.c lists which request starts which.
 *
 * worker_context.c opens this: it fills one struct api_context for each worker and gives
 * api_handle() to that worker's HTTP server. Everything here runs on that worker's thread, but for
 * struct api_shared, whose members guard themselves.
 */
#ifndef TENANTGATE_API_H
#define TENANTGATE_API_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tenantgate/auth.h"
#include "tenantgate/api/otlp.h"
#include "tenantgate/base/loudest.h"
#include "tenantgate/base/refs.h"
#include "tenantgate/catalog.h"
#include "tenantgate/http.h"
#include "tenantgate/limit.h"
#include "tenantgate/loop/offload.h"
#include "tenantgate/loop/share.h"
#include "tenantgate/model.h"
#include "tenantgate/pool.h"
#include "tenantgate/retrieval.h"
#include "tenantgate/retrieval/indexing.h"
#include "tenantgate/retrieval/upkeep.h"
#include "tenantgate/tenant.h"
#include "tenantgate/usage.h"

/* The fields that say how much of a limit is left: those of the present draft
 * (draft-ietf-httpapi-ratelimit-headers-10: RateLimit-Policy, RateLimit), those of its versions up
 * to -06 (RateLimit-Limit, -Remaining, -Reset), which older clients read. Bits. */
enum ratelimit_headers { RATELIMIT_OFF = 0, RATELIMIT_DRAFT = 1, RATELIMIT_LEGACY = 2,
	RATELIMIT_BOTH = RATELIMIT_DRAFT | RATELIMIT_LEGACY };

/* How much a request may bring and how long it may take. It does not change, so every thread reads
 * it without a lock; a reload makes another. */
/* What becomes of the system messages that a client sends to /chat. */
enum client_system_messages { CLIENT_SYSTEM_DROP, CLIENT_SYSTEM_REFUSE, CLIENT_SYSTEM_AFTER };

struct api_conf {
	unsigned	tenant_requests_per_minute;	/* unless the tenant's row says; 0: none */
	unsigned	key_requests_per_minute;	/* a key's, over all its tenants; 0: none */
	unsigned	auth_failures_per_minute;	/* a network's; then slowed; 0: never */
	unsigned	burst;				/* requests at once; 0: a minute's count */
	uint64_t	token_ttl_us;			/* of a user's token, at most */
	enum ratelimit_headers ratelimit_headers;
	size_t		document_max;			/* bytes of one document */
	size_t		chat_body_max;			/* bytes of a /chat or /search body */
	unsigned	chunk_size;			/* UTF-16 units, as JavaScript counts */
	unsigned	chunk_overlap;			/* UTF-16 units; less than chunk_size */
	unsigned	chunks_max;			/* of one document; 0: as its text has */
	unsigned	ingests_max;			/* of one tenant at a time */
	size_t		ingest_memory_max;		/* bytes, of all documents being ingested */
	uint64_t	ingest_wait_timeout_us;		/* for a share of it */
	const char	*spool_dir;			/* a folder for large ones; "": in memory */
	uint64_t	spool_max;			/* bytes, of all files there */
	unsigned	embedding_calls;		/* for one document at a time */
	size_t		embedding_window;		/* bytes of its vectors in memory */
	unsigned	top_k;				/* chunks found, unless the body says */
	enum search_mode search_mode;			/* of /chat, likewise */
	unsigned	search_text_weight;		/* of hybrid: the words', of 100 */
	enum client_system_messages client_system_messages;
	unsigned	chat_context_tokens;		/* of a prompt, estimated; 0: no limit */
	size_t		chat_file_text_max;		/* bytes of text of a chat's files */
	bool		chat_accepts_images;		/* passed on to the model */
	uint64_t	ingest_timeout_us;		/* whole request */
	uint64_t	documents_sweep_interval_us;	/* of one tenant's list */
	uint64_t	chat_timeout_us;		/* whole request; of /search too */
	uint64_t	stream_keepalive_us;		/* a streamed answer is silent no longer */
	bool		stream_reasoning;		/* shown, where a form has it */
	bool		access_log;			/* one line for each request */
	bool		server_timing;			/* told to clients of all routes */
	struct otlp_conf otlp;
	struct extract_conf extract;
	struct index_conf indexing;
	struct usage_conf usage;
	unsigned	quota_answer_tokens;		/* reserved for an answer */
	uint64_t	quota_lease_us;			/* of what is reserved */
	unsigned	provisions_per_minute;	/* databases begun by tokens; 0: no limit */
};
void	api_conf_init(struct api_conf *);

/* What the whole process is doing:
 *
 *	[STARTING] --catalog's schema is current--> [SERVING] --signal--> [DRAINING]
 *	     \___________________________signal______________________________^
 *
 * Moved by serve.c alone (the migration's end on worker 0, a signal on the main thread); any thread
 * reads it. Never moved back: the end of a migration does not undo a drain. */
enum api_phase { API_STARTING, API_SERVING, API_DRAINING };

/* What is scarce, lent by tenant (loop/share.h). Opened before the workers, closed after them. */
struct api_budgets {
	struct share_budget	*ingests;	/* owned, as all: places; a ceiling by tenant */
	struct share_budget	*documents;	/* bytes: bodies, and the texts made of them */
	struct share_budget	*vectors;	/* bytes */
	struct share_budget	*spool;		/* bytes: bodies on the disk, and parts of them */
	struct share_budget	*parsers;	/* processes that read PDFs */
};
void	api_budgets_open(struct api_budgets *, const struct api_conf *);
void	api_budgets_close(struct api_budgets *);
/* Other capacities and times. Any thread. */
void	api_budgets_configure(struct api_budgets *, const struct api_conf *);
/* Whether one of them is used up (share_condition()). Any thread. */
void	api_budgets_condition(const struct api_budgets *, struct condition *);

#define LOUDEST_TENANTS	64	/* places of api_shared.loudest */
#define LOUDEST_SHARDS	32	/* of workers, by their index */

/* What the handlers of all workers share. One for each process; it outlives the workers. */
struct api_shared {
	_Atomic enum api_phase	phase;
	/* Set once, when it is known that schema, environment and seal_keys fit the catalog: before
	 * that no caller is served, for another environment's tenants might be. */
	atomic_bool		catalog_is_ours;
	struct api_budgets	budgets;
	atomic_uint		sweeps;		/* of lists of documents, under way */
	atomic_uint		expiries;	/* behind requests (api/request_expire.c) */
	_Atomic unsigned	refusals;	/* of keys, held back at the moment */
	int			spool_folder;	/* owned: of spool_dir; 0: none, all is in memory */
	struct offload		*spool_helpers;	/* owned: wait for the disk; NULL: nobody does */
	struct indexing		*indexing;	/* owned; NULL: no index is made */
	struct http_shared	*clients;	/* borrowed: the public listener's; or NULL */
	/* When the configuration in force was read, by the wall clock, and whether the last try
	 * to read it anew has failed: for metrics; whoever reads it writes them. */
	_Atomic uint64_t	configured_us;
	atomic_bool		reload_has_failed;
	struct loudest		*loudest;	/* owned: requests by tenant; NULL: not counted */
};

/* What one worker's handlers use. All borrowed: closed only when that worker's HTTP server is
 * closed and its flows have ended. */
struct api_context {
	struct worker		*worker;
	struct catalog		*catalog;
	struct pools		*pools;
	struct redis		*redis;		/* NULL: in-process counters, one replica */
	struct auth		*auth;
	struct tenants		*tenants;
	struct limiter		*limiter;
	struct limit_store	*failures;	/* by network: requests without a valid key */
	struct model		*model;
	struct usage		*usage;		/* NULL: nothing is gathered */
	struct map		*reconciled;	/* tenant id -> owned uint64_t: monotonic us of the
						 * last reconciliation; NULL: never reconcile */
	struct map		*swept;		/* the same of the last sweep; NULL: never sweep */
	struct map		*newcomers;	/* tenant -> its first_contact, that begins it */
	const char		*environment;	/* part of every key in Redis */
	const struct api_conf	*conf;		/* a request keeps the one that it began with */
	struct refs		*snapshot;	/* borrowed: of whatever the conf is a part of;
						 * NULL: it outlives all requests */
	struct api_shared	*shared;
	struct offload		*offload;	/* for its figures; NULL where nobody shows them */
	struct otlp		*otlp;		/* NULL: no spans are wanted */
	struct health_looks	*looks;		/* NULL where nobody asks /readyz */
	bool			 shows_reasons;	/* /readyz: why, and figures; not to the public */
};

/* One worker's looks at what is behind it, for /readyz. Closed when its flows have ended. */
struct health_looks	*health_looks_open(struct worker *, struct catalog *, struct redis *);
void			 health_looks_close(struct health_looks *);	/* NULL is fine */

/* The request's id, for X-Request-Id, logs and problems: the client's own if it has REQUEST_ID_MAX
 * bytes at most, all of [A-Za-z0-9._:-], else a new random one. */
void	request_id_choose(const struct http_exchange *, char out[REQUEST_ID_MAX + 1]);
/* The access log's line of a request that no handler saw, after its response was written; and of
 * one of the admin door, at its end. key_id, tenant: "" where none is known. None is written when
 * access_log is off. */
void	access_log_refusal(const struct http_exchange *, const struct api_conf *,
	    const char *request_id, const struct err *);
void	access_log_admin(const struct http_exchange *, const struct api_conf *,
	    const struct flow *, const char *key_id, const char *tenant, const struct err *);

/* Fields of our responses that a page of another origin may read, for http_conf. */
extern const char cors_expose_headers[];

/* The http_probe_fn: GET and HEAD of /healthz and /readyz, and OPTIONS /. */
bool	api_is_probe(struct slice method, struct slice path);

/* The http_handler_fn of the health listener, which has those alone. */
void	api_handle_health(struct http_exchange *, void *ctx);
/* The http_handler_fn and http_refused_fn of a worker's HTTP server; both take its struct
 * api_context. api_handle() starts a handler, which ends the exchange; api_refused() logs a request
 * that was refused before it reached a handler. */
void	api_handle(struct http_exchange *, void *ctx);
void	api_refused(const struct http_exchange *, const char *request_id, const struct err *,
	    void *ctx);

/* tenants_conf.redis_key: what a tenant's limits are called in Redis. */
tenant_redis_key_fn	api_tenant_redis_key;

/* A body of PUT /tenant, for the admin door too: copies what it sets, checked, into the arena.
 * False with err set: ERR_INVALID_FIELD, which names the field, and ERR_OVERLOADED without
 * memory. */
bool	tenant_body_read(const json_t *root, struct arena *, struct tenant_change *out,
	    struct err *);

#endif
